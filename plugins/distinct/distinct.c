/* distinct estimates how many different values each sample holds: HyperLogLog with 4,096 registers. */
#include "metric.h"
#include <math.h>

DESCRIBE({
	"name": "distinct", "version": "1.0.0", "summary": "Estimated number of different values of each column (HyperLogLog).", "worlds": ["metric"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1},
			"edges": {"type": "array", "items": {"type": "number"}, "description": "not used: a Monitor gives them to every metric"}}}}}}
})

static const uint32_t tag = 0x01747364; /* "dst", 1 */

enum { BITS = 12, REGISTERS = 1 << BITS, DEEPEST = 64 - BITS + 1 };
typedef struct { uint8_t at[REGISTERS]; uint64_t rows, null; } registers;
typedef struct { registers *side[2]; } pair;
static pair *pairs;

static int read_edges(weir_json *r) { weir_json_skip(r); return 1; }

static int read_column(weir_json *r) {
	text name;
	if (!GROW(pairs, column_count)) return 0;
	for (int side = 0; side < 2; side++)
		if (!(pairs[column_count].side[side] = new_memory(1, sizeof(registers)))) return 0;
	return read_object(r, FIELDS({"name", TEXT, &name, 1}, {"edges", ANY, .read = read_edges}), 0) && add_column(name, ALL_TYPES & ~TYPE(WEIR_FLOAT_VECTOR));
}
static int setup(weir_json *r) { return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0); }

/* mix is the finaliser of MurmurHash3 (Appleby, public domain), with the multipliers of Stafford's variant 13. */
WEIR_INLINE uint64_t mix(uint64_t h) {
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	return h ^ h >> 31;
}

static void count(registers *g, uint64_t h) {
	uint32_t i = (uint32_t)(h >> (64 - BITS));
	uint64_t rest = h << BITS;
	uint8_t depth = rest ? (uint8_t)(__builtin_clzll(rest) + 1) : DEEPEST;
	if (depth > g->at[i]) g->at[i] = depth;
}

/* Numbers are the same value whatever their type: integers that a double holds exactly hash as that double. */
static uint64_t hash_number(double v) {
	uint64_t u;
	v += 0.0; /* -0 is 0 */
	__builtin_memcpy(&u, &v, 8);
	return mix(u);
}
static uint64_t hash_integer(int64_t v) { return v == (int64_t)(double)v && v != INT64_MAX ? hash_number((double)v) : mix((uint64_t)v); }

static int update(uint32_t i, int side, const weir_column *c, uint32_t rows) {
	registers *g = pairs[i].side[side];
	g->rows += rows;
	for (uint32_t r = 0; r < rows; r++) {
		if (weir_is_null(c, r)) { g->null++; continue; }
		switch (c->type) {
		case WEIR_FLOAT64: case WEIR_FLOAT32: {
			double v = c->type == WEIR_FLOAT64 ? ((const double *)c->values)[r] : ((const float *)c->values)[r];
			if (v != v) { g->null++; continue; }
			count(g, hash_number(v));
			break;
		}
		case WEIR_INT64: case WEIR_TIMESTAMP: count(g, hash_integer(((const int64_t *)c->values)[r])); break;
		case WEIR_INT32: count(g, hash_integer(((const int32_t *)c->values)[r])); break;
		case WEIR_BOOL: count(g, hash_integer(((const uint8_t *)c->values)[r >> 3] >> (r & 7) & 1)); break;
		default: {
			uint64_t h = 0xcbf29ce484222325u; /* FNV-1a 64, then mixed: FNV's high bits are weak */
			const uint8_t *p = (const uint8_t *)c->values + c->offsets[r], *end = (const uint8_t *)c->values + c->offsets[r + 1];
			for (; p < end; p++) h = (h ^ *p) * 0x100000001b3u;
			count(g, mix(h));
		}
		}
	}
	return 1;
}

static int save(uint32_t i, int side, weir_text *t) {
	const registers *g = pairs[i].side[side];
	put_count(t, g->rows);
	put_count(t, g->null);
	weir_add(t, (const char *)g->at, REGISTERS);
	return 1;
}

static int load(uint32_t i, int side, state_reader *r) {
	registers *g = pairs[i].side[side];
	uint64_t rows = get_count(r), null = get_count(r);
	if (r->end - r->at < REGISTERS || null > rows) return r->wrong = 1;
	for (uint32_t k = 0; k < REGISTERS; k++) {
		uint8_t v = r->at[k];
		if (v > DEEPEST) return r->wrong = 1;
		if (v > g->at[k]) g->at[k] = v;
	}
	r->at += REGISTERS;
	g->rows += rows;
	g->null += null;
	return 1;
}

static void reset(void) {
	for (uint32_t i = 0; i < column_count; i++)
		for (int side = 0; side < 2; side++) __builtin_memset(pairs[i].side[side], 0, sizeof(registers));
}

/* estimate is Ertl's improved estimator (New cardinality estimation algorithms for HyperLogLog sketches, 2017, algorithm 6): unbiased over the
 * whole range without a table, standard error 1.04/sqrt(registers) = 1.6 %. */
static double estimate(const registers *g) {
	uint32_t n[DEEPEST + 1] = {0};
	for (uint32_t k = 0; k < REGISTERS; k++) n[g->at[k]]++;
	const double m = REGISTERS;
	if (n[0] == REGISTERS) return 0;
	/* tau(1 - n[q+1]/m) */
	double x = 1 - n[DEEPEST] / m, z, y;
	if (x == 0 || x == 1) z = 0;
	else {
		y = 1;
		z = 1 - x;
		for (double before = -1; z != before;) {
			before = z;
			x = sqrt(x);
			y *= 0.5;
			z -= (1 - x) * (1 - x) * y;
		}
		z /= 3;
	}
	z *= m;
	for (int k = DEEPEST - 1; k >= 1; k--) z = 0.5 * (z + n[k]);
	/* m * sigma(n[0]/m) */
	x = n[0] / m;
	y = 1;
	double s = x;
	for (double before = -1; s != before;) {
		before = s;
		x *= x;
		s += x * y;
		y += y;
	}
	z += m * s;
	return m / (2 * 0.69314718055994530942) * m / z;
}

static int score(uint32_t i, weir_text *t) {
	const registers *r = pairs[i].side[0], *c = pairs[i].side[1];
	begin_score(t, i, "distinct", estimate(c), 0);
	member_number(t, "reference", estimate(r));
	member_number(t, "standard_error", 1.04 / 64);
	member_count(t, "reference_rows", r->rows);
	member_count(t, "current_rows", c->rows);
	member_count(t, "reference_missing", r->null);
	member_count(t, "current_missing", c->null);
	end_score(t);
	return 1;
}
