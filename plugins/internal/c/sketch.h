/* sketch.h: a mergeable summary of numbers: how many fell into each bucket, the buckets being all doubles that share sign, exponent
 * and the first SKETCH_BITS bits of the mantissa. A bucket is 2^-SKETCH_BITS of its value wide (relatively), so a value that is taken for its
 * bucket's middle is off by at most 2^-(SKETCH_BITS+1); below 2^-1022 the width is that absolute step. Counting is exact, so summaries merge
 * in any order to the same bits. The idea is that of HdrHistogram and of DDSketch (Masson, Rim, Lee 2019), whose guarantee it shares. */
#ifndef SKETCH_H
#define SKETCH_H

#include "metric.h"

#ifndef SKETCH_BITS
#define SKETCH_BITS 10
#endif

typedef struct { uint32_t key; uint64_t count; } bucket;

typedef struct {
	bucket *at;      /* open addressing; count 0 = free */
	uint32_t room;   /* a power of two, or 0 */
	uint32_t used;
	uint64_t total, missing;
	uint32_t last;   /* where the last value's bucket was */
} sketch;

/* bucket_of maps doubles to keys in their order. -0 is 0. */
WEIR_INLINE uint32_t bucket_of(double v) {
	uint64_t u;
	v += 0.0; /* -0 + 0 = 0 */
	__builtin_memcpy(&u, &v, 8);
	u = u >> 63 ? ~u : u | 1ull << 63;
	return (uint32_t)(u >> (52 - SKETCH_BITS));
}
/* edge is the smallest double of a bucket. */
static double edge(uint64_t key) {
	uint64_t u = key << (52 - SKETCH_BITS);
	u = u >> 63 ? u & ~(1ull << 63) : ~u;
	double v;
	__builtin_memcpy(&v, &u, 8);
	return v;
}
/* middle is what stands for a bucket's values; 0 for that of zero and the smallest subnormals above it. */
static double middle(uint32_t key) {
	double low = edge(key), high = edge((uint64_t)key + 1);
	if (low == 0) return 0;
	if (!(high - high == 0)) return low;
	return low + (high - low) / 2;
}

static int sketch_grow(sketch *s) {
	uint32_t room = s->room ? s->room * 2 : 256;
	bucket *old = s->at, *b = new_memory(room, sizeof *b);
	if (!b) return 0;
	for (uint32_t i = 0; i < s->room; i++)
		if (old[i].count) {
			uint32_t h = old[i].key * 0x9e3779b1u & (room - 1);
			while (b[h].count) h = (h + 1) & (room - 1);
			b[h] = old[i];
		}
	weir_free(old, s->room * sizeof *b);
	s->at = b;
	s->room = room;
	s->last = 0;
	return 1;
}

static int sketch_add(sketch *s, uint32_t key, uint64_t n) {
	if (s->room) {
		if (s->at[s->last].key == key && s->at[s->last].count) { s->at[s->last].count += n; s->total += n; return 1; }
	}
	if (s->used * 2 >= s->room && !sketch_grow(s)) return 0;
	uint32_t h = key * 0x9e3779b1u & (s->room - 1);
	while (s->at[h].count && s->at[h].key != key) h = (h + 1) & (s->room - 1);
	if (!s->at[h].count) { s->at[h].key = key; s->used++; }
	s->at[h].count += n;
	s->total += n;
	s->last = h;
	return 1;
}

static int sketch_update(sketch *s, const weir_column *c, uint32_t rows) {
	for (uint32_t r = 0; r < rows; r++) {
		double v = number_at(c, r);
		if (v != v) { s->missing++; continue; }
		if (!sketch_add(s, bucket_of(v), 1)) return 0;
	}
	return 1;
}

static void sketch_clear(sketch *s) {
	weir_free(s->at, s->room * sizeof *s->at);
	*s = (sketch){0};
}

/* sketch_sorted answers the buckets that hold something in the order of their values; the caller frees used elements. */
static bucket *sketch_sorted(const sketch *s) {
	bucket *b = new_memory(s->used ? s->used : 1, sizeof *b);
	if (!b) return 0;
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->room; i++)
		if (s->at[i].count) b[n++] = s->at[i];
	/* Heap sort: no recursion, no second copy. */
	for (uint32_t i = n / 2, end = n; end > 1 || i > 0;) {
		bucket x;
		if (i > 0) x = b[--i];
		else { x = b[--end]; b[end] = b[0]; }
		uint32_t hole = i;
		for (uint32_t child; (child = hole * 2 + 1) < end; hole = child) {
			if (child + 1 < end && b[child].key < b[child + 1].key) child++;
			if (b[child].key <= x.key) break;
			b[hole] = b[child];
		}
		b[hole] = x;
	}
	return b;
}
WEIR_INLINE void sketch_release(bucket *b, const sketch *s) { weir_free(b, (s->used ? s->used : 1) * sizeof *b); }

static int sketch_save(const sketch *s, weir_text *t) {
	put_count(t, s->missing);
	put_count(t, s->used);
	bucket *b = sketch_sorted(s);
	if (!b) return 0;
	uint32_t before = 0;
	for (uint32_t i = 0; i < s->used; i++) {
		put_count(t, b[i].key - before);
		put_count(t, b[i].count);
		before = b[i].key;
	}
	sketch_release(b, s);
	return 1;
}

static int sketch_load(sketch *s, state_reader *r) {
	s->missing += get_count(r);
	uint64_t n = get_count(r), key = 0;
	for (uint64_t i = 0; i < n && !r->wrong; i++) {
		uint64_t step = get_count(r), count = get_count(r);
		key += step;
		if (r->wrong || (i && !step) || step > 0xffffffffu || key >> (12 + SKETCH_BITS) || !count) return r->wrong = 1;
		if (!sketch_add(s, (uint32_t)key, count)) return 0;
	}
	return 1;
}

/* sketch_quantile answers the value at probability p, 0 to 1: the middle of the bucket that holds the observation of rank
 * p·(n−1), rounded down. NaN without observations. */
static double sketch_quantile(const bucket *b, const sketch *s, double p) {
	if (!s->total) return __builtin_nan("");
	uint64_t rank = (uint64_t)(p * (double)(s->total - 1)), seen = 0;
	for (uint32_t i = 0; i < s->used; i++)
		if ((seen += b[i].count) > rank) return middle(b[i].key);
	return __builtin_nan("");
}

#endif
