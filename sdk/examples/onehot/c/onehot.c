/* onehot turns each text column that its parameters name into one float64 column for each category, <column>=<category>: 1 where the text is
 * that category, 0 elsewhere. A null and a text that is no category give 0 everywhere. */
#include "weir_json.h"

static const char description[] =
	"{\"name\":\"onehot\",\"version\":\"1.0.0\",\"summary\":\"One 0/1 column for each category of text columns.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"columns\"],\"properties\":{\"columns\":{\"type\":\"array\","
	"\"minItems\":1,\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"categories\"],\"properties\":{"
	"\"name\":{\"type\":\"string\",\"minLength\":1},\"categories\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\"}}}}}}}}";

typedef struct { const char *p; uint32_t len; } text;

typedef struct {
	text name;
	uint32_t first, count;   /* its categories */
	uint32_t *table, mask;   /* open addressing: index of a category plus 1; 0 = empty */
} spec;

enum { MAX_OUTPUTS = 4096 };

static spec specs[MAX_OUTPUTS];
static text categories[MAX_OUTPUTS];
static weir_text names[MAX_OUTPUTS];
static weir_column columns[MAX_OUTPUTS];
static uint32_t spec_count, outputs;
static weir_text schema;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

/* slot is where the category stands in the table, or the empty place where it would. */
static uint32_t *slot(const spec *s, const char *p, uint32_t n) {
	uint32_t h = 2166136261u;
	for (uint32_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619u;
	for (h ^= h >> 15;; h++) {
		uint32_t *at = &s->table[h & s->mask];
		if (!*at || weir_same(p, n, categories[*at - 1].p, categories[*at - 1].len)) return at;
	}
}

/* index_categories fills the table of a spec and names its outputs. */
static int index_categories(spec *s) {
	uint32_t size = 4;
	while (size < s->count * 2) size *= 2;
	if (!(s->table = weir_alloc(size * 4))) return weir_out_of_memory();
	__builtin_memset(s->table, 0, size * 4);
	s->mask = size - 1;
	for (uint32_t i = s->first; i < s->first + s->count; i++) {
		uint32_t *at = slot(s, categories[i].p, categories[i].len);
		if (*at) return weir_fail("parameters: column %S lists the category %S twice", s->name.p, s->name.len, categories[i].p, categories[i].len);
		*at = i + 1;
		weir_add(&names[i], s->name.p, s->name.len);
		weir_add(&names[i], "=", 1);
		weir_add(&names[i], categories[i].p, categories[i].len);
		if (names[i].full) return weir_out_of_memory();
		for (uint32_t j = 0; j < s->first; j++)
			if (weir_same(names[i].p, names[i].len, names[j].p, names[j].len)) return weir_fail("parameters: two outputs would be named %S", names[i].p, names[i].len);
	}
	return 1;
}

static int read_column(weir_json *r) {
	const char *key;
	uint32_t n;
	if (spec_count == MAX_OUTPUTS) return weir_fail("parameters: columns: there are more than %u", (uint32_t)MAX_OUTPUTS);
	spec *s = &specs[spec_count];
	*s = (spec){.first = outputs};
	weir_json_open(r, '{');
	while (weir_json_key(r, &key, &n)) {
		if (weir_same(key, n, "name", 4)) s->name.p = weir_json_string(r, &s->name.len);
		else if (weir_same(key, n, "categories", 10)) {
			outputs = s->first; /* of a key given twice the last counts */
			weir_json_open(r, '[');
			while (weir_json_next(r)) {
				if (outputs == MAX_OUTPUTS) return weir_fail("parameters: more than %u categories", (uint32_t)MAX_OUTPUTS);
				text *c = &categories[outputs++];
				c->p = weir_json_string(r, &c->len);
			}
		} else weir_json_unknown(r, key, n);
	}
	s->count = outputs - s->first;
	if (r->problem) return 0;
	if (!s->name.len || !s->count) return weir_fail("parameters: column %u needs \"name\" and \"categories\"", spec_count);
	for (uint32_t i = 0; i < spec_count; i++)
		if (weir_same(s->name.p, s->name.len, specs[i].name.p, specs[i].name.len)) return weir_fail("parameters: column %S is listed twice", s->name.p, s->name.len);
	spec_count++;
	return index_categories(s);
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
	if (!spec_count) return weir_fail("parameters: \"columns\" is missing or empty"), 1;
	weir_adds(&schema, "{\"inputs\":[");
	for (uint32_t i = 0; i < spec_count; i++) weir_add_field(&schema, specs[i].name.p, specs[i].name.len, WEIR_UTF8);
	weir_adds(&schema, "],\"outputs\":[");
	for (uint32_t i = 0; i < outputs; i++) weir_add_field(&schema, names[i].p, names[i].len, WEIR_FLOAT64);
	weir_adds(&schema, "]}");
	return schema.full ? weir_out_of_memory(), 1 : 0;
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	static weir_batch out;
	static weir_buffer buffer;
	uint32_t rows = in->rows;
	double *values = weir_room(&buffer, (uint64_t)outputs * rows * 8);
	if (!values) return 0;
	if (rows) __builtin_memset(values, 0, outputs * rows * 8);
	for (const spec *s = specs; s < specs + spec_count; s++) {
		const weir_column *c = weir_find(in, s->name.p, s->name.len, WEIR_UTF8);
		if (!c) return 0;
		const char *bytes = c->values;
		for (uint32_t r = 0; r < rows; r++) {
			if (weir_is_null(c, r)) continue;
			uint32_t found = *slot(s, bytes + c->offsets[r], c->offsets[r + 1] - c->offsets[r]);
			if (found) values[(found - 1) * rows + r] = 1;
		}
	}
	for (uint32_t i = 0; i < outputs; i++)
		columns[i] = (weir_column){.type = WEIR_FLOAT64, .name = names[i].p, .name_len = names[i].len, .values = values + i * rows, .bytes = rows * 8};
	out = (weir_batch){.magic = WEIR_MAGIC, .version = WEIR_ABI, .rows = rows, .columns = outputs, .column = columns};
	return &out;
}
