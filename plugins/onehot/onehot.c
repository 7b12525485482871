/* onehot turns each text column named in its parameters into one float64 column for each of its categories, named
 * <column>=<category>: 1 where the row's text is that category, 0 elsewhere. A null and a text that is no category give zeros in
 * all of them. Rare texts can share one more column, <column>=infrequent. Outputs have no nulls. */
#include "dictionary.h"
#include "transform.h"

DESCRIBE({
	"name": "onehot", "version": "1.1.0", "summary": "One 0/1 column for each category of text columns.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "categories"], "properties": {
			"name": {"type": "string"}, "categories": {"type": "array", "minItems": 1, "items": {"type": "string"}},
			"infrequent": {"type": "array", "minItems": 1, "items": {"type": "string"}}}}},
		"handle_unknown": {"enum": ["ignore", "infrequent_if_exist"]}}}
})

typedef struct {
	uint32_t first, count; /* its outputs: count of categories; behind them one for infrequent texts if there are any */
	int infrequent;
	dictionary known;      /* categories, then infrequent texts */
} spec;

static spec *specs;
static int unknown_is_infrequent;

static int read_column(weir_json *r) {
	text name;
	texts categories = {0}, rare = {0};
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"categories", TEXTS, &categories, 1}, {"infrequent", TEXTS, &rare}), 0)) return 0;
	if (add_input(name, WEIR_UTF8, TYPE(WEIR_UTF8)) < 0) return 0;
	s->first = output_count;
	s->count = categories.count;
	s->infrequent = rare.count > 0;
	for (uint32_t i = 0; i < rare.count; i++) {
		if (!GROW(categories.at, categories.count)) return 0;
		categories.at[categories.count++] = rare.at[i];
	}
	int32_t twice = make_dictionary(&s->known, categories.at, categories.count);
	if (twice >= 0) return wrong("column %S lists the category %S twice", name, categories.at[twice]);
	if (twice != -1) return 0;
	for (uint32_t i = 0; i < s->count; i++)
		if (add_output(joined(name, "=", categories.at[i]), WEIR_FLOAT64, 0) < 0) return 0;
	return !s->infrequent || add_output(joined(name, "=infrequent", (text){0}), WEIR_FLOAT64, 0) >= 0;
}

static int setup(weir_json *r) {
	return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"handle_unknown", CHOICE, &unknown_is_infrequent, .choices = "ignore\0infrequent_if_exist\0"}), 0);
}

static int run(uint32_t rows) {
	for (uint32_t o = 0; o < output_count; o++) __builtin_memset(values(o), 0, rows * 8);
	for (uint32_t i = 0; i < input_count; i++) {
		const spec *s = &specs[i];
		const weir_column *c = &in[i];
		const char *bytes = c->values;
		for (uint32_t r = 0; r < rows; r++) {
			if (weir_is_null(c, r)) continue;
			int32_t k = look_up(&s->known, (text){bytes + c->offsets[r], c->offsets[r + 1] - c->offsets[r]});
			if (k < 0 && !(unknown_is_infrequent && s->infrequent)) continue;
			((double *)values(s->first + (k < 0 || (uint32_t)k > s->count ? s->count : (uint32_t)k)))[r] = 1;
		}
	}
	return 1;
}
