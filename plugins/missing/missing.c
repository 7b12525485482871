/* missing is the share of rows without a value. */
#include "metric.h"

DESCRIBE({
	"name": "missing", "version": "1.0.0", "summary": "Share of rows without a value: nulls, NaN and infinities, each counted apart.", "worlds": ["metric"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1},
			"edges": {"type": "array", "items": {"type": "number"}, "description": "not used: a Monitor gives them to every metric"}}}},
		"empty_text": {"type": "boolean", "description": "count texts of no length as missing"}}}
})

static const uint32_t tag = 0x0173696d; /* "mis", 1 */

typedef struct { uint64_t rows, null, nan, infinite, empty; } counts;
typedef struct { counts side[2]; } pair;
static pair *pairs;
static int empty_text;

static int read_edges(weir_json *r) { weir_json_skip(r); return 1; }

static int read_column(weir_json *r) {
	text name;
	if (!GROW(pairs, column_count)) return 0;
	pairs[column_count] = (pair){0};
	return read_object(r, FIELDS({"name", TEXT, &name, 1}, {"edges", ANY, .read = read_edges}), 0) && add_column(name, ALL_TYPES);
}
static int setup(weir_json *r) {
	if (!read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"empty_text", FLAG, &empty_text}), 0)) return 0;
	uint8_t option = (uint8_t)empty_text;
	fix(&option, 1);
	return 1;
}

static int update(uint32_t i, int side, const weir_column *c, uint32_t rows) {
	counts *n = &pairs[i].side[side];
	n->rows += rows;
	for (uint32_t r = 0; r < rows; r++) {
		if (weir_is_null(c, r)) { n->null++; continue; }
		switch (c->type) {
		case WEIR_FLOAT64: { double v = ((const double *)c->values)[r]; if (v != v) n->nan++; else if (v - v != 0) n->infinite++; break; }
		case WEIR_FLOAT32: { float v = ((const float *)c->values)[r]; if (v != v) n->nan++; else if (v - v != 0) n->infinite++; break; }
		case WEIR_UTF8: case WEIR_BINARY: n->empty += c->offsets[r] == c->offsets[r + 1]; break;
		default: break;
		}
	}
	return 1;
}

static int save(uint32_t i, int side, weir_text *t) {
	const counts *n = &pairs[i].side[side];
	put_count(t, n->rows);
	put_count(t, n->null);
	put_count(t, n->nan);
	put_count(t, n->infinite);
	put_count(t, n->empty);
	return 1;
}

static int load(uint32_t i, int side, state_reader *r) {
	counts *n = &pairs[i].side[side], got;
	got.rows = get_count(r);
	got.null = get_count(r);
	got.nan = get_count(r);
	got.infinite = get_count(r);
	got.empty = get_count(r);
	if (got.null > got.rows || got.nan + got.infinite + got.empty > got.rows - got.null) return r->wrong = 1;
	n->rows += got.rows;
	n->null += got.null;
	n->nan += got.nan;
	n->infinite += got.infinite;
	n->empty += got.empty;
	return 1;
}

static void reset(void) {
	for (uint32_t i = 0; i < column_count; i++) pairs[i] = (pair){0};
}

static double share(const counts *n) {
	return n->rows ? (double)(n->null + n->nan + n->infinite + (empty_text ? n->empty : 0)) / (double)n->rows : __builtin_nan("");
}

static int score(uint32_t i, weir_text *t) {
	const counts *r = &pairs[i].side[0], *c = &pairs[i].side[1];
	begin_score(t, i, "missing", share(c), c->rows ? 0 : "the current sample has no row");
	member_number(t, "reference_share", share(r));
	static const char *const keys[2][5] = {
		{"reference_rows", "reference_null", "reference_nan", "reference_infinite", "reference_empty"},
		{"current_rows", "current_null", "current_nan", "current_infinite", "current_empty"},
	};
	for (int side = 0; side < 2; side++) {
		const counts *n = side ? c : r;
		const uint64_t v[5] = {n->rows, n->null, n->nan, n->infinite, n->empty};
		for (int k = 0; k < 5; k++) member_count(t, keys[side][k], v[k]);
	}
	end_score(t);
	return 1;
}
