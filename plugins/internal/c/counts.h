/* counts.h: how often each value occurs, of columns of few different ones: texts, whole numbers and booleans, each known by its text.
 * Counting is exact, so summaries merge in any order to the same bits; a column with more than MAX_VALUES different values is refused. */
#ifndef COUNTS_H
#define COUNTS_H

#include "metric.h"

enum { MAX_VALUES = 10000, VALUE_TYPES = TYPE(WEIR_UTF8) | INTEGERS | TYPE(WEIR_BOOL) };

typedef struct { text value; uint32_t hash; uint64_t count[2]; } entry;

typedef struct {
	entry *at;       /* in the order of arrival */
	uint32_t used;
	uint32_t *slot;  /* open addressing: index of an entry plus 1 */
	uint32_t slots;
	uint64_t total[2], missing[2];
} dictionary;

static uint32_t hash_text(const char *p, uint32_t n) {
	uint64_t h = 0xcbf29ce484222325u;
	for (uint32_t i = 0; i < n; i++) h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

static int count_value(dictionary *d, uint32_t column, int side, const char *p, uint32_t n, uint64_t times) {
	if (d->used * 2 >= d->slots) {
		uint32_t slots = d->slots ? d->slots * 2 : 64, *s = new_memory(slots, 4);
		if (!s) return 0;
		for (uint32_t i = 0; i < d->used; i++) {
			uint32_t h = d->at[i].hash & (slots - 1);
			while (s[h]) h = (h + 1) & (slots - 1);
			s[h] = i + 1;
		}
		weir_free(d->slot, d->slots * 4);
		d->slot = s;
		d->slots = slots;
	}
	uint32_t hash = hash_text(p, n), h = hash & (d->slots - 1);
	for (; d->slot[h]; h = (h + 1) & (d->slots - 1)) {
		entry *e = &d->at[d->slot[h] - 1];
		if (e->hash == hash && weir_same(e->value.p, e->value.n, p, n)) {
			e->count[side] += times;
			d->total[side] += times;
			return 1;
		}
	}
	if (d->used == MAX_VALUES)
		return weir_fail("column %S has more than %u different values: it is no category; bin it, or use a metric of numbers or of distinct counts",
			columns[column].name.p, columns[column].name.n, (uint32_t)MAX_VALUES);
	if (!GROW(d->at, d->used)) return 0;
	char *copy = new_memory(n ? n : 1, 1);
	if (!copy) return 0;
	if (n) __builtin_memcpy(copy, p, n);
	d->at[d->used] = (entry){.value = {copy, n}, .hash = hash};
	d->at[d->used].count[side] = times;
	d->slot[h] = ++d->used;
	d->total[side] += times;
	return 1;
}

static uint32_t write_integer(char *to, int64_t v) {
	char d[20];
	int i = 20;
	uint32_t n = 0;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	do { d[--i] = '0' + u % 10; u /= 10; } while (u);
	if (v < 0) to[n++] = '-';
	for (; i < 20; i++) to[n++] = d[i];
	return n;
}

static int dictionary_update(dictionary *d, uint32_t i, int side, const weir_column *c, uint32_t rows) {
	char digits[24];
	for (uint32_t r = 0; r < rows; r++) {
		if (weir_is_null(c, r)) { d->missing[side]++; continue; }
		const char *p = digits;
		uint32_t n;
		switch (c->type) {
		case WEIR_UTF8: p = (const char *)c->values + c->offsets[r]; n = (uint32_t)(c->offsets[r + 1] - c->offsets[r]); break;
		case WEIR_INT64: n = write_integer(digits, ((const int64_t *)c->values)[r]); break;
		case WEIR_INT32: n = write_integer(digits, ((const int32_t *)c->values)[r]); break;
		default:
			if (((const uint8_t *)c->values)[r >> 3] >> (r & 7) & 1) p = "true", n = 4;
			else p = "false", n = 5;
		}
		if (!count_value(d, i, side, p, n, 1)) return 0;
	}
	return 1;
}

static void dictionary_clear(dictionary *d) {
	for (uint32_t i = 0; i < d->used; i++) weir_free((char *)d->at[i].value.p, d->at[i].value.n ? d->at[i].value.n : 1);
	uint32_t room = 4; /* what GROW has made of it */
	while (room < d->used) room *= 2;
	if (d->at) weir_free(d->at, room * sizeof *d->at);
	weir_free(d->slot, d->slots * 4);
	*d = (dictionary){0};
}

static int order(const entry *a, const entry *b) {
	uint32_t n = a->value.n < b->value.n ? a->value.n : b->value.n;
	int c = n ? __builtin_memcmp(a->value.p, b->value.p, n) : 0;
	return c ? c : a->value.n < b->value.n ? -1 : a->value.n > b->value.n;
}

/* dictionary_sorted answers the entries in the order of their bytes; the caller gives them back. */
static const entry **dictionary_sorted(const dictionary *d) {
	const entry **e = new_memory(d->used ? d->used : 1, sizeof *e);
	if (!e) return 0;
	uint32_t n = d->used;
	for (uint32_t i = 0; i < n; i++) e[i] = &d->at[i];
	for (uint32_t i = n / 2, end = n; end > 1 || i > 0;) {
		const entry *x;
		if (i > 0) x = e[--i];
		else { x = e[--end]; e[end] = e[0]; }
		uint32_t hole = i;
		for (uint32_t child; (child = hole * 2 + 1) < end; hole = child) {
			if (child + 1 < end && order(e[child], e[child + 1]) < 0) child++;
			if (order(e[child], x) <= 0) break;
			e[hole] = e[child];
		}
		e[hole] = x;
	}
	return e;
}
WEIR_INLINE void dictionary_release(const entry **e, const dictionary *d) { weir_free((void *)e, (d->used ? d->used : 1) * sizeof *e); }

static int dictionary_save(const dictionary *d, int side, weir_text *t) {
	put_count(t, d->missing[side]);
	uint32_t n = 0;
	for (uint32_t i = 0; i < d->used; i++) n += d->at[i].count[side] > 0;
	put_count(t, n);
	const entry **e = dictionary_sorted(d);
	if (!e) return 0;
	for (uint32_t i = 0; i < d->used; i++) {
		if (!e[i]->count[side]) continue;
		put_count(t, e[i]->value.n);
		weir_add(t, e[i]->value.p, e[i]->value.n);
		put_count(t, e[i]->count[side]);
	}
	dictionary_release(e, d);
	return 1;
}

static int dictionary_load(dictionary *d, uint32_t column, int side, state_reader *r) {
	d->missing[side] += get_count(r);
	uint64_t n = get_count(r);
	for (uint64_t i = 0; i < n && !r->wrong; i++) {
		uint64_t size = get_count(r);
		if (r->wrong || size > (uint64_t)(r->end - r->at)) return r->wrong = 1;
		const char *p = (const char *)r->at;
		r->at += size;
		uint64_t count = get_count(r);
		if (r->wrong || !count) return r->wrong = 1;
		if (!count_value(d, column, side, p, (uint32_t)size, count)) return 0;
	}
	return 1;
}

#endif
