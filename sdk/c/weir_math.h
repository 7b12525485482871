/* weir_math.h: arithmetic that gives the same bits in every language of the SDK (sdk/examples/SPEC.md). No libm is needed. */
#ifndef WEIR_MATH_H
#define WEIR_MATH_H

#include <stdint.h>

#define WEIR_NAN __builtin_nan("") /* the canonical NaN: 0x7ff8000000000000 */

static inline __attribute__((unused)) uint64_t weir_bits(double x) {
	uint64_t b;
	__builtin_memcpy(&b, &x, sizeof b);
	return b;
}

static inline __attribute__((unused)) double weir_double(uint64_t b) {
	double x;
	__builtin_memcpy(&x, &b, sizeof x);
	return x;
}

/* weir_log1p is ln(1 + x), at most 0.86 units in the last place from it. NaN and what is below -1 give WEIR_NAN, -1 gives -infinity, -0 stays -0.
 *
 * The method and its coefficients are those of s_log1p.c in fdlibm (Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
 * Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved):
 * 1 + x = 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), and log(1 + f) by a polynomial in s = f / (2 + f). Where fdlibm branches, this
 * computes all and selects, so that clang makes SIMD of a loop over it. Natively it wants -ffp-contract=off. */
static inline __attribute__((unused)) double weir_log1p(double x) {
	const double ln2_hi = 0x1.62e42fee00000p-1, ln2_lo = 0x1.a39ef35793c76p-33;
	const double L1 = 0x1.5555555555593p-1, L2 = 0x1.999999997fa04p-2, L3 = 0x1.2492494229359p-2, L4 = 0x1.c71c51d8e78afp-3,
		L5 = 0x1.7466496cb03dep-3, L6 = 0x1.39a09d078c69fp-3, L7 = 0x1.2f112df3e5244p-3;
	double u = 1 + x;
	uint64_t b = weir_bits(u) + 0x00095f619980c433; /* the exponent changes where u passes a power of 2 times sqrt(1/2) */
	uint64_t k = b >> 52;                           /* plus 1023 */
	double m = weir_double((b & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
	double e = x < 1 ? x - (u - 1) : 1 - (u - x); /* what rounding 1 + x lost */
	double q = e / u;
	double c = k == 1023 ? 0 : q, f = k == 1023 ? x : m - 1;
	double d = weir_double(k | 0x4330000000000000) - 0x1.00000000003ffp52; /* k - 1023; SIMD cannot convert 64-bit integers */
	double s = f / (2 + f), z = s * s, w = z * z;
	double t1 = w * (L2 + w * (L4 + w * L6));
	double t2 = z * (L1 + w * (L3 + w * (L5 + w * L7)));
	double r = t2 + t1, h = (0.5 * f) * f;
	double y = (((s * (h + r) + (d * ln2_lo + c)) - h) + f) + d * ln2_hi;
	y = x > -1 ? y : x == -1 ? -__builtin_inf() : WEIR_NAN;
	y = x == __builtin_inf() ? x : y;
	return x == 0 ? x : y;
}

#endif
