/* tokens.h: text to n-grams of words or characters, as scikit-learn's CountVectorizer, TfidfVectorizer and HashingVectorizer make them with their
 * default token_pattern, (?u)\b\w\w+\b: a word is a run of at least two word characters. The characters are Unicode's, by the tables of unicode.h.
 * Lower case is that of each character alone, so that a capital sigma at the end of a word becomes U+03C3 and not U+03C2. */
#ifndef TOKENS_H
#define TOKENS_H

#include "dictionary.h"
#include "unicode.h"

enum { WORD, CHAR, CHAR_WB }; /* "word\0char\0char_wb\0" */

static int analyzer, lowercase = 1;
static uint32_t shortest = 1, longest = 1; /* n-grams */
static texts stop_list;
static dictionary stop_words;

static struct { uint32_t first, end; } words_beyond[WORD_RANGES];
static struct { uint32_t first, last, stride; int32_t added; } lower_beyond[LOWER_RUNS];

static char *token_bytes;       /* the text as n-grams are cut from it */
static uint32_t *token_starts;  /* of words or characters in it */
static uint32_t token_room;

/* use_token is given each n-gram; the including file defines it. */
static void use_token(text t);

static uint32_t varint(const uint8_t **p) {
	uint32_t v = 0, shift = 0;
	do v |= (uint32_t)(**p & 127) << shift, shift += 7; while (*(*p)++ & 128);
	return v;
}

/* make_tokens prepares what read_range and the fields have set. */
static int make_tokens(void) {
	const uint8_t *p = word_bytes;
	uint32_t at = 128;
	for (uint32_t i = 0; i < WORD_RANGES; i++) {
		words_beyond[i].first = at += varint(&p);
		words_beyond[i].end = at += varint(&p);
	}
	p = lower_bytes;
	at = 128;
	for (uint32_t i = 0; i < LOWER_RUNS; i++) {
		lower_beyond[i].first = at += varint(&p);
		uint32_t count = varint(&p), added = varint(&p);
		lower_beyond[i].stride = 1 + (count & 1);
		lower_beyond[i].last = at + (count >> 1) * lower_beyond[i].stride;
		lower_beyond[i].added = added & 1 ? -(int32_t)(added >> 1) : (int32_t)(added >> 1);
	}
	return !stop_list.count || make_dictionary(&stop_words, stop_list.at, stop_list.count) != -2;
}

/* read_range reads "ngram_range": [1, 2]. */
static int read_range(weir_json *r) {
	numbers range = {0};
	if (!read_numbers(r, &range) || r->problem) return !!r->problem;
	if (range.count != 2 || range.at[0] < 1 || range.at[1] > 16 || range.at[0] > range.at[1] || range.at[0] != (uint32_t)range.at[0] || range.at[1] != (uint32_t)range.at[1])
		return wrong("\"ngram_range\" must be two whole numbers from 1 to 16, the lower one first");
	shortest = (uint32_t)range.at[0];
	longest = (uint32_t)range.at[1];
	return 1;
}

static int is_word(uint32_t c) {
	if (c < 128) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
	uint32_t low = 0, high = WORD_RANGES;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (words_beyond[mid].end <= c) low = mid + 1; else high = mid;
	}
	return low < WORD_RANGES && words_beyond[low].first <= c;
}

static int is_space(uint32_t c) {
	if (c < 128) return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
	return is_space_beyond(c);
}

static uint32_t lower(uint32_t c) {
	if (c < 128) return c >= 'A' && c <= 'Z' ? c + 32 : c;
	uint32_t low = 0, high = LOWER_RUNS;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (lower_beyond[mid].last < c) low = mid + 1; else high = mid;
	}
	if (low == LOWER_RUNS || c < lower_beyond[low].first || (c - lower_beyond[low].first) % lower_beyond[low].stride) return c;
	return c + (uint32_t)lower_beyond[low].added;
}

/* letter decodes the character at *p, which is valid UTF-8, and moves on. */
static uint32_t letter(const unsigned char **p) {
	const unsigned char *s = *p;
	if (s[0] < 0x80) { *p += 1; return s[0]; }
	if (s[0] < 0xe0) { *p += 2; return (uint32_t)(s[0] & 31) << 6 | (s[1] & 63); }
	if (s[0] < 0xf0) { *p += 3; return (uint32_t)(s[0] & 15) << 12 | (uint32_t)(s[1] & 63) << 6 | (s[2] & 63); }
	*p += 4;
	return (uint32_t)(s[0] & 7) << 18 | (uint32_t)(s[1] & 63) << 12 | (uint32_t)(s[2] & 63) << 6 | (s[3] & 63);
}

