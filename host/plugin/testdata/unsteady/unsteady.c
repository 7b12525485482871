/* unsteady breaks, in the way that its parameter names, one promise that good plugins keep; plugintest's own tests look whether
 * that is noticed. {"fault":""} breaks none: x + 1, and a metric that counts the rows of each side. */
#include "weir_json.h"

static const char description[] =
	"{\"name\":\"unsteady\",\"version\":\"1.0.0\",\"worlds\":[\"transform\",\"metric\",\"gate\",\"handler\"],\"parameters\":{\"type\":\"object\"}}";
static const char schema[] = "{\"inputs\":[{\"name\":\"x\",\"type\":\"float64\"}],\"outputs\":[{\"name\":\"y\",\"type\":\"float64\"}]}";

enum { NONE, CHUNK, FIRST, SINGLE, EMPTY, COUNTER, ORDER, SPLIT, LOOK, FLOAT };
static int fault;
static double y[WEIR_MAX_ROWS];
static weir_column column = {.type = WEIR_FLOAT64, .name = "y", .name_len = 1, .values = y};
static weir_batch out = {.magic = WEIR_MAGIC, .version = WEIR_ABI, .columns = 1, .column = &column};
static uint32_t calls;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	static const char *const names[] = {"", "chunk", "first", "single", "empty", "counter", "order", "split", "look", "float"};
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		const char *text = weir_json_string(&r, &n);
		for (fault = FLOAT; fault > NONE && !weir_same(text, n, names[fault], weir_strlen(names[fault])); fault--) {}
	}
	return !weir_json_end(&r);
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	if (in->columns != 1) return (weir_batch *)(uintptr_t)weir_fail("one column is expected");
	const double *x = in->column->values;
	calls++;
	column.validity = in->column->validity;
	column.bytes = in->rows * 8;
	for (uint32_t i = 0; i < in->rows; i++) {
		double plus = 1;
		if (fault == CHUNK) plus = in->rows > 8191 ? 2 : 1;
		if (fault == FIRST) plus = i == 0 && in->rows % 7 == 0 ? 2 : 1;
		if (fault == SINGLE) plus = in->rows == 1 ? 2 : 1;
		if (fault == COUNTER) plus = calls;
		y[i] = x[i] + plus;
	}
	out.rows = in->rows;
	if (fault == EMPTY && in->rows == 0) return (weir_batch *)(uintptr_t)weir_fail("no rows");
	return &out;
}

/* The summary: rows of each side, the number of updates, and a sum that floats. */
static struct { uint64_t rows[2], updates; double sum; } state;
static weir_text doc;

int32_t WEIR_EXPORT(weir_metric_reset)(void) { __builtin_memset(&state, 0, sizeof state); return 0; }

int32_t WEIR_EXPORT(weir_metric_update)(uint32_t side, const weir_batch *in) {
	const double *x = in->column->values;
	state.rows[side & 1] += in->rows;
	if (fault == SPLIT) state.updates++;
	if (fault == FLOAT) for (uint32_t i = 0; i < in->rows; i++) state.sum += x[i];
	return 0;
}

uint64_t WEIR_EXPORT(weir_metric_state)(void) { return weir_pack(&state, sizeof state); }

int32_t WEIR_EXPORT(weir_metric_merge)(const void *p, uint32_t len) {
	typeof(state) other;
	if (len != sizeof other) return weir_fail("a state has %u bytes", (uint32_t)sizeof other), 1;
	__builtin_memcpy(&other, p, len);
	if (fault == ORDER) state.rows[0] = other.rows[0] > state.rows[0] ? other.rows[0] : state.rows[0];
	else state.rows[0] += other.rows[0];
	state.rows[1] += other.rows[1];
	state.updates += other.updates;
	state.sum += other.sum;
	return 0;
}

uint64_t WEIR_EXPORT(weir_metric_finish)(void) {
	doc.len = 0;
	if (fault == LOOK) state.rows[1]++;
	weir_adds(&doc, "[{\"name\":\"rows\",\"value\":");
	weir_addu(&doc, (uint32_t)state.rows[0]);
	weir_adds(&doc, ",\"detail\":{\"current\":");
	weir_addu(&doc, (uint32_t)state.rows[1]);
	weir_adds(&doc, ",\"each\":[1,{\"a\":true}]}},{\"column\":\"x\",\"name\":\"none\",\"value\":null,\"note\":\"never\"}]");
	return weir_pack(doc.p, doc.len);
}

uint64_t WEIR_EXPORT(weir_gate)(const char *context, uint32_t len) {
	if (len < 3) return weir_fail("the context is empty");
	doc.len = 0;
	weir_adds(&doc, "{\"outcome\":\"pass\",\"reasons\":[\"asked ");
	weir_addu(&doc, fault == COUNTER ? ++calls : 1);
	weir_adds(&doc, " time(s)\"],\"evidence\":{\"accuracy\":0.5}}");
	return weir_pack(doc.p, doc.len);
}

uint64_t WEIR_EXPORT(weir_handle)(const char *request, uint32_t len) {
	doc.len = 0;
	weir_adds(&doc, "{\"status\":201,\"headers\":{\"X-Kind\":[\"plain\"]},\"body\":\"aGk=\"}");
	return weir_pack(doc.p, doc.len);
}
