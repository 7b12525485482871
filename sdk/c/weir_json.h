/* weir_json.h: a small reader of JSON for parameters, on top of weir.h. It pulls values one after the other and builds no tree.
 * Numbers go through strtod, so they are the nearest double, bit for bit as other languages read them: link wasi-libc.
 *
 *   weir_json r = weir_json_of(text, len);
 *   weir_json_open(&r, '{');
 *   while (weir_json_key(&r, &key, &key_len))
 *       if (weir_same(key, key_len, "mean", 4)) mean = weir_json_number(&r); else weir_json_skip(&r);
 *   if (!weir_json_end(&r)) return 1;   // the error is set, with its position
 *
 * Documents are written with weir_text (weir.h) and weir_add_number.
 * After the first problem every call does nothing and answers empty values, so one check at the end is enough. */
#ifndef WEIR_JSON_H
#define WEIR_JSON_H

#include "weir.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct { const char *start, *at, *end, *problem; int depth; uint8_t first[64]; } weir_json;

WEIR_INLINE weir_json weir_json_of(const char *text, uint32_t len) { return (weir_json){.start = text, .at = text, .end = text + len}; }

static void weir_json_wrong(weir_json *r, const char *problem) {
	if (!r->problem) {
		r->problem = problem;
		weir_fail("parameters, byte %u: %s", (uint32_t)(r->at - r->start), problem);
	}
}

static int weir_json_peek(weir_json *r) {
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) r->at++;
	return r->problem || r->at == r->end ? 0 : (unsigned char)*r->at;
}

/* weir_json_open enters an object ('{') or an array ('['). */
static int weir_json_open(weir_json *r, char bracket) {
	if (weir_json_peek(r) != bracket) return weir_json_wrong(r, bracket == '{' ? "an object is expected" : "an array is expected"), 0;
	if (r->depth == 64) return weir_json_wrong(r, "nested too deeply"), 0;
	r->first[r->depth++] = 1;
	r->at++;
	return 1;
}

/* weir_json_item moves to the next item of the array just opened; 0 at its end, which it leaves. */
static int weir_json_item(weir_json *r, char close) {
	int c = weir_json_peek(r);
	if (r->problem || r->depth == 0) return 0;
	uint8_t *first = &r->first[r->depth - 1];
	if (c == close) { r->at++; r->depth--; return 0; }
	if (!*first) {
		if (c != ',') return weir_json_wrong(r, "a comma or the closing bracket is expected"), 0;
		r->at++;
		if (weir_json_peek(r) == close) return weir_json_wrong(r, "a value is expected after the comma"), 0;
	}
	*first = 0;
	if (!weir_json_peek(r)) return weir_json_wrong(r, "the text ends too early"), 0;
	return 1;
}
WEIR_INLINE int weir_json_next(weir_json *r) { return weir_json_item(r, ']'); }

static int weir_json_hex4(weir_json *r) {
	int v = 0;
	if (r->end - r->at < 4) return -1;
	for (int i = 0; i < 4; i++) {
		char c = *r->at++;
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (d < 0) return -1;
		v = v << 4 | d;
	}
	return v;
}

/* weir_json_string reads a string into memory of its own (which lives as long as the instance). */
static const char *weir_json_string(weir_json *r, uint32_t *len) {
	*len = 0;
	if (weir_json_peek(r) != '"') return weir_json_wrong(r, "a string is expected"), "";
	const char *from = ++r->at;
	while (r->at < r->end && *r->at != '"') r->at += *r->at == '\\' && r->end - r->at > 1 ? 2 : 1;
	if (r->at >= r->end) return weir_json_wrong(r, "the string does not end"), "";
	const char *close = r->at;
	char *out = weir_alloc(close - from + 1), *o = out;
	if (!out) return r->problem = "out of memory", weir_out_of_memory(), "";
	for (r->at = from; r->at < close;) {
		unsigned char c = *r->at;
		if (c < 0x20) return weir_json_wrong(r, "a control character in a string must be escaped"), "";
		r->at++;
		if (c != '\\') { *o++ = c; continue; }
		uint32_t u;
		switch (*r->at++) {
		case '"': u = '"'; break;
		case '\\': u = '\\'; break;
		case '/': u = '/'; break;
		case 'b': u = '\b'; break;
		case 'f': u = '\f'; break;
		case 'n': u = '\n'; break;
		case 'r': u = '\r'; break;
		case 't': u = '\t'; break;
		case 'u': {
			int hi = weir_json_hex4(r), lo;
			if (hi < 0) return weir_json_wrong(r, "four hex digits are expected after \\u"), "";
			u = hi;
			if (hi >= 0xd800 && hi < 0xe000) {
				if (hi >= 0xdc00 || r->end - r->at < 6 || *r->at++ != '\\' || *r->at++ != 'u' || (lo = weir_json_hex4(r)) < 0xdc00 || lo > 0xdfff)
					return weir_json_wrong(r, "an unpaired surrogate"), "";
				u = 0x10000 + ((uint32_t)(hi - 0xd800) << 10 | (uint32_t)(lo - 0xdc00));
			}
			break;
		}
		default: return weir_json_wrong(r, "an unknown escape"), "";
		}
		if (u < 0x80) *o++ = u;
		else if (u < 0x800) { *o++ = 0xc0 | u >> 6; *o++ = 0x80 | (u & 63); }
		else if (u < 0x10000) { *o++ = 0xe0 | u >> 12; *o++ = 0x80 | (u >> 6 & 63); *o++ = 0x80 | (u & 63); }
		else { *o++ = 0xf0 | u >> 18; *o++ = 0x80 | (u >> 12 & 63); *o++ = 0x80 | (u >> 6 & 63); *o++ = 0x80 | (u & 63); }
	}
	r->at = close + 1;
	*len = o - out;
	return out;
}

