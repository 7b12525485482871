/* quantiles estimates quantiles of both samples, and the Wasserstein distance between them, from mergeable sketches. */
#define SKETCH_BITS 9
#include "sketch.h"
#include <math.h>

DESCRIBE({
	"name": "quantiles", "version": "1.0.0", "summary": "Quantiles of each column, and the distance between the samples, from mergeable sketches.", "worlds": ["metric"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1},
			"edges": {"type": "array", "items": {"type": "number"}, "description": "not used: a Monitor gives them to every metric"}}}},
		"probabilities": {"type": "array", "minItems": 1, "maxItems": 99, "items": {"type": "number", "minimum": 0, "maximum": 1}}}}
})

static const uint32_t tag = 0x01746e71; /* "qnt", 1 */

typedef struct { sketch side[2]; } pair;
static pair *pairs;
static numbers probabilities;
static const double usual[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

static int read_edges(weir_json *r) { weir_json_skip(r); return 1; }

static int read_column(weir_json *r) {
	text name;
	if (!GROW(pairs, column_count)) return 0;
	pairs[column_count] = (pair){0};
	return read_object(r, FIELDS({"name", TEXT, &name, 1}, {"edges", ANY, .read = read_edges}), 0) && add_column(name, NUMBER_TYPES | TYPE(WEIR_TIMESTAMP));
}

static int setup(weir_json *r) {
	if (!read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"probabilities", NUMBERS, &probabilities}), 0)) return 0;
	if (!probabilities.count) probabilities = (numbers){(double *)usual, sizeof usual / sizeof *usual};
	if (probabilities.count > 99) return wrong("\"probabilities\" has more than 99 elements");
	for (uint32_t i = 0; i < probabilities.count; i++)
		if (!(probabilities.at[i] >= 0 && probabilities.at[i] <= 1)) return wrong("\"probabilities\" must lie between 0 and 1");
	return 1;
}

static int update(uint32_t i, int side, const weir_column *c, uint32_t rows) { return sketch_update(&pairs[i].side[side], c, rows); }
static int save(uint32_t i, int side, weir_text *t) { return sketch_save(&pairs[i].side[side], t); }
static int load(uint32_t i, int side, state_reader *r) { return sketch_load(&pairs[i].side[side], r); }
static void reset(void) {
	for (uint32_t i = 0; i < column_count; i++) sketch_clear(&pairs[i].side[0]), sketch_clear(&pairs[i].side[1]);
}

static void list(weir_text *t, const char *key, const bucket *b, const sketch *s) {
	member(t, key);
	weir_adds(t, "[");
	for (uint32_t k = 0; k < probabilities.count; k++) {
		if (k) weir_adds(t, ",");
		weir_add_number(t, b ? sketch_quantile(b, s, probabilities.at[k]) : probabilities.at[k]);
	}
	weir_adds(t, "]");
}

/* distance is Wasserstein's first: the area between the distribution functions, every value taken for its bucket's middle. */
static double distance(const bucket *a, const sketch *r, const bucket *b, const sketch *c) {
	double area = 0, before = 0;
	uint64_t seen_a = 0, seen_b = 0;
	int first = 1;
	for (uint32_t x = 0, y = 0; x < r->used || y < c->used;) {
		uint32_t key = x < r->used && (y == c->used || a[x].key <= b[y].key) ? a[x].key : b[y].key;
		double at = middle(key);
		if (!first) area += fabs((double)seen_a / (double)r->total - (double)seen_b / (double)c->total) * (at - before);
		first = 0;
		before = at;
		if (x < r->used && a[x].key == key) seen_a += a[x++].count;
		if (y < c->used && b[y].key == key) seen_b += b[y++].count;
	}
	return area;
}

static int score(uint32_t i, weir_text *t) {
	const sketch *r = &pairs[i].side[0], *c = &pairs[i].side[1];
	bucket *a = sketch_sorted(r), *b = sketch_sorted(c);
	if (!a || !b) return 0;
	int empty = !r->total || !c->total;
	begin_score(t, i, "wasserstein", empty ? __builtin_nan("") : distance(a, r, b, c), empty ? "a side holds no number" : 0);
	list(t, "probabilities", 0, r);
	list(t, "reference", a, r);
	list(t, "current", b, c);
	member_count(t, "reference_count", r->total);
	member_count(t, "current_count", c->total);
	member_count(t, "reference_missing", r->missing);
	member_count(t, "current_missing", c->missing);
	end_score(t);
	sketch_release(a, r);
	sketch_release(b, c);
	return 1;
}
