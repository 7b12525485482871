/* exact.h: sums of doubles without rounding (Neal 2015, Fast exact summation using small and large superaccumulators): a fixed-point number as wide
 * as the doubles' range. The sum is the same whatever the order of adding and merging. */
#ifndef EXACT_H
#define EXACT_H

#include "metric.h"

/* The range of doubles is 2,098 bits, and 64 more for counts: 68 digits of 32 bits, and room for the highest addend. */
enum { PLACES = 70, ADDS = 1 << 29 };

typedef struct {
	int64_t at[PLACES]; /* digit i has the weight 2^(32i - 1074); carries are put off for at most ADDS additions */
	uint32_t pending;
} exact;

/* carry brings every digit but the highest into 0 .. 2^32-1: the one form of a sum. */
static void carry(exact *s) {
	int64_t c = 0;
	for (int i = 0; i < PLACES - 1; i++) {
		int64_t v = s->at[i] + c;
		c = v >> 32;
		s->at[i] = v & 0xffffffff;
	}
	s->at[PLACES - 1] += c;
	s->pending = 0;
}

/* exact_add adds a finite double. */
WEIR_INLINE void exact_add(exact *s, double v) {
	uint64_t u;
	__builtin_memcpy(&u, &v, 8);
	uint32_t e = (uint32_t)(u >> 52) & 0x7ff;
	uint64_t m = u & 0xfffffffffffffu;
	if (e) m |= 1ull << 52;
	else e = 1;
	e--; /* the mantissa's lowest bit has the weight 2^(e - 1074) */
	uint32_t i = e >> 5, shift = e & 31;
	uint64_t low = m << shift, high = shift ? m >> (64 - shift) : 0;
	int64_t d0 = (int64_t)(low & 0xffffffff), d1 = (int64_t)(low >> 32), d2 = (int64_t)high;
	if (u >> 63) { s->at[i] -= d0; s->at[i + 1] -= d1; s->at[i + 2] -= d2; }
	else { s->at[i] += d0; s->at[i + 1] += d1; s->at[i + 2] += d2; }
	if (++s->pending == ADDS) carry(s);
}

static void exact_merge(exact *a, exact *b) {
	carry(a);
	carry(b);
	for (int i = 0; i < PLACES; i++) a->at[i] += b->at[i];
	carry(a);
}

/* A pair of doubles whose sum is meant: 106 bits. */
typedef struct { double hi, lo; } wide;

WEIR_INLINE wide two_sum(double a, double b) {
	double s = a + b, t = s - a;
	return (wide){s, (a - (s - t)) + (b - t)};
}
/* two_product is Dekker's: a·b exactly, unless it over- or underflows. */
WEIR_INLINE wide two_product(double a, double b) {
	const double split = 134217729;
	double p = a * b, x = split * a, y = split * b;
	double ah = x - (x - a), al = a - ah, bh = y - (y - b), bl = b - bh;
	return (wide){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}
WEIR_INLINE wide wide_add(wide a, wide b) {
	wide s = two_sum(a.hi, b.hi);
	return two_sum(s.hi, s.lo + a.lo + b.lo);
}
WEIR_INLINE wide wide_negative(wide a) { return (wide){-a.hi, -a.lo}; }
WEIR_INLINE wide wide_times(wide a, wide b) {
	wide p = two_product(a.hi, b.hi);
	return two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}
WEIR_INLINE wide wide_over(wide a, double b) {
	double q = a.hi / b;
	wide r = wide_add(a, wide_negative(two_product(q, b)));
	return two_sum(q, (r.hi + r.lo) / b);
}

/* exact_value rounds the sum to 106 bits. */
static wide exact_value(exact *s) {
	carry(s);
	wide v = {0, 0};
	exact t = *s;
	int negative = t.at[PLACES - 1] < 0;
	if (negative) {
		for (int i = 0; i < PLACES; i++) t.at[i] = -t.at[i];
		carry(&t);
	}
	for (int i = PLACES - 1; i >= 0; i--) {
		if (!t.at[i]) continue;
		/* at[i]·2^(32i-1074): the weight is made of two factors, each of which a double holds. */
		int e = 32 * i - 1074;
		double d = (double)t.at[i];
		d = __builtin_ldexp(d, e);
		v = wide_add(v, (wide){d, 0});
	}
	return negative ? wide_negative(v) : v;
}

static void exact_save(exact *s, weir_text *t) {
	carry(s);
	/* Zeros at both ends are left out. */
	int first = 0, last = PLACES - 1;
	while (first < PLACES && !s->at[first]) first++;
	while (last >= first && !s->at[last]) last--;
	put_count(t, first == PLACES ? 0 : (uint64_t)first);
	put_count(t, first == PLACES ? 0 : (uint64_t)(last - first + 1));
	for (int i = first; i <= last; i++) {
		int64_t v = s->at[i];
		put_count(t, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
	}
}

static void exact_load(exact *s, state_reader *r) {
	exact other = {0};
	uint64_t first = get_count(r), n = get_count(r);
	if (r->wrong || first + n > PLACES || n > PLACES) { r->wrong = 1; return; }
	for (uint64_t i = 0; i < n; i++) {
		uint64_t v = get_count(r);
		other.at[first + i] = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
		if (first + i < PLACES - 1 && (uint64_t)other.at[first + i] > 0xffffffff) { r->wrong = 1; return; }
	}
	if (other.at[PLACES - 1] > INT32_MAX || other.at[PLACES - 1] < INT32_MIN) { r->wrong = 1; return; }
	exact_merge(s, &other);
}

#endif
