/* cells.h: rows of many numbers, most of them 0: feature hashing, norms, and the output as one float_vector or as float64 columns. */
#ifndef CELLS_H
#define CELLS_H

#include "transform.h"

static double *cells;       /* of one row */
static uint32_t cell_count;
static int as_columns;

enum { NONE, L1, L2 }; /* norms: "none\0l1\0l2\0" */

/* add_cells adds the outputs of n cells: one vector of that name, or columns <name>_<i>. */
static int add_cells(text name, uint32_t n, int columns) {
	cell_count = n;
	as_columns = columns;
	if (columns && n > MAX_COLUMNS) return wrong("%u columns are more than %u: make a float_vector of them", n, (uint32_t)MAX_COLUMNS);
	if (!(cells = zeroed(n * sizeof *cells))) return weir_out_of_memory();
	if (!columns) return add_output(name, WEIR_FLOAT_VECTOR, n) >= 0;
	for (uint32_t i = 0; i < n; i++)
		if (add_output(numbered(name, "_", i), WEIR_FLOAT64, 0) < 0) return 0;
	return 1;
}

/* normalise divides by the norm, which is summed in the order of the cells, as scikit-learn does. A row of zeros stays. */
WEIR_INLINE void normalise(int norm) {
	double sum = 0;
	if (norm == NONE) return;
	for (uint32_t i = 0; i < cell_count; i++) sum += norm == L1 ? __builtin_fabs(cells[i]) : cells[i] * cells[i];
	if (sum == 0) return;
	if (norm == L2) sum = __builtin_sqrt(sum);
	for (uint32_t i = 0; i < cell_count; i++) cells[i] /= sum;
}

/* store writes the cells to row r of the outputs and makes them 0 for the next row. */
static void store(uint32_t r) {
	if (as_columns)
		for (uint32_t i = 0; i < cell_count; i++) ((double *)values(i))[r] = cells[i] == cells[i] ? cells[i] : __builtin_nan("");
	else {
		float *restrict y = (float *)values(0) + (uint64_t)r * cell_count;
		for (uint32_t i = 0; i < cell_count; i++) {
			float v = (float)cells[i];
			y[i] = v == v ? v : __builtin_nanf("");
		}
	}
	__builtin_memset(cells, 0, cell_count * sizeof *cells);
}

/* murmur3 is MurmurHash3_x86_32 (Austin Appleby) with seed 0. */
static uint32_t murmur3(text t) {
	uint32_t h = 0, k, i = 0;
	const uint32_t c1 = 0xcc9e2d51, c2 = 0x1b873593;
	for (; i + 4 <= t.n; i += 4) {
		__builtin_memcpy(&k, t.p + i, 4);
		k *= c1;
		k = k << 15 | k >> 17;
		h ^= k * c2;
		h = (h << 13 | h >> 19) * 5 + 0xe6546b64;
	}
	k = 0;
	for (uint32_t j = t.n; j > i; j--) k = k << 8 | (unsigned char)t.p[j - 1];
	k *= c1;
	k = k << 15 | k >> 17;
	h ^= k * c2;
	h ^= t.n;
	h = (h ^ h >> 16) * 0x85ebca6b;
	h = (h ^ h >> 13) * 0xc2b2ae35;
	return h ^ h >> 16;
}

/* cell_of answers the cell of a hash as scikit-learn's FeatureHasher: the hash is a signed number, its sign is that of what is added. */
WEIR_INLINE uint32_t cell_of(uint32_t hash, int *sign) {
	int32_t h = (int32_t)hash;
	*sign = h >= 0 ? 1 : -1;
	if (h == INT32_MIN) return (2147483647u - (cell_count - 1)) % cell_count;
	return (uint32_t)(h < 0 ? -h : h) % cell_count;
}

#endif
