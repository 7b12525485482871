/* ordinal turns each category into its position in a given list, as scikit-learn's OrdinalEncoder does. */
#include "dictionary.h"
#include "numeric.h"

DESCRIBE({
	"name": "ordinal", "version": "1.0.0", "summary": "Categories, texts or numbers, to their positions.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "categories"], "properties": {
			"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
			"categories": {"anyOf": [
				{"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string"}},
				{"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "number"}}]}}}},
		"handle_unknown": {"enum": ["error", "value"]},
		"unknown_value": {"type": ["number", "null"]},
		"missing_value": {"type": ["number", "null"]},
		"type": {"enum": ["int64", "float64"]}}}
})

typedef struct {
	int numeric;
	numbers n; /* the bytes of these are the texts of numeric categories */
	texts t;
	dictionary d;
} spec;

/* What stands for something: a number, or null. */
typedef struct { int given, null; double value; } code;

static spec *specs;
static code unknown = {0, 1}, missing = {0, 1};
static int by_value, floats;

static int read_code(weir_json *r, code *c) {
	c->given = 1;
	c->null = 0;
	int first = weir_json_peek(r);
	if (first == 'n' && read_word(r) == 2) return c->null = 1;
	c->value = weir_json_number(r);
	return 1;
}
static int read_unknown(weir_json *r) { return read_code(r, &unknown); }
static int read_missing(weir_json *r) { return read_code(r, &missing); }

/* key is the text under which a number lies in a dictionary: its bytes, the two zeros being one. */
static text key(double *v) {
	if (*v == 0) *v = 0;
	return (text){(const char *)v, 8};
}

/* read_categories goes by the first element: texts or numbers. */
static int read_categories(weir_json *r) {
	spec *s = &specs[input_count];
	if (weir_json_peek(r) != '[') return weir_json_wrong(r, "an array is expected"), 1;
	weir_json ahead = *r;
	weir_json_open(&ahead, '[');
	s->numeric = weir_json_peek(&ahead) != '"';
	if (!(s->numeric ? read_numbers(r, &s->n) : read_texts(r, &s->t))) return 0;
	if (r->problem) return 1;
	if (s->numeric)
		for (uint32_t i = 0; i < s->n.count; i++) {
			if (!GROW(s->t.at, s->t.count)) return 0;
			s->t.at[s->t.count++] = key(&s->n.at[i]);
		}
	if (!s->t.count) return wrong("\"categories\" is empty");
	int32_t twice = make_dictionary(&s->d, s->t.at, s->t.count);
	if (twice >= 0) return s->numeric ? wrong("\"categories\" has number %u twice", (uint32_t)twice) : wrong("\"categories\" has %S twice", s->t.at[twice]);
	return twice == -1;
}

static int read_column(weir_json *r) {
	text name, to = {0};
	if (!GROW(specs, input_count)) return 0;
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"output", TEXT, &to}, {"categories", ANY, 0, 1, .read = read_categories}), 0)) return 0;
	int numeric = specs[input_count].numeric;
	/* The outputs follow when their type is known. */
	if (add_input(name, numeric ? WEIR_FLOAT64 : WEIR_UTF8, numeric ? ANY_NUMBER : TYPE(WEIR_UTF8)) < 0) return 0;
	return add_output(to.n ? to : name, WEIR_INT64, 0) >= 0;
}

static int check_code(const code *c, const char *name) {
	if (c->null) return 1;
	if (!floats && (c->value != __builtin_trunc(c->value) || __builtin_fabs(c->value) > 0x1p53)) return wrong("\"%s\" must be whole when \"type\" is int64", name);
	for (uint32_t i = 0; i < input_count; i++)
		if (c->value == (uint32_t)c->value && c->value < specs[i].t.count) return wrong("\"%s\" is already the code of a category of column %S", name, inputs[i].name);
	return 1;
}

static int setup(weir_json *r) {
	if (!read_object(r, FIELDS(
		{"columns", LIST, 0, 1, .read = read_column}, {"handle_unknown", CHOICE, &by_value, .choices = "error\0value\0"},
		{"unknown_value", ANY, .read = read_unknown}, {"missing_value", ANY, .read = read_missing},
		{"type", CHOICE, &floats, .choices = "int64\0float64\0"}), 0)) return 0;
	if (by_value != unknown.given) return wrong(by_value ? "\"unknown_value\" is missing, \"handle_unknown\" needs it" : "\"unknown_value\" needs \"handle_unknown\": \"value\"");
	for (uint32_t i = 0; i < output_count; i++) outputs[i].type = floats ? WEIR_FLOAT64 : WEIR_INT64;
	return check_code(&unknown, "unknown_value") && check_code(&missing, "missing_value");
}

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		const weir_column *c = &in[i];
		const spec *s = &specs[i];
		const double *x = s->numeric ? doubles(i, 0, rows) : 0;
		if (s->numeric && !x) return 0;
		uint8_t *valid = own_valid(i);
		for (uint32_t r = 0; r < rows; r++) {
			double v;
			int32_t k = -1;
			int lacks = weir_is_null(c, r) || (x && x[r] != x[r]), null = 0;
			if (!lacks) {
				if (x) v = x[r], k = look_up(&s->d, key(&v));
				else k = look_up(&s->d, (text){(const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]});
			}
			v = k;
			if (k < 0) {
				if (!lacks && !by_value) {
					text t = x ? (text){"a number", 8} : (text){(const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]};
					return weir_fail("input column %S, row %u: %S is none of the categories", inputs[i].name.p, inputs[i].name.n, r, t.p, t.n);
				}
				const code *to = lacks ? &missing : &unknown;
				v = to->value;
				null = to->null;
			}
			if (floats) ((double *)values(i))[r] = v;
			else ((int64_t *)values(i))[r] = (int64_t)v;
			if (!(r & 7)) valid[r >> 3] = 0;
			valid[r >> 3] |= !null << (r & 7);
		}
	}
	return 1;
}
