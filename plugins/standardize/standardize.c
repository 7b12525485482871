/* standardize computes (x - mean) / std for each column named in its parameters, as scikit-learn's StandardScaler does:
 * a std of 0 divides by 1. Nulls stay null. NaN gives the canonical NaN (0x7ff8000000000000), so that results are the same
 * bits on every machine. float32 and int columns are widened first. */
#include "weir_json.h"

static const char description[] =
	"{\"name\":\"standardize\",\"version\":\"1.0.0\",\"summary\":\"(x - mean) / std of each column.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"columns\"],\"properties\":{\"columns\":{\"type\":\"array\","
	"\"minItems\":1,\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"mean\",\"std\"],\"properties\":{"
	"\"name\":{\"type\":\"string\"},\"mean\":{\"type\":\"number\"},\"std\":{\"type\":\"number\",\"minimum\":0}}}}}}}";

typedef struct {
	const char *name;
	uint32_t name_len;
	double mean, scale;
} spec;

enum { MAX_COLUMNS = 4096 };

static spec *specs;
static uint32_t count;
static uint32_t capacity; /* rows that the output buffers hold */
static weir_batch out;
static weir_column *columns;
static double *values;
static weir_text schema;

static int same_name(const char *p, uint32_t n, const spec *s) { return weir_same(p, n, s->name, s->name_len); }

/* read_column reads one {"name","mean","std"}; it answers 0 with the error set when that fails. */
static int read_column(weir_json *r, spec *s) {
	const char *key;
	uint32_t n;
	int have = 0;
	double std = 0;
	weir_json_open(r, '{');
	while (weir_json_key(r, &key, &n)) {
		if (weir_same(key, n, "name", 4)) s->name = weir_json_string(r, &s->name_len), have |= 1;
		else if (weir_same(key, n, "mean", 4)) s->mean = weir_json_number(r), have |= 2;
		else if (weir_same(key, n, "std", 3)) std = weir_json_number(r), have |= 4;
		else return r->problem ? 0 : weir_fail("parameters: column %u has the unknown key %S", count, key, n);
	}
	if (r->problem) return 0;
	if (have != 7) return weir_fail("parameters: column %u lacks \"%s\"", count, have & 1 ? have & 2 ? "std" : "mean" : "name");
	if (s->name_len == 0) return weir_fail("parameters: column %u has an empty name", count);
	if (std < 0) return weir_fail("parameters: column %S has a negative std", s->name, s->name_len);
	s->scale = std == 0 ? 1 : std;
	for (uint32_t i = 0; i < count; i++)
		if (same_name(s->name, s->name_len, &specs[i])) return weir_fail("parameters: column %S is listed twice", s->name, s->name_len);
	return 1;
}

static int write_schema(void) {
	for (int side = 0; side < 2; side++) {
		weir_adds(&schema, side ? "],\"outputs\":[" : "{\"inputs\":[");
		for (uint32_t i = 0; i < count; i++) {
			weir_adds(&schema, i ? ",{\"name\":" : "{\"name\":");
			weir_addq(&schema, specs[i].name, specs[i].name_len);
			weir_adds(&schema, ",\"type\":\"float64\"}");
		}
	}
	weir_adds(&schema, "]}");
	return !schema.full;
}

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n, room = 0;
	int have = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (!weir_same(key, n, "columns", 7)) return r.problem ? 1 : (weir_fail("parameters: unknown key %S", key, n), 1);
		have = 1;
		weir_json_open(&r, '[');
		while (weir_json_next(&r)) {
			if (count == MAX_COLUMNS) return weir_fail("parameters: more than %u columns", (uint32_t)MAX_COLUMNS), 1;
			if (count == room) {
				spec *more = weir_alloc((room = room * 2 + 16) * sizeof *specs);
				if (!more) return weir_out_of_memory(), 1;
				if (count) __builtin_memcpy(more, specs, count * sizeof *specs);
				specs = more;
			}
			if (!read_column(&r, &specs[count])) return 1;
			count++;
		}
	}
	if (!weir_json_end(&r)) return 1;
	if (!have) return weir_fail("parameters: \"columns\" is missing: give [{\"name\", \"mean\", \"std\"}]"), 1;
	if (!count) return weir_fail("parameters: \"columns\" is empty"), 1;
	columns = weir_alloc(count * sizeof *columns);
	if (!columns || !write_schema()) return weir_out_of_memory(), 1;
	out = (weir_batch){.magic = WEIR_MAGIC, .version = WEIR_ABI, .columns = count, .column = columns};
	return 0;
}

/* reserve makes the output buffers hold that many rows. */
static int reserve(uint32_t rows) {
	if (values && rows <= capacity) return 1;
	uint32_t want = 64;
	while (want < rows) want *= 2;
	weir_free(values, count * capacity * 8);
	capacity = 0;
	if ((uint64_t)count * want * 8 > 0x7fffffff || !(values = weir_alloc(count * want * 8))) return values = 0, weir_out_of_memory();
	capacity = want;
	return 1;
}

#define CANONICAL_NAN __builtin_nan("")

#define LOOP(T) do { \
	const T *restrict x = c->values; \
	_Pragma("clang loop unroll_count(4)") \
	for (uint32_t i = 0; i < rows; i++) { double v = ((double)x[i] - mean) / scale; y[i] = v == v ? v : CANONICAL_NAN; } \
} while (0)

static int scale_column(const weir_column *c, const spec *s, double *restrict y, uint32_t rows) {
	double mean = s->mean, scale = s->scale;
	switch (c->type) {
	case WEIR_FLOAT64: LOOP(double); break;
	case WEIR_FLOAT32: LOOP(float); break;
	case WEIR_INT64: LOOP(int64_t); break;
	case WEIR_INT32: LOOP(int32_t); break;
	default: return weir_fail("column %S must be float64, float32, int64 or int32", c->name, c->name_len);
	}
	return 1;
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	uint32_t rows = in->rows;
	if (!reserve(rows)) return 0;
	for (uint32_t i = 0; i < count; i++) {
		/* Callers give columns in the parameters' order nearly always. */
		const spec *s = &specs[i];
		const weir_column *c = i < in->columns && same_name(in->column[i].name, in->column[i].name_len, s) ? &in->column[i] : 0;
		for (uint32_t j = 0; !c && j < in->columns; j++)
			if (same_name(in->column[j].name, in->column[j].name_len, s)) c = &in->column[j];
		if (!c) return weir_fail("input column %S is missing", s->name, s->name_len), (weir_batch *)0;
		double *y = values + (size_t)i * capacity;
		if (!scale_column(c, s, y, rows)) return 0;
		columns[i] = (weir_column){
			.type = WEIR_FLOAT64, .name = s->name, .name_len = s->name_len, .validity = c->validity, .values = y, .bytes = rows * 8};
	}
	if (in->columns > count)
		for (uint32_t j = 0; j < in->columns; j++) {
			uint32_t i = 0;
			while (i < count && !same_name(in->column[j].name, in->column[j].name_len, &specs[i])) i++;
			if (i == count)
				return weir_fail("input column %S is not among the parameters", in->column[j].name, in->column[j].name_len), (weir_batch *)0;
		}
	out.rows = rows;
	return &out;
}
