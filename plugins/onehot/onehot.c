/* onehot turns each text column named in its parameters into one float64 column for each of its categories, named
 * <column>=<category>: 1 where the row's text is that category, 0 elsewhere. A null and a text that is no category give zeros in
 * all of them. Outputs have no nulls. */
#include "weir_json.h"

static const char description[] =
	"{\"name\":\"onehot\",\"version\":\"1.0.0\",\"summary\":\"One 0/1 column for each category of text columns.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"columns\"],\"properties\":{\"columns\":{\"type\":\"array\","
	"\"minItems\":1,\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"categories\"],\"properties\":{"
	"\"name\":{\"type\":\"string\"},\"categories\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\"}}}}}}}}";

typedef struct {
	const char *text;
	uint32_t len, column; /* index of the spec */
	weir_text name;       /* of the output column */
} category;

typedef struct {
	const char *name;
	uint32_t name_len, first, count; /* its categories */
	uint32_t *table, mask;           /* open addressing: index of a category plus 1, 0 = empty */
} spec;

enum { MAX_OUTPUTS = 4096, MAX_NAME = 1024 };

static spec specs[MAX_OUTPUTS];
static category categories[MAX_OUTPUTS];
static uint32_t spec_count, category_count, capacity;
static weir_batch out;
static weir_column columns[MAX_OUTPUTS];
static double *values;
static weir_text schema;

static uint32_t hash(const char *p, uint32_t n) {
	uint32_t h = 2166136261u;
	for (uint32_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h ^ h >> 15;
}

/* find answers the category's index plus 1, or 0. */
static uint32_t find(const spec *s, const char *p, uint32_t n) {
	for (uint32_t at = hash(p, n) & s->mask, i; (i = s->table[at]); at = (at + 1) & s->mask)
		if (weir_same(p, n, categories[i - 1].text, categories[i - 1].len)) return i;
	return 0;
}

static int read_categories(weir_json *r, spec *s) {
	s->first = category_count;
	s->count = 0;
	weir_json_open(r, '[');
	while (weir_json_next(r)) {
		if (category_count == MAX_OUTPUTS) return weir_fail("parameters: more than %u categories", (uint32_t)MAX_OUTPUTS);
		category *c = &categories[category_count++];
		c->text = weir_json_string(r, &c->len);
		c->column = spec_count;
		s->count++;
	}
	return !r->problem;
}

/* finish_spec names the outputs and builds the table. */
static int finish_spec(spec *s) {
	if (!s->count) return weir_fail("parameters: column %S has no categories", s->name, s->name_len);
	uint32_t size = 4;
	while (size < s->count * 2) size *= 2;
	if (!(s->table = weir_alloc(size * 4))) return weir_out_of_memory();
	__builtin_memset(s->table, 0, size * 4);
	s->mask = size - 1;
	for (uint32_t i = s->first; i < s->first + s->count; i++) {
		category *c = &categories[i];
		if (find(s, c->text, c->len)) return weir_fail("parameters: column %S lists the category %S twice", s->name, s->name_len, c->text, c->len);
		uint32_t at = hash(c->text, c->len) & s->mask;
		while (s->table[at]) at = (at + 1) & s->mask;
		s->table[at] = i + 1;
		weir_add(&c->name, s->name, s->name_len);
		weir_add(&c->name, "=", 1);
		weir_add(&c->name, c->text, c->len);
		if (c->name.full) return weir_out_of_memory();
		if (c->name.len > MAX_NAME) return weir_fail("parameters: column %S: the output name of a category has more than %u bytes", s->name, s->name_len, (uint32_t)MAX_NAME);
		for (uint32_t j = 0; j < i; j++)
			if (weir_same(c->name.p, c->name.len, categories[j].name.p, categories[j].name.len))
				return weir_fail("parameters: two outputs would be named %S", c->name.p, c->name.len);
	}
	return 1;
}

static int read_column(weir_json *r) {
	spec *s = &specs[spec_count];
	const char *key;
	uint32_t n;
	int have = 0;
	weir_json_open(r, '{');
	while (weir_json_key(r, &key, &n)) {
		if (weir_same(key, n, "name", 4)) s->name = weir_json_string(r, &s->name_len), have |= 1;
		else if (weir_same(key, n, "categories", 10)) {
			if (have & 2) return weir_fail("parameters: column %u has \"categories\" twice", spec_count);
			have |= 2;
			if (!read_categories(r, s)) return 0;
		} else return r->problem ? 0 : weir_fail("parameters: column %u has the unknown key %S", spec_count, key, n);
	}
	if (r->problem) return 0;
	if (have != 3) return weir_fail("parameters: column %u lacks \"%s\"", spec_count, have & 1 ? "categories" : "name");
	if (!s->name_len) return weir_fail("parameters: column %u has an empty name", spec_count);
	for (uint32_t i = 0; i < spec_count; i++)
		if (weir_same(s->name, s->name_len, specs[i].name, specs[i].name_len)) return weir_fail("parameters: column %S is listed twice", s->name, s->name_len);
	if (!finish_spec(s)) return 0;
	spec_count++;
	return 1;
}

static int write_schema(void) {
	weir_adds(&schema, "{\"inputs\":[");
	for (uint32_t i = 0; i < spec_count; i++) {
		weir_adds(&schema, i ? ",{\"name\":" : "{\"name\":");
		weir_addq(&schema, specs[i].name, specs[i].name_len);
		weir_adds(&schema, ",\"type\":\"utf8\"}");
	}
	weir_adds(&schema, "],\"outputs\":[");
	for (uint32_t i = 0; i < category_count; i++) {
		weir_adds(&schema, i ? ",{\"name\":" : "{\"name\":");
		weir_addq(&schema, categories[i].name.p, categories[i].name.len);
		weir_adds(&schema, ",\"type\":\"float64\"}");
	}
	weir_adds(&schema, "]}");
	return !schema.full;
}

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (!weir_same(key, n, "columns", 7)) return r.problem ? 1 : (weir_fail("parameters: unknown key %S", key, n), 1);
		weir_json_open(&r, '[');
		while (weir_json_next(&r))
			if (!read_column(&r)) return 1;
	}
	if (!weir_json_end(&r)) return 1;
	if (!spec_count) return weir_fail("parameters: \"columns\" is missing or empty: give [{\"name\", \"categories\"}]"), 1;
	if (!write_schema()) return weir_out_of_memory(), 1;
	out = (weir_batch){.magic = WEIR_MAGIC, .version = WEIR_ABI, .columns = category_count, .column = columns};
	return 0;
}

