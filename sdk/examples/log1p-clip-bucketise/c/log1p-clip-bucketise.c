/* log1p-clip-bucketise clips a column to [low, high] and answers the logarithm of 1 + the clipped value, the clipped value, and the number of
 * edges that are not above it, which is null for NaN. The first two loops have no branches: clang makes SIMD of them. */
#include "weir_json.h"
#include "weir_math.h"

static const char description[] =
	"{\"name\":\"log1p-clip-bucketise\",\"version\":\"1.0.0\",\"summary\":\"Clips a column, and gives its log1p and its bucket.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"column\",\"low\",\"high\",\"edges\"],\"properties\":{"
	"\"column\":{\"type\":\"string\",\"minLength\":1},\"low\":{\"type\":\"number\",\"exclusiveMinimum\":-1},\"high\":{\"type\":\"number\"},"
	"\"edges\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":{\"type\":\"number\"}}}}}";

enum { MAX_EDGES = 1000 };

static const char *column;
static uint32_t column_len, edge_count;
static double low, high, edges[MAX_EDGES];
static weir_text names[3], schema;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

static const struct { const char *suffix; uint8_t type; } outputs[3] = {{"_log1p", WEIR_FLOAT64}, {"_clip", WEIR_FLOAT64}, {"_bucket", WEIR_INT64}};

static int read_edges(weir_json *r) {
	edge_count = 0;
	weir_json_open(r, '[');
	while (weir_json_next(r)) {
		if (edge_count == MAX_EDGES) return weir_fail("parameters: more than %u edges", (uint32_t)MAX_EDGES);
		edges[edge_count++] = weir_json_number(r);
	}
	for (uint32_t i = 1; i < edge_count; i++)
		if (edges[i] <= edges[i - 1]) return weir_fail("parameters: edges: number %u does not ascend", i);
	return 1;
}

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n, have = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "column", 6)) column = weir_json_string(&r, &column_len);
		else if (weir_same(key, n, "low", 3)) low = weir_json_number(&r), have |= 1;
		else if (weir_same(key, n, "high", 4)) high = weir_json_number(&r), have |= 2;
		else if (weir_same(key, n, "edges", 5)) { if (!read_edges(&r)) return 1; }
		else weir_json_unknown(&r, key, n);
	}
	if (!weir_json_end(&r)) return 1;
	if (!column_len || have != 3 || !edge_count) return weir_fail("parameters: \"column\", \"low\", \"high\" and \"edges\" are needed"), 1;
	if (low <= -1 || low > high) return weir_fail("parameters: low must be above -1, and not above high"), 1;
	weir_adds(&schema, "{\"inputs\":[");
	weir_add_field(&schema, column, column_len, WEIR_FLOAT64);
	weir_adds(&schema, "],\"outputs\":[");
	for (int i = 0; i < 3; i++) {
		weir_add(&names[i], column, column_len);
		weir_adds(&names[i], outputs[i].suffix);
		weir_add_field(&schema, names[i].p, names[i].len, outputs[i].type);
	}
	weir_adds(&schema, "]}");
	return schema.full || names[2].full ? weir_out_of_memory(), 1 : 0;
}

static inline double clip(double x, double lo, double hi) {
	double c = x < lo ? lo : x > hi ? hi : x;
	return c == c ? c : WEIR_NAN;
}

/* bucket is the number of edges <= c; for NaN it is 0. */
static int64_t bucket(double c) {
	if (edge_count <= 16) { /* few edges are counted sooner than searched */
		int64_t n = 0;
		for (uint32_t i = 0; i < edge_count; i++) n += edges[i] <= c;
		return n;
	}
	uint32_t from = 0, to = edge_count;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (edges[middle] <= c) from = middle + 1;
		else to = middle;
	}
	return from;
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	static weir_batch out;
	static weir_column columns[3];
	static weir_buffer buffer;
	const weir_column *c = weir_find(in, column, column_len, WEIR_FLOAT64);
	uint32_t rows = in->rows, bytes = rows * 8, bitmap = (rows + 7) / 8;
	char *room = c ? weir_room(&buffer, bytes * 3 + bitmap) : 0;
	if (!room) return 0;
	const double *restrict x = c->values;
	double *restrict logarithm = (double *)room, *restrict clipped = logarithm + rows, lo = low, hi = high;
	int64_t *buckets = (int64_t *)(clipped + rows);
	uint8_t *valid = (uint8_t *)(buckets + rows);
	for (uint32_t r = 0; r < rows; r++) clipped[r] = clip(x[r], lo, hi);
	for (uint32_t r = 0; r < rows; r++) logarithm[r] = weir_log1p(clipped[r]);
	for (uint32_t r = 0; r < rows; r++) buckets[r] = bucket(clipped[r]);
	/* A bucket has no NaN: its validity is the column's, less the rows that are NaN. */
	for (uint32_t i = 0; i < bitmap; i++) valid[i] = c->validity ? c->validity[i] : 0xff;
	for (uint32_t r = 0; r < rows; r++) valid[r >> 3] &= ~((clipped[r] != clipped[r]) << (r & 7));
	const void *values[3] = {logarithm, clipped, buckets};
	for (int i = 0; i < 3; i++)
		columns[i] = (weir_column){.type = outputs[i].type, .name = names[i].p, .name_len = names[i].len, .validity = i == 2 ? valid : c->validity,
			.values = values[i], .bytes = bytes};
	out = (weir_batch){.magic = WEIR_MAGIC, .version = WEIR_ABI, .rows = rows, .columns = 3, .column = columns};
	return &out;
}

const void *WEIR_EXPORT(weir_row)(const uint64_t *in) {
	static struct { uint64_t valid; weir_cell cell[3]; } out;
	double c = clip(weir_row_cells(in, 1)->f64, low, high);
	out.valid = !weir_row_has(in, 0) ? 0 : c == c ? 7 : 3;
	out.cell[0].f64 = weir_log1p(c);
	out.cell[1].f64 = c;
	out.cell[2].i64 = bucket(c);
	return &out;
}
