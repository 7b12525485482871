/* text-hash counts the n-grams of a text in n cells chosen by hashing, as scikit-learn's HashingVectorizer does. */
#include "cells.h"
#include "tokens.h"

DESCRIBE({
	"name": "text-hash", "version": "1.0.0", "summary": "Words or characters of a text, hashed into a vector.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["column", "n_features"], "properties": {
		"column": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
		"n_features": {"type": "integer", "minimum": 1, "maximum": 1048576},
		"analyzer": {"enum": ["word", "char", "char_wb"]},
		"ngram_range": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer", "minimum": 1, "maximum": 16}},
		"lowercase": {"type": "boolean"},
		"stop_words": {"type": "array", "minItems": 1, "items": {"type": "string"}},
		"binary": {"type": "boolean"},
		"alternate_sign": {"type": "boolean"},
		"norm": {"enum": ["none", "l1", "l2"]}}}
})

static int binary, alternate = 1, norm = L2;
static uint8_t *seen; /* of binary: cells that a token fell into, also when tokens of both signs add up to 0 */

static int setup(weir_json *r) {
	text name, to = {0};
	uint32_t n;
	if (!read_object(r, FIELDS(
		{"column", TEXT, &name, 1}, {"output", TEXT, &to}, {"n_features", COUNT, &n, 1, .min = 1, .max = MAX_LIST},
		{"analyzer", CHOICE, &analyzer, .choices = "word\0char\0char_wb\0"}, {"ngram_range", ANY, .read = read_range}, {"lowercase", FLAG, &lowercase},
		{"stop_words", TEXTS, &stop_list}, {"binary", FLAG, &binary}, {"alternate_sign", FLAG, &alternate}, {"norm", CHOICE, &norm, .choices = "none\0l1\0l2\0"}), 0)) return 0;
	if (stop_list.count && analyzer != WORD) return wrong("\"stop_words\" is for words");
	if (binary && !(seen = zeroed(n))) return weir_out_of_memory();
	return make_tokens() && add_input(name, WEIR_UTF8, TYPE(WEIR_UTF8)) >= 0 && add_cells(to.n ? to : name, n, 0);
}

static void use_token(text t) {
	int sign;
	uint32_t i = cell_of(murmur3(t), &sign);
	cells[i] += alternate ? sign : 1;
	if (binary) seen[i] = 1;
}

static int run(uint32_t rows) {
	const weir_column *c = &in[0];
	out[0].validity = c->validity;
	for (uint32_t r = 0; r < rows; r++) {
		if (!weir_is_null(c, r) && !tokens((text){(const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]})) return 0;
		if (binary)
			for (uint32_t i = 0; i < cell_count; i++) cells[i] = seen[i], seen[i] = 0;
		normalise(norm);
		store(r);
	}
	return 1;
}
