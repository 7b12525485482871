/* tfidf weighs the n-grams of a text by a fitted vocabulary and its inverse document frequencies, as scikit-learn's TfidfVectorizer does. */
#include <math.h>

#include "cells.h"
#include "tokens.h"

DESCRIBE({
	"name": "tfidf", "version": "1.0.0", "summary": "Term frequencies times inverse document frequencies of a fitted vocabulary.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["column", "vocabulary"], "properties": {
		"column": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
		"vocabulary": {"type": "array", "minItems": 1, "maxItems": 1048576, "uniqueItems": true, "items": {"type": "string"}},
		"idf": {"type": "array", "minItems": 1, "maxItems": 1048576, "items": {"type": "number"}},
		"analyzer": {"enum": ["word", "char", "char_wb"]},
		"ngram_range": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer", "minimum": 1, "maximum": 16}},
		"lowercase": {"type": "boolean"},
		"stop_words": {"type": "array", "minItems": 1, "items": {"type": "string"}},
		"binary": {"type": "boolean"},
		"sublinear_tf": {"type": "boolean"},
		"norm": {"enum": ["none", "l1", "l2"]}}}
})

static int binary, sublinear, norm = L2;
static texts vocabulary;
static numbers idf; /* none: all 1, which makes it scikit-learn's CountVectorizer or use_idf=False */
static dictionary terms;

static int setup(weir_json *r) {
	text name, to = {0};
	if (!read_object(r, FIELDS(
		{"column", TEXT, &name, 1}, {"output", TEXT, &to}, {"vocabulary", TEXTS, &vocabulary, 1}, {"idf", NUMBERS, &idf},
		{"analyzer", CHOICE, &analyzer, .choices = "word\0char\0char_wb\0"}, {"ngram_range", ANY, .read = read_range}, {"lowercase", FLAG, &lowercase},
		{"stop_words", TEXTS, &stop_list}, {"binary", FLAG, &binary}, {"sublinear_tf", FLAG, &sublinear}, {"norm", CHOICE, &norm, .choices = "none\0l1\0l2\0"}), 0)) return 0;
	if (stop_list.count && analyzer != WORD) return wrong("\"stop_words\" is for words");
	if (vocabulary.count > MAX_LIST) return wrong("\"vocabulary\" has more than %u terms", (uint32_t)MAX_LIST);
	if (idf.count && idf.count != vocabulary.count) return wrong("\"idf\" has %u numbers, \"vocabulary\" %u terms", idf.count, vocabulary.count);
	int32_t twice = make_dictionary(&terms, vocabulary.at, vocabulary.count);
	if (twice >= 0) return wrong("\"vocabulary\" has %S twice", vocabulary.at[twice]);
	return twice == -1 && make_tokens() && add_input(name, WEIR_UTF8, TYPE(WEIR_UTF8)) >= 0 && add_cells(to.n ? to : name, vocabulary.count, 0);
}

static void use_token(text t) {
	int32_t i = look_up(&terms, t);
	if (i >= 0) cells[i] += 1;
}

static int run(uint32_t rows) {
	const weir_column *c = &in[0];
	out[0].validity = c->validity;
	for (uint32_t r = 0; r < rows; r++) {
		if (!weir_is_null(c, r) && !tokens((text){(const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]})) return 0;
		for (uint32_t i = 0; i < cell_count; i++) {
			double v = cells[i];
			if (v == 0) continue;
			if (binary) v = 1;
			if (sublinear) v = log(v) + 1;
			cells[i] = idf.count ? v * idf.at[i] : v;
		}
		normalise(norm);
		store(r);
	}
	return 1;
}
