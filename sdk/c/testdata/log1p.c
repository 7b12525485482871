/* log1p is a guest of c_test.go: weir_log1p of a float64 column, whatever it holds, in a loop that clang makes SIMD of; and of single rows, in scalars. */
#include "weir_json.h"
#include "weir_math.h"

static const char description[] = "{\"name\":\"log1p\",\"version\":\"1\",\"worlds\":[\"transform\"]}";
static const char schema[] = "{\"inputs\":[{\"name\":\"x\",\"type\":\"float64\"}],\"outputs\":[{\"name\":\"x\",\"type\":\"float64\"}]}";

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	weir_json_skip(&r);
	return !weir_json_end_as(&r, "the document");
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	static weir_buffer buffer;
	static weir_column column;
	static weir_batch out;
	const weir_column *c = weir_find(in, "x", 1, WEIR_FLOAT64);
	double *restrict y = c ? weir_room(&buffer, in->rows * 8) : 0;
	if (!y) return 0;
	const double *restrict x = c->values;
	for (uint32_t r = 0; r < in->rows; r++) y[r] = weir_log1p(x[r]);
	column = *c;
	column.values = y;
	out = *in;
	out.columns = 1;
	out.column = &column;
	return &out;
}

const void *WEIR_EXPORT(weir_row)(const uint64_t *in) {
	static struct { uint64_t valid; weir_cell x; } out;
	out.valid = weir_row_has(in, 0);
	out.x.f64 = weir_log1p(weir_row_cells(in, 1)->f64);
	return &out;
}