static int reserve(uint32_t rows) {
	if (values && rows <= capacity) return 1;
	uint32_t want = 64;
	while (want < rows) want *= 2;
	weir_free(values, category_count * capacity * 8);
	capacity = 0;
	if (!(values = weir_alloc(category_count * want * 8))) return weir_out_of_memory();
	capacity = want;
	return 1;
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	uint32_t rows = in->rows;
	if (!reserve(rows)) return 0;
	for (uint32_t i = 0; i < category_count; i++) {
		double *y = values + (size_t)i * capacity;
		__builtin_memset(y, 0, rows * 8);
		columns[i] = (weir_column){.type = WEIR_FLOAT64, .name = categories[i].name.p, .name_len = categories[i].name.len, .values = y, .bytes = rows * 8};
	}
	for (uint32_t s = 0; s < spec_count; s++) {
		const spec *p = &specs[s];
		const weir_column *c = 0;
		for (uint32_t j = 0; !c && j < in->columns; j++)
			if (weir_same(in->column[j].name, in->column[j].name_len, p->name, p->name_len)) c = &in->column[j];
		if (!c) return weir_fail("input column %S is missing", p->name, p->name_len), (weir_batch *)0;
		if (c->type != WEIR_UTF8) return weir_fail("input column %S must be utf8", p->name, p->name_len), (weir_batch *)0;
		const char *text = c->values;
		for (uint32_t r = 0; r < rows; r++) {
			if (weir_is_null(c, r)) continue;
			uint32_t i = find(p, text + c->offsets[r], c->offsets[r + 1] - c->offsets[r]);
			if (i) values[(size_t)(i - 1) * capacity + r] = 1;
		}
	}
	out.rows = rows;
	return &out;
}
