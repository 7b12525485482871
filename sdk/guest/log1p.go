package guest

import "math"

// The coefficients of fdlibm's s_log1p.c (Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy,
// modify, and distribute this software is freely granted, provided that this notice is preserved).
const (
	ln2Hi = 0x1.62e42fee00000p-1
	ln2Lo = 0x1.a39ef35793c76p-33

	lg1 = 0x1.5555555555593p-1
	lg2 = 0x1.999999997fa04p-2
	lg3 = 0x1.2492494229359p-2
	lg4 = 0x1.c71c51d8e78afp-3
	lg5 = 0x1.7466496cb03dep-3
	lg6 = 0x1.39a09d078c69fp-3
	lg7 = 0x1.2f112df3e5244p-3
)

// Log1p is ln(1 + x), at most 0.86 units in the last place from it, and the same bits as log1p in every other language of the SDK
// and on every machine, which math.Log1p does not promise (sdk/examples/SPEC.md has the method). NaN and x < -1 give the canonical
// NaN, -1 gives -Inf; -0 and +Inf are themselves.
//
// The conversions to float64 are not idle: they keep the compiler from fusing a product with a sum, as it does on arm64.
func Log1p(x float64) float64 {
	if !(x > -1) {
		if x == -1 {
			return math.Inf(-1)
		}
		return math.Float64frombits(0x7ff8000000000000)
	}
	if x == 0 || x > math.MaxFloat64 {
		return x
	}
	u := 1 + x
	b := math.Float64bits(u) + 0x00095f619980c433
	k := b >> 52
	f, c := x, 0.0
	if k != 1023 {
		f = math.Float64frombits(b&0x000fffffffffffff+0x3fe6a09e667f3bcd) - 1
		if x < 1 {
			c = (x - (u - 1)) / u
		} else {
			c = (1 - (u - x)) / u
		}
	}
	d := float64(int64(k) - 1023)
	s := f / (2 + f)
	z := float64(s * s)
	w := float64(z * z)
	t1 := float64(w * (lg2 + float64(w*(lg4+float64(w*lg6)))))
	t2 := float64(z * (lg1 + float64(w*(lg3+float64(w*(lg5+float64(w*lg7)))))))
	r := t2 + t1
	h := float64(float64(0.5*f) * f)
	y := float64(s*(h+r)) + (float64(d*ln2Lo) + c)
	return ((y - h) + f) + float64(d*ln2Hi)
}