static char *put(char *o, uint32_t c) {
	if (c < 0x80) { *o++ = c; return o; }
	if (c < 0x800) *o++ = 0xc0 | c >> 6;
	else {
		if (c < 0x10000) *o++ = 0xe0 | c >> 12;
		else { *o++ = 0xf0 | c >> 18; *o++ = 0x80 | (c >> 12 & 63); }
		*o++ = 0x80 | (c >> 6 & 63);
	}
	*o++ = 0x80 | (c & 63);
	return o;
}

/* The text letter by letter in lower case; U+0130 alone becomes two letters. */
typedef struct { const unsigned char *at, *end; uint32_t pending; } letters;

static int next_letter(letters *l, uint32_t *c) {
	if (l->pending) { *c = l->pending; l->pending = 0; return 1; }
	if (l->at >= l->end) return 0;
	*c = letter(&l->at);
	if (!lowercase) return 1;
	if (*c == 0x130) { *c = 'i'; l->pending = 0x307; return 1; }
	*c = lower(*c);
	return 1;
}

/* slices gives each n-gram of n pieces; piece i is token_bytes from starts[i] to starts[i+1] - gap. */
static void slices(uint32_t n, uint32_t count, uint32_t gap) {
	for (uint32_t i = 0; i + n <= count; i++)
		use_token((text){token_bytes + token_starts[i], token_starts[i + n] - gap - token_starts[i]});
}

static void word_tokens(letters l) {
	uint32_t count = 0, c;
	char *o = token_bytes;
	for (int more = 1; more;) {
		char *start = o;
		uint32_t size = 0;
		while ((more = next_letter(&l, &c)) && is_word(c)) { o = put(o, c); size++; }
		if (size < 2 || look_up(&stop_words, (text){start, (uint32_t)(o - start)}) >= 0) { o = start; continue; }
		token_starts[count++] = (uint32_t)(start - token_bytes);
		*o++ = ' ';
	}
	token_starts[count] = (uint32_t)(o - token_bytes);
	for (uint32_t n = shortest; n <= longest; n++) slices(n, count, 1);
}

/* char_tokens: two or more white spaces count as one blank. */
static void char_tokens(letters l) {
	uint32_t count = 0, spaces = 0, space = 0, c;
	char *o = token_bytes;
	for (int more = 1; more;) {
		more = next_letter(&l, &c);
		if (more && is_space(c)) { space = spaces++ ? ' ' : c; continue; }
		if (spaces) { token_starts[count++] = (uint32_t)(o - token_bytes); o = put(o, space); spaces = 0; }
		if (more) { token_starts[count++] = (uint32_t)(o - token_bytes); o = put(o, c); }
	}
	token_starts[count] = (uint32_t)(o - token_bytes);
	for (uint32_t n = shortest; n <= longest && n <= count; n++) slices(n, count, 0);
}

/* char_wb_tokens: n-grams within words, which are what stands between white space, with a blank on either side. A word shorter than n counts once. */
static void char_wb_tokens(letters l) {
	uint32_t c;
	for (int more = 1; more;) {
		uint32_t count = 1;
		char *o = token_bytes;
		token_starts[0] = 0;
		*o++ = ' ';
		while ((more = next_letter(&l, &c)) && !is_space(c)) { token_starts[count++] = (uint32_t)(o - token_bytes); o = put(o, c); }
		if (count == 1) continue;
		token_starts[count++] = (uint32_t)(o - token_bytes);
		*o++ = ' ';
		token_starts[count] = (uint32_t)(o - token_bytes);
		for (uint32_t n = shortest; n <= longest; n++) {
			if (n >= count) { use_token((text){token_bytes, (uint32_t)(o - token_bytes)}); break; }
			slices(n, count, 0);
		}
	}
}

/* tokens gives all n-grams of a text to use_token; 0 = memory has run out. */
static int tokens(text t) {
	if (token_room < t.n || !token_bytes) {
		if (token_bytes) weir_free(token_bytes, token_room * 3 + 8), weir_free(token_starts, (token_room * 2 + 4) * 4);
		token_bytes = 0;
		token_room = t.n + t.n / 2 + 64;
		if (token_room > 1u << 27) return weir_out_of_memory();
		/* A letter of lower case has at most 1.5 times the bytes, a word one more. */
		if (!(token_bytes = weir_alloc(token_room * 3 + 8)) || !(token_starts = weir_alloc((token_room * 2 + 4) * 4))) return weir_out_of_memory();
	}
	letters l = {(const unsigned char *)t.p, (const unsigned char *)t.p + t.n, 0};
	switch (analyzer) {
	case WORD: word_tokens(l); break;
	case CHAR: char_tokens(l); break;
	default: char_wb_tokens(l);
	}
	return 1;
}

#endif
