/* ks is the two-sample Kolmogorov-Smirnov statistic over mergeable sketches. */
#include "sketch.h"
#include <math.h>

DESCRIBE({
	"name": "ks", "version": "1.0.0", "summary": "Two-sample Kolmogorov-Smirnov distance of each column, from mergeable sketches.", "worlds": ["metric"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1},
			"edges": {"type": "array", "items": {"type": "number"}, "description": "not used: a Monitor gives them to every metric"}}}}}}
})

static const uint32_t tag = 0x0173736b; /* "kss", 1 */

typedef struct { sketch side[2]; } pair;
static pair *pairs;

static int read_edges(weir_json *r) { weir_json_skip(r); return 1; }

static int read_column(weir_json *r) {
	text name;
	if (!GROW(pairs, column_count)) return 0;
	pairs[column_count] = (pair){0};
	return read_object(r, FIELDS({"name", TEXT, &name, 1}, {"edges", ANY, .read = read_edges}), 0) && add_column(name, NUMBER_TYPES | TYPE(WEIR_TIMESTAMP));
}
static int setup(weir_json *r) { return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0); }
static int update(uint32_t i, int side, const weir_column *c, uint32_t rows) { return sketch_update(&pairs[i].side[side], c, rows); }
static int save(uint32_t i, int side, weir_text *t) { return sketch_save(&pairs[i].side[side], t); }
static int load(uint32_t i, int side, state_reader *r) { return sketch_load(&pairs[i].side[side], r); }
static void reset(void) {
	for (uint32_t i = 0; i < column_count; i++) sketch_clear(&pairs[i].side[0]), sketch_clear(&pairs[i].side[1]);
}

/* survival is the Kolmogorov distribution's 1 - K(x): the limit law of the statistic times the root of the effective sample size. For small
 * x by the transformed series, which converges there. */
static double survival(double x) {
	if (x <= 0) return 1;
	double s = 0;
	if (x < 1.18) {
		const double pi = 3.14159265358979323846, y = exp(-pi * pi / (8 * x * x)), y8 = pow(y, 8);
		s = sqrt(2 * pi) / x * y * (1 + y8 * (1 + y8 * y8 * (1 + y8 * y8 * y8)));
		return s > 1 ? 0 : 1 - s;
	}
	const double y = exp(-2 * x * x);
	s = 2 * (y - pow(y, 4) + pow(y, 9) - pow(y, 16));
	return s < 0 ? 0 : s;
}

static int score(uint32_t i, weir_text *t) {
	const sketch *r = &pairs[i].side[0], *c = &pairs[i].side[1];
	int empty = !r->total || !c->total;
	double distance = __builtin_nan(""), heaviest = 0;
	if (!empty) {
		bucket *a = sketch_sorted(r), *b = sketch_sorted(c);
		if (!a || !b) return 0;
		uint64_t seen_a = 0, seen_b = 0;
		const double n = (double)r->total, m = (double)c->total;
		distance = 0;
		for (uint32_t x = 0, y = 0; x < r->used || y < c->used;) {
			uint32_t key = x < r->used && (y == c->used || a[x].key <= b[y].key) ? a[x].key : b[y].key;
			double mass = 0;
			if (x < r->used && a[x].key == key) { mass = (double)a[x].count / n; seen_a += a[x++].count; }
			if (y < c->used && b[y].key == key) {
				double other = (double)b[y].count / m;
				mass = mass > other ? mass : other;
				seen_b += b[y++].count;
			}
			double d = fabs((double)seen_a / n - (double)seen_b / m);
			if (d > distance) distance = d;
			if (mass > heaviest) heaviest = mass;
		}
		sketch_release(a, r);
		sketch_release(b, c);
	}
	begin_score(t, i, "ks", distance, empty ? "a side holds no number" : 0);
	if (!empty) {
		/* Stephens 1970: the limit law is good from a few observations on with this argument. */
		double en = sqrt((double)r->total * (double)c->total / ((double)r->total + (double)c->total));
		member_number(t, "p_value", survival((en + 0.12 + 0.11 / en) * distance));
		member_number(t, "error_bound", heaviest);
	}
	member_count(t, "reference_count", r->total);
	member_count(t, "current_count", c->total);
	member_count(t, "reference_missing", r->missing);
	member_count(t, "current_missing", c->missing);
	end_score(t);
	return 1;
}
