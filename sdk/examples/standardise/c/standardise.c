/* standardise computes (x - mean) / std of each column that its parameters name. A std of 0 divides by 1; nulls stay null. */
#include "weir_json.h"
#include "weir_math.h"

static const char description[] =
	"{\"name\":\"standardise\",\"version\":\"1.0.0\",\"summary\":\"(x - mean) / std of each column.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"columns\"],\"properties\":{\"columns\":{\"type\":\"array\","
	"\"minItems\":1,\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"mean\",\"std\"],\"properties\":{"
	"\"name\":{\"type\":\"string\",\"minLength\":1},\"mean\":{\"type\":\"number\"},\"std\":{\"type\":\"number\",\"minimum\":0}}}}}}}";

typedef struct {
	const char *name;
	uint32_t len;
	double mean, scale;
} spec;

enum { MAX_COLUMNS = 4096 };

static spec specs[MAX_COLUMNS];
static weir_column columns[MAX_COLUMNS];
static uint32_t count;
static weir_text schema;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

static int read_column(weir_json *r) {
	const char *key;
	uint32_t n, have = 0;
	if (count == MAX_COLUMNS) return weir_fail("parameters: more than %u columns", (uint32_t)MAX_COLUMNS);
	spec *s = &specs[count];
	weir_json_open(r, '{');
	while (weir_json_key(r, &key, &n)) {
		if (weir_same(key, n, "name", 4)) s->name = weir_json_string(r, &s->len), have |= 1;
		else if (weir_same(key, n, "mean", 4)) s->mean = weir_json_number(r), have |= 2;
		else if (weir_same(key, n, "std", 3)) s->scale = weir_json_number(r), have |= 4;
		else weir_json_unknown(r, key, n);
	}
	if (r->problem) return 0;
	if (have != 7 || !s->len) return weir_fail("parameters: column %u needs \"name\", \"mean\" and \"std\"", count);
	if (s->scale < 0) return weir_fail("parameters: columns: %S has a negative std", s->name, s->len);
	if (s->scale == 0) s->scale = 1;
	for (uint32_t i = 0; i < count; i++)
		if (weir_same(s->name, s->len, specs[i].name, specs[i].len)) return weir_fail("parameters: column %S is listed twice", s->name, s->len);
	count++;
	return 1;
}

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (!weir_same(key, n, "columns", 7)) { weir_json_unknown(&r, key, n); continue; }
		weir_json_open(&r, '[');
		while (weir_json_next(&r))
			if (!read_column(&r)) return 1;
	}
	if (!weir_json_end(&r)) return 1;
	if (!count) return weir_fail("parameters: \"columns\" is missing or empty"), 1;
	for (int outputs = 0; outputs < 2; outputs++) {
		weir_adds(&schema, outputs ? "],\"outputs\":[" : "{\"inputs\":[");
		for (uint32_t i = 0; i < count; i++) weir_add_field(&schema, specs[i].name, specs[i].len, WEIR_FLOAT64);
	}
	weir_adds(&schema, "]}");
	return schema.full ? weir_out_of_memory(), 1 : 0;
}

static inline double scaled(double x, const spec *s) {
	double y = (x - s->mean) / s->scale;
	return y == y ? y : WEIR_NAN;
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	static weir_batch out;
	static weir_buffer buffer;
	double *y = weir_room(&buffer, (uint64_t)count * in->rows * 8);
	if (!y) return 0;
	for (uint32_t i = 0; i < in->columns; i++) {
		uint32_t j = 0;
		while (j < count && !weir_same(in->column[i].name, in->column[i].name_len, specs[j].name, specs[j].len)) j++;
		if (j == count) return weir_fail("input column %S is not among the parameters", in->column[i].name, in->column[i].name_len), (weir_batch *)0;
	}
	for (uint32_t i = 0; i < count; i++, y += in->rows) {
		const spec s = specs[i]; /* a copy: the compiler sees that y does not change it */
		const weir_column *c = weir_find(in, s.name, s.len, WEIR_FLOAT64);
		if (!c) return 0;
		const double *x = c->values;
		for (uint32_t r = 0; r < in->rows; r++) y[r] = scaled(x[r], &s);
		columns[i] = (weir_column){.type = WEIR_FLOAT64, .name = s.name, .name_len = s.len, .validity = c->validity, .values = y, .bytes = in->rows * 8};
	}
	out = (weir_batch){.magic = WEIR_MAGIC, .version = WEIR_ABI, .rows = in->rows, .columns = count, .column = columns};
	return &out;
}

const uint64_t *WEIR_EXPORT(weir_row)(const uint64_t *in) {
	static uint64_t out[MAX_COLUMNS / 64 + MAX_COLUMNS];
	const weir_cell *x = weir_row_cells(in, count);
	weir_cell *y = (weir_cell *)(out + weir_row_words(count));
	for (uint32_t i = 0; i < weir_row_words(count); i++) out[i] = in[i];
	for (uint32_t i = 0; i < count; i++) y[i].f64 = scaled(x[i].f64, &specs[i]);
	return out;
}
