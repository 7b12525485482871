/* dictionary.h: which of a list of texts a text is, by a hash table. */
#ifndef DICTIONARY_H
#define DICTIONARY_H

#include "parameters.h"

typedef struct {
	const text *texts;
	uint32_t *table, mask; /* index plus 1, 0 = empty; linear probing */
} dictionary;

WEIR_INLINE uint32_t hash_text(text t) {
	uint32_t h = 2166136261u;
	for (uint32_t i = 0; i < t.n; i++) h = (h ^ (unsigned char)t.p[i]) * 16777619u;
	return h ^ h >> 15;
}

/* look_up answers the index, or -1. */
WEIR_INLINE int32_t look_up(const dictionary *d, text t) {
	if (!d->table) return -1;
	for (uint32_t at = hash_text(t) & d->mask, i; (i = d->table[at]); at = (at + 1) & d->mask)
		if (same_text(d->texts[i - 1], t)) return i - 1;
	return -1;
}

/* make_dictionary needs the texts for as long as it is used. It answers the index of a text that was there before, -1 when there is none,
 * and -2 when memory has run out, with the error set. */
static int32_t make_dictionary(dictionary *d, const text *texts, uint32_t count) {
	uint32_t size = 4;
	while (size < count * 2) size *= 2;
	*d = (dictionary){texts, weir_alloc(size * 4), size - 1};
	if (!d->table) return weir_out_of_memory(), -2;
	__builtin_memset(d->table, 0, size * 4);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = hash_text(texts[i]) & d->mask;
		for (; d->table[at]; at = (at + 1) & d->mask)
			if (same_text(texts[d->table[at] - 1], texts[i])) return i;
		d->table[at] = i + 1;
	}
	return -1;
}

#endif
