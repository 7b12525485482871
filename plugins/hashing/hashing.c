/* hashing turns the values of columns into a row of n numbers by hashing them, as scikit-learn's FeatureHasher does. */
#include "numeric.h"
#include "cells.h"

DESCRIBE({
	"name": "hashing", "version": "1.0.0", "summary": "Feature hashing of texts and numbers into n cells.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns", "n_features"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"anyOf": [
			{"type": "string", "minLength": 1},
			{"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
				"name": {"type": "string", "minLength": 1}, "type": {"enum": ["utf8", "float64"]}, "separator": {"type": "string", "minLength": 1}}}]}},
		"n_features": {"type": "integer", "minimum": 1, "maximum": 1048576},
		"input_type": {"enum": ["dict", "string"]},
		"alternate_sign": {"type": "boolean"},
		"output": {"type": "string", "minLength": 1},
		"as": {"enum": ["float_vector", "columns"]}}}
})

typedef struct {
	text separator, key; /* key: the name, then = */
	uint32_t number;     /* the hash of a number's name */
	char *joined;        /* name=value */
	uint32_t room;
} spec;

static spec *specs;
static int plain_tokens, alternate = 1;

static int read_column(weir_json *r) {
	text name = {0};
	int number = 0;
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (weir_json_peek(r) != '{') name.p = weir_json_string(r, &name.n);
	else if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"type", CHOICE, &number, .choices = "utf8\0float64\0"}, {"separator", TEXT, &s->separator}), 0)) return 0;
	if (r->problem) return 1;
	if (number && s->separator.n) return wrong("\"separator\" is for texts");
	s->number = murmur3(name);
	s->key = joined(name, "=", (text){0});
	if (!s->key.p) return weir_out_of_memory();
	return add_input(name, number ? WEIR_FLOAT64 : WEIR_UTF8, number ? ANY_NUMBER : TYPE(WEIR_UTF8)) >= 0;
}

static int setup(weir_json *r) {
	uint32_t n;
	int columns = 0;
	text to = {"hashed", 6};
	if (!read_object(r, FIELDS(
		{"columns", LIST, 0, 1, .read = read_column}, {"n_features", COUNT, &n, 1, .min = 1, .max = MAX_LIST},
		{"input_type", CHOICE, &plain_tokens, .choices = "dict\0string\0"}, {"alternate_sign", FLAG, &alternate},
		{"output", TEXT, &to}, {"as", CHOICE, &columns, .choices = "float_vector\0columns\0"}), 0)) return 0;
	if (plain_tokens)
		for (uint32_t i = 0; i < input_count; i++)
			if (inputs[i].type == WEIR_FLOAT64) return wrong("column %S: \"input_type\" string has no numbers", inputs[i].name);
	return add_cells(to, n, columns);
}

static void count(uint32_t hash, double v) {
	int sign;
	uint32_t i = cell_of(hash, &sign);
	cells[i] += alternate && sign < 0 ? -v : v;
}

/* count_text counts one token of a column: itself, or name=token. */
static int count_text(spec *s, text t) {
	if (plain_tokens) return count(murmur3(t), 1), 1;
	if (s->room < s->key.n + t.n) {
		if (s->joined) weir_free(s->joined, s->room);
		s->room = (s->key.n + t.n) * 2;
		if (!(s->joined = weir_alloc(s->room))) return weir_out_of_memory();
		__builtin_memcpy(s->joined, s->key.p, s->key.n);
	}
	if (t.n) __builtin_memcpy(s->joined + s->key.n, t.p, t.n);
	return count(murmur3((text){s->joined, s->key.n + t.n}), 1), 1;
}

static int count_texts(spec *s, text t) {
	uint32_t n = s->separator.n, from = 0;
	if (!n) return count_text(s, t);
	for (uint32_t i = 0; i <= t.n;) {
		int end = i == t.n;
		if (!end && (i + n > t.n || __builtin_memcmp(t.p + i, s->separator.p, n))) { i++; continue; }
		if (i > from && !count_text(s, (text){t.p + from, i - from})) return 0;
		if (end) break;
		from = i += n;
	}
	return 1;
}

static int run(uint32_t rows) {
	for (uint32_t r = 0; r < rows; r++) {
		for (uint32_t i = 0; i < input_count; i++) {
			const weir_column *c = &in[i];
			if (weir_is_null(c, r)) continue;
			if (c->type == WEIR_UTF8) {
				if (!count_texts(&specs[i], (text){(const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]})) return 0;
				continue;
			}
			double v;
			switch (c->type) {
			case WEIR_FLOAT64: v = ((const double *)c->values)[r]; break;
			case WEIR_FLOAT32: v = ((const float *)c->values)[r]; break;
			case WEIR_INT64: v = ((const int64_t *)c->values)[r]; break;
			case WEIR_INT32: v = ((const int32_t *)c->values)[r]; break;
			default: v = ((const uint8_t *)c->values)[r >> 3] >> (r & 7) & 1;
			}
			if (v == v && v != 0) count(specs[i].number, v);
		}
		store(r);
	}
	return 1;
}