/* weir_json_plain reads a string that has no escapes where it lies; 0, and nothing read, for any other. */
static const char *weir_json_plain(weir_json *r, uint32_t *len) {
	if (weir_json_peek(r) != '"') return 0;
	const char *from = r->at + 1, *p = from;
	while (p < r->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) p++;
	if (p == r->end || *p != '"') return 0;
	*len = (uint32_t)(p - from);
	r->at = p + 1;
	return from;
}

/* weir_json_key moves to the next member of the object just opened and reads its key; 0 at the object's end, which it leaves. The key
 * lies in the document unless it has escapes: compare it, do not keep it. */
static int weir_json_key(weir_json *r, const char **key, uint32_t *len) {
	if (!weir_json_item(r, '}')) return 0;
	if (!(*key = weir_json_plain(r, len))) *key = weir_json_string(r, len);
	if (weir_json_peek(r) != ':') return weir_json_wrong(r, "a colon is expected"), 0;
	r->at++;
	return 1;
}

static const char *weir_json_digits(const char *p, const char *end) {
	while (p < end && *p >= '0' && *p <= '9') p++;
	return p;
}

static const double weir_powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* weir_json_short reads a number of few digits: at most 2^53 times or over a power of ten that is a double. One multiplication or division
 * then rounds as strtod does (Clinger 1990). 0 for all other numbers; from to end has the form of a number. */
static int weir_json_short(const char *from, const char *end, double *v) {
	int negative = *from == '-', exponent = 0, digits = 0, point = 0;
	uint64_t m = 0;
	for (from += negative; from < end && *from != 'e' && *from != 'E'; from++) {
		if (*from == '.') { point = 1; continue; }
		if ((m || *from != '0') && ++digits > 18) return 0;
		m = m * 10 + (uint64_t)(*from - '0');
		exponent -= point;
	}
	if (from < end) {
		int e = 0, minus = *++from == '-';
		if (*from == '-' || *from == '+') from++;
		for (; from < end; from++)
			if ((e = e * 10 + (*from - '0')) > 999) return 0;
		exponent += minus ? -e : e;
	}
	if (m >> 53 || exponent < -22 || exponent > 22) return 0;
	double d = exponent < 0 ? (double)m / weir_powers_of_ten[-exponent] : (double)m * weir_powers_of_ten[exponent];
	*v = negative ? -d : d;
	return 1;
}

/* weir_json_number reads a finite number. */
static double weir_json_number(weir_json *r) {
	int c = weir_json_peek(r);
	const char *p = r->at + (c == '-'), *q = weir_json_digits(p, r->end);
	if (!c || q == p || (*p == '0' && q > p + 1)) return weir_json_wrong(r, "a number is expected"), 0;
	if (q < r->end && *q == '.') {
		const char *f = q + 1;
		if ((q = weir_json_digits(f, r->end)) == f) return weir_json_wrong(r, "digits are expected after the point"), 0;
	}
	if (q < r->end && (*q == 'e' || *q == 'E')) {
		const char *e = q + 1;
		if (e < r->end && (*e == '+' || *e == '-')) e++;
		if ((q = weir_json_digits(e, r->end)) == e) return weir_json_wrong(r, "digits are expected in the exponent"), 0;
	}
	double v;
	if (weir_json_short(r->at, q, &v)) return r->at = q, v;
	uint32_t n = q - r->at;
	char *copy = weir_alloc(n + 1); /* strtod wants a NUL */
	if (!copy) return r->problem = "out of memory", weir_out_of_memory(), 0;
	__builtin_memcpy(copy, r->at, n);
	copy[n] = 0;
	v = strtod(copy, 0);
	weir_free(copy, n + 1);
	if (__builtin_isinf(v)) return weir_json_wrong(r, "the number is too large for a double"), 0;
	r->at = q;
	return v;
}

