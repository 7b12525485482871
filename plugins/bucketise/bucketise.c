/* bucketise answers in which interval between given edges a number lies, as numpy.digitize and scikit-learn's KBinsDiscretizer do. */
#include "numeric.h"

DESCRIBE({
	"name": "bucketise", "version": "1.0.0", "summary": "The interval between given edges that a number lies in.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "edges"], "properties": {
			"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
			"edges": {"type": "array", "minItems": 1, "maxItems": 4095, "items": {"type": "number"}}}}},
		"right": {"type": "boolean"},
		"encode": {"enum": ["ordinal", "onehot"]}}}
})

enum { MAX_EDGES = 4095, FEW = 24 };

typedef struct { text to; numbers edges; } spec;

static spec *specs;
static int right, onehot;
static int64_t *bucket; /* of 8,192 rows, for onehot */

static int read_column(weir_json *r) {
	text name;
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"output", TEXT, &s->to}, {"edges", NUMBERS, &s->edges, 1}), 0)) return 0;
	if (!s->to.n) s->to = name;
	if (s->edges.count > MAX_EDGES) return wrong("\"edges\" has more than %u numbers", (uint32_t)MAX_EDGES);
	if (!ascends(&s->edges, 1)) return wrong("\"edges\" must ascend");
	return add_input(name, WEIR_FLOAT64, ANY_NUMBER) >= 0;
}

static int setup(weir_json *r) {
	if (!read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"right", FLAG, &right}, {"encode", CHOICE, &onehot, .choices = "ordinal\0onehot\0"}), 0)) return 0;
	for (uint32_t i = 0; i < input_count; i++) {
		spec *s = &specs[i];
		if (!onehot) {
			if (add_output(s->to, WEIR_INT64, 0) < 0) return 0;
			continue;
		}
		for (uint32_t b = 0; b <= s->edges.count; b++)
			if (add_output(numbered(s->to, "=", b), WEIR_FLOAT64, 0) < 0) return 0;
	}
	if (onehot && !(bucket = weir_alloc(WEIR_MAX_ROWS * 8))) return weir_out_of_memory();
	return 1;
}

/* digitise writes for each row the number of edges at or below it (right: below it). What it writes for NaN is anything up to their number. */
static void digitise(const numbers *edges, const double *restrict x, int64_t *restrict y, uint32_t rows) {
	if (edges->count <= FEW) {
		/* Edge after edge over all rows: comparisons and additions that SIMD does two at a time. */
		for (uint32_t r = 0; r < rows; r++) y[r] = 0;
		for (uint32_t e = 0; e < edges->count; e++) {
			double at = edges->at[e];
			if (right) for (uint32_t r = 0; r < rows; r++) y[r] += x[r] > at;
			else for (uint32_t r = 0; r < rows; r++) y[r] += x[r] >= at;
		}
		return;
	}
	for (uint32_t r = 0; r < rows; r++) {
		uint32_t low = 0, n = edges->count;
		while (n) {
			uint32_t half = n / 2;
			double at = edges->at[low + half];
			int above = right ? x[r] > at : x[r] >= at;
			low = above ? low + half + 1 : low;
			n = above ? n - half - 1 : half;
		}
		y[r] = low;
	}
}

static int run(uint32_t rows) {
	for (uint32_t i = 0, o = 0; i < input_count; i++) {
		const double *x = doubles(i, 0, rows);
		if (!x) return 0;
		if (!onehot) {
			digitise(&specs[i].edges, x, values(i), rows);
			null_where_nan(i, &in[i], x, rows);
			continue;
		}
		digitise(&specs[i].edges, x, bucket, rows);
		uint32_t n = specs[i].edges.count + 1;
		for (uint32_t b = 0; b < n; b++) __builtin_memset(values(o + b), 0, rows * 8);
		for (uint32_t r = 0; r < rows; r++)
			if (!weir_is_null(&in[i], r) && x[r] == x[r]) ((double *)values(o + bucket[r]))[r] = 1;
		o += n;
	}
	return 1;
}
