/* PLUGIN_NAME multiplies a column by a factor.
 *
 * Where to begin: weir_init reads the parameters, weir_transform does the work, vectors.json says what must come out.
 * sdk/weir.h and sdk/weir_json.h have all there is to call. */
#include "weir_json.h"

static const char description[] =
	"{\"name\":\"PLUGIN_NAME\",\"version\":\"0.1.0\",\"summary\":\"Multiplies a column by a factor.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"column\",\"factor\"],\"properties\":{"
	"\"column\":{\"type\":\"string\",\"minLength\":1},\"factor\":{\"type\":\"number\"}}}}";

static const char *name; /* of the column; not NUL-terminated */
static uint32_t name_len;
static double factor;
static weir_text schema;

static double y[WEIR_MAX_ROWS];
static weir_column column;
static weir_batch out = {.magic = WEIR_MAGIC, .version = WEIR_ABI, .columns = 1, .column = &column};

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

/* The parameters are read strictly: a misspelt one must not pass unnoticed. Answers 0 when they are good. */
int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	int have = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "column", 6)) name = weir_json_string(&r, &name_len), have |= 1;
		else if (weir_same(key, n, "factor", 6)) factor = weir_json_number(&r), have |= 2;
		else return r.problem ? 1 : (weir_fail("parameters: unknown key %S", key, n), 1);
	}
	if (!weir_json_end(&r)) return 1;
	if (have != 3) return weir_fail("parameters: \"%s\" is missing", have & 1 ? "factor" : "column"), 1;

	for (int side = 0; side < 2; side++) {
		weir_adds(&schema, side ? "],\"outputs\":[{\"name\":" : "{\"inputs\":[{\"name\":");
		weir_addq(&schema, name, name_len);
		weir_adds(&schema, ",\"type\":\"float64\"}");
	}
	weir_adds(&schema, "]}");
	return schema.full ? weir_out_of_memory(), 1 : 0;
}

/* At most WEIR_MAX_ROWS rows come in one call, and as many must go out. A 0 says that weir_fail has set the error. */
const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	const weir_column *c = 0;
	for (uint32_t i = 0; i < in->columns && !c; i++)
		if (weir_same(in->column[i].name, in->column[i].name_len, name, name_len)) c = &in->column[i];
	if (!c) return weir_fail("input column %S is missing", name, name_len), (weir_batch *)0;
	if (c->type != WEIR_FLOAT64) return weir_fail("input column %S must be float64", name, name_len), (weir_batch *)0;

	const double *x = c->values;
	for (uint32_t i = 0; i < in->rows; i++) {
		double v = x[i] * factor;
		y[i] = v == v ? v : __builtin_nan(""); /* one NaN, so that answers are the same bits everywhere */
	}
	/* Nulls stay null: the output shares the input's validity. */
	column = (weir_column){.type = WEIR_FLOAT64, .name = name, .name_len = name_len, .validity = c->validity, .values = y, .bytes = in->rows * 8};
	out.rows = in->rows;
	return &out;
}