/* weir_json_skip reads any value and forgets it. */
WEIR_INLINE void weir_json_skip(weir_json *r) {
	int floor = r->depth;
	const char *s;
	uint32_t n;
	do {
		if (r->depth > floor) {
			int in_object = r->first[r->depth - 1] & 2;
			if (in_object) { r->first[r->depth - 1] &= 1; int more = weir_json_key(r, &s, &n); if (!more) continue; r->first[r->depth - 1] |= 2; }
			else if (!weir_json_next(r)) continue;
		}
		int c = weir_json_peek(r);
		if (c == '{') { if (weir_json_open(r, '{')) r->first[r->depth - 1] |= 2; }
		else if (c == '[') weir_json_open(r, '[');
		else if (c == '"') { if (!weir_json_plain(r, &n)) weir_json_string(r, &n); }
		else if (c == 't' && r->end - r->at >= 4 && !__builtin_memcmp(r->at, "true", 4)) r->at += 4;
		else if (c == 'f' && r->end - r->at >= 5 && !__builtin_memcmp(r->at, "false", 5)) r->at += 5;
		else if (c == 'n' && r->end - r->at >= 4 && !__builtin_memcmp(r->at, "null", 4)) r->at += 4;
		else weir_json_number(r);
	} while (!r->problem && r->depth > floor);
}

/* weir_json_end checks that nothing follows; 0 when there was a problem anywhere, whose text weir_error then answers. */
static int weir_json_end(weir_json *r) {
	if (!r->problem && (weir_json_peek(r) || r->at != r->end)) weir_json_wrong(r, "nothing may follow the document");
	return !r->problem;
}

/* weir_json_end_as is weir_json_end for a document that is not the parameters: what is its name in the error's text. */
WEIR_INLINE int weir_json_end_as(weir_json *r, const char *what) {
	if (weir_json_end(r)) return 1;
	return weir_fail("%s, byte %u: %s", what, (uint32_t)(r->at - r->start), r->problem);
}

/* weir_json_unknown refuses the member whose key was just read. */
WEIR_INLINE void weir_json_unknown(weir_json *r, const char *key, uint32_t len) {
	if (r->problem) return;
	r->problem = "unknown key";
	weir_fail("parameters: unknown key %S", key, len);
}

/* weir_add_digits appends a whole number. */
static void weir_add_digits(weir_text *t, uint64_t v) {
	char d[20];
	int i = 20;
	do { d[--i] = (char)('0' + v % 10); v /= 10; } while (v);
	weir_add(t, d + i, (uint32_t)(20 - i));
}

/* weir_add_number appends a finite number so that it reads back as the same double; anything else as null, which JSON has instead. Numbers
 * of up to nine decimals get no more digits than they need: v·10^k is whole, and that over 10^k rounds to v again. */
WEIR_INLINE void weir_add_number(weir_text *t, double v) {
	char text[32];
	if (v - v != 0) { weir_add(t, "null", 4); return; }
	double a = v < 0 ? -v : v;
	if (a < 1e15 && (v != 0 || 1 / v > 0)) {
		for (int k = 0; k <= 9; k++) {
			double scaled = a * weir_powers_of_ten[k];
			if (scaled >= 9007199254740992.0) break;
			uint64_t whole = (uint64_t)(scaled + 0.5), unit = (uint64_t)weir_powers_of_ten[k];
			if ((double)whole / weir_powers_of_ten[k] != a) continue;
			if (v < 0) weir_add(t, "-", 1);
			weir_add_digits(t, whole / unit);
			if (!k) return;
			text[0] = '.';
			uint64_t rest = whole % unit;
			for (int i = k; i; i--, rest /= 10) text[i] = (char)('0' + rest % 10);
			weir_add(t, text, (uint32_t)k + 1);
			return;
		}
	}
	weir_add(t, text, (uint32_t)snprintf(text, sizeof text, "%.17g", v));
}

#endif
