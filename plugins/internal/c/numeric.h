/* numeric.h: what transforms of numbers share: every type of number as float64, one NaN, validity of several columns at once. */
#ifndef NUMERIC_H
#define NUMERIC_H

#include "transform.h"

/* canonical gives NaN the one bit pattern 0x7ff8000000000000, so that results are the same bits on every machine. */
WEIR_INLINE double canonical(double v) { return v == v ? v : __builtin_nan(""); }

/* doubles answers an input as float64: the input itself, or widened in one of four places. 0 = memory has run out. */
static const double *doubles(uint32_t i, uint32_t slot, uint32_t rows) {
	static double *wide[4];
	static uint32_t room[4];
	const weir_column *c = &in[i];
	if (c->type == WEIR_FLOAT64) return c->values;
	if (!wide[slot] || room[slot] < rows) {
		weir_free(wide[slot], room[slot] * 8);
		room[slot] = (rows + 63) & ~63u;
		if (!(wide[slot] = weir_alloc(room[slot] * 8))) return weir_out_of_memory(), (double *)0;
	}
	double *restrict y = wide[slot];
	switch (c->type) {
	case WEIR_FLOAT32: { const float *x = c->values; for (uint32_t r = 0; r < rows; r++) y[r] = x[r]; break; }
	case WEIR_INT64: { const int64_t *x = c->values; for (uint32_t r = 0; r < rows; r++) y[r] = x[r]; break; }
	case WEIR_INT32: { const int32_t *x = c->values; for (uint32_t r = 0; r < rows; r++) y[r] = x[r]; break; }
	default: { const uint8_t *x = c->values; for (uint32_t r = 0; r < rows; r++) y[r] = x[r >> 3] >> (r & 7) & 1; }
	}
	return y;
}

/* present is the eight validity bits of a byte of rows. */
WEIR_INLINE uint8_t present(const weir_column *c, uint32_t byte) { return c->validity ? c->validity[byte] : 0xff; }

/* null_where_nan makes output o null where its input is null or NaN. */
WEIR_INLINE void null_where_nan(uint32_t o, const weir_column *c, const double *x, uint32_t rows) {
	uint8_t *v = own_valid(o);
	for (uint32_t b = 0; b < (rows + 7) / 8; b++) {
		uint8_t bits = 0;
		for (uint32_t r = b * 8; r < b * 8 + 8 && r < rows; r++) bits |= (x[r] == x[r]) << (r & 7);
		v[b] = bits & present(c, b);
	}
}

/* add_pair adds an input of numbers and the float64 output that belongs to it, named as the input when to is empty. Both have the
 * same index when only this adds columns. */
WEIR_INLINE int add_pair(text name, text to) {
	return add_input(name, WEIR_FLOAT64, ANY_NUMBER) >= 0 && add_output(to.n ? to : name, WEIR_FLOAT64, 0) >= 0;
}

#endif
