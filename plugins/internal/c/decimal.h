/* decimal.h: the double nearest to a decimal number, ties to even, as strtod gives it, without wasi-libc's strtod, which is 20 kB of
 * quad-precision arithmetic. plugins/decimal_test.go compares it with Go's strconv. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdint.h>

/* A natural number, least limb first. 10^1127 has 3,744 bits. */
enum { LIMBS = 128, DIGITS = 800 };
typedef struct { uint32_t limb[LIMBS], n; } natural;

static void times_plus(natural *a, uint32_t by, uint32_t plus) {
	uint64_t carry = plus;
	for (uint32_t i = 0; i < a->n; i++) {
		carry += (uint64_t)a->limb[i] * by;
		a->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry && a->n < LIMBS) a->limb[a->n++] = (uint32_t)carry;
}

static void times_ten_to(natural *a, int32_t e) {
	for (; e >= 9; e -= 9) times_plus(a, 1000000000, 0);
	for (; e > 0; e--) times_plus(a, 10, 0);
}

static int32_t bit_length(const natural *a) { return a->n ? (int32_t)(a->n * 32) - __builtin_clz(a->limb[a->n - 1]) : 0; }

static void shift_left(natural *a, int32_t bits) {
	uint32_t whole = (uint32_t)bits / 32, part = (uint32_t)bits % 32;
	if (!a->n || a->n + whole + 1 > LIMBS) return; /* cannot be: see the bounds in nearest_double */
	a->limb[a->n] = 0;
	for (uint32_t i = a->n + 1; i-- > 0;) {
		uint64_t two = (uint64_t)a->limb[i] << 32 | (i ? a->limb[i - 1] : 0);
		a->limb[i + whole] = (uint32_t)(two >> (32 - part));
	}
	for (uint32_t i = 0; i < whole; i++) a->limb[i] = 0;
	a->n += whole + 1;
	while (a->n && !a->limb[a->n - 1]) a->n--;
}

/* less_by takes b from a when a is at least b, and answers whether it did. */
static int less_by(natural *a, const natural *b) {
	if (a->n != b->n) { if (a->n < b->n) return 0; }
	else
		for (uint32_t i = a->n; i-- > 0;)
			if (a->limb[i] != b->limb[i]) { if (a->limb[i] < b->limb[i]) return 0; break; }
	int64_t borrow = 0;
	for (uint32_t i = 0; i < a->n; i++) {
		borrow += (int64_t)a->limb[i] - (i < b->n ? b->limb[i] : 0);
		a->limb[i] = (uint32_t)borrow;
		borrow >>= 32;
	}
	while (a->n && !a->limb[a->n - 1]) a->n--;
	return 1;
}

/* rounded is q · 2^(e - 63) for a q with its top bit set, more: whether something smaller than a bit of q was cut off. */
static double rounded(uint64_t q, int32_t e, int more) {
	if (e > 1023) return __builtin_inf();
	int32_t drop = e < -1022 ? 11 + (-1022 - e) : 11; /* bits below the last one that the double has */
	if (drop > 64) return 0;
	uint64_t kept = drop == 64 ? 0 : q >> drop, rest = drop == 64 ? q : q << (64 - drop);
	const uint64_t half = 1ull << 63;
	kept += rest > half || (rest == half && (more || kept & 1));
	/* Adding to the exponent's field makes room for a carry out of the fraction, also from the subnormals. */
	uint64_t bits = e < -1022 ? kept : kept + ((uint64_t)(e + 1022) << 52);
	double v;
	__builtin_memcpy(&v, &bits, 8);
	return v;
}

/* nearest_double reads a JSON number that is known to be well-formed and ends in a NUL. Too large a number gives infinity. */
static double nearest_double(const char *s) {
	static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	natural a, b;
	uint64_t small = 0; /* the digits as long as there are at most 18 */
	int32_t digits = 0, exponent = 0, point = 0, cut = 0;
	int negative = *s == '-';
	a.n = 0;
	for (s += negative; *s == '.' || (*s >= '0' && *s <= '9'); s++) {
		if (*s == '.') { point = 1; continue; }
		exponent -= point;
		if (!digits && *s == '0') continue;
		if (digits >= DIGITS) { exponent++; cut |= *s != '0'; continue; }
		times_plus(&a, 10, (uint32_t)(*s - '0'));
		if (digits++ < 18) small = small * 10 + (uint64_t)(*s - '0');
	}
	if (*s == 'e' || *s == 'E') {
		int minus = *++s == '-';
		int32_t e = 0;
		for (s += *s == '-' || *s == '+'; *s; s++)
			if (e < 100000) e = e * 10 + (*s - '0');
		exponent += minus ? -e : e;
	}
	double v = 0;
	if (!digits || digits + exponent < -330) v = 0;
	else if (digits + exponent > 310) v = __builtin_inf();
	else if (digits <= 15 && exponent >= -22 && exponent <= 22) v = exponent < 0 ? (double)small / tens[-exponent] : (double)small * tens[exponent];
	else {
		/* A digit that was cut off counts as a small one behind the others: it only decides between a tie and more. */
		if (cut) { times_plus(&a, 10, 1); exponent--; }
		b.limb[0] = b.n = 1;
		if (exponent >= 0) times_ten_to(&a, exponent);
		else times_ten_to(&b, -exponent);
		int32_t e = bit_length(&a) - bit_length(&b);
		if (e < 0) shift_left(&a, -e);
		else shift_left(&b, e);
		uint64_t q = 0;
		for (int i = 0; i < 64; i++) {
			int bit = less_by(&a, &b);
			if (i == 0 && !bit) { e--; i = -1; shift_left(&a, 1); continue; }
			q = q << 1 | (uint64_t)bit;
			shift_left(&a, 1);
		}
		v = rounded(q, e, a.n > 0);
	}
	return negative ? -v : v;
}

#endif
