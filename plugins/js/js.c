/* js is the Jensen-Shannon distance between the samples, over given bins or over the values of a category. */
#include "counts.h"
#include <math.h>

DESCRIBE({
	"name": "js", "version": "1.0.0", "summary": "Jensen-Shannon distance of each column, over bins or over categories.", "worlds": ["metric"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1},
			"edges": {"type": "array", "minItems": 1, "items": {"type": "number"}}}}},
		"base": {"type": "number", "exclusiveMinimum": 1}}}
})

static const uint32_t tag = 0x01736e6a; /* "jns", 1 */

/* A column with edges has bins; one without has values. */
typedef struct {
	numbers edges;
	uint64_t *bin[2]; /* edges.count + 1 each */
	uint64_t total[2], missing[2];
	dictionary values;
} column;
static column *all;
static double base;

static int read_column(weir_json *r) {
	text name;
	if (!GROW(all, column_count)) return 0;
	column *c = &all[column_count];
	*c = (column){0};
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"edges", NUMBERS, &c->edges}), 0)) return 0;
	if (!ascends(&c->edges, 1)) return wrong("\"edges\" do not ascend");
	for (int side = 0; side < 2 && c->edges.count; side++)
		if (!(c->bin[side] = new_memory(c->edges.count + 1, 8))) return 0;
	if (!add_column(name, c->edges.count ? NUMBER_TYPES | TYPE(WEIR_TIMESTAMP) | TYPE(WEIR_BOOL) : VALUE_TYPES)) return 0;
	fix(c->edges.at, c->edges.count * 8);
	return 1;
}

static int setup(weir_json *r) {
	if (!read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"base", NUMBER, &base}), 0)) return 0;
	if (base && !(base > 1)) return wrong("\"base\" must be above 1");
	return 1;
}

static int update(uint32_t i, int side, const weir_column *c, uint32_t rows) {
	column *a = &all[i];
	if (!a->edges.count) return dictionary_update(&a->values, i, side, c, rows);
	for (uint32_t r = 0; r < rows; r++) {
		double v = number_at(c, r);
		if (v != v) { a->missing[side]++; continue; }
		uint32_t low = 0, high = a->edges.count; /* bin = edges <= v, as numpy.digitize */
		while (low < high) {
			uint32_t middle = (low + high) / 2;
			if (a->edges.at[middle] <= v) low = middle + 1;
			else high = middle;
		}
		a->bin[side][low]++;
		a->total[side]++;
	}
	return 1;
}

static int save(uint32_t i, int side, weir_text *t) {
	column *a = &all[i];
	if (!a->edges.count) return dictionary_save(&a->values, side, t);
	put_count(t, a->missing[side]);
	for (uint32_t k = 0; k <= a->edges.count; k++) put_count(t, a->bin[side][k]);
	return 1;
}

static int load(uint32_t i, int side, state_reader *r) {
	column *a = &all[i];
	if (!a->edges.count) return dictionary_load(&a->values, i, side, r);
	a->missing[side] += get_count(r);
	for (uint32_t k = 0; k <= a->edges.count; k++) {
		uint64_t n = get_count(r);
		a->bin[side][k] += n;
		a->total[side] += n;
	}
	return 1;
}

static void reset(void) {
	for (uint32_t i = 0; i < column_count; i++) {
		column *a = &all[i];
		dictionary_clear(&a->values);
		for (int side = 0; side < 2; side++) {
			a->total[side] = a->missing[side] = 0;
			if (a->bin[side]) __builtin_memset(a->bin[side], 0, (a->edges.count + 1) * 8);
		}
	}
}

/* part is p·ln(p/m), 0 for p = 0. */
WEIR_INLINE double part(double p, double m) { return p > 0 ? p * log(p / m) : 0; }

static int score(uint32_t i, weir_text *t) {
	column *a = &all[i];
	const int binned = a->edges.count > 0;
	const uint64_t *total = binned ? a->total : a->values.total, *missing = binned ? a->missing : a->values.missing;
	const uint32_t cells = binned ? a->edges.count + 1 : a->values.used;
	const entry **e = dictionary_sorted(&a->values); /* in the order of the values, so that the sum is the same bits after any merge */
	if (!e) return 0;
	double divergence = 0;
	const double n = (double)total[0], m = (double)total[1];
	for (uint32_t k = 0; k < cells && total[0] && total[1]; k++) {
		double p = (double)(binned ? a->bin[0][k] : e[k]->count[0]) / n, q = (double)(binned ? a->bin[1][k] : e[k]->count[1]) / m, middle = (p + q) / 2;
		divergence += part(p, middle) + part(q, middle);
	}
	dictionary_release(e, &a->values);
	divergence /= 2;
	if (divergence < 0) divergence = 0;
	if (base) divergence /= log(base);
	const int empty = !total[0] || !total[1];
	begin_score(t, i, "js", empty ? __builtin_nan("") : sqrt(divergence), empty ? "a side holds no value" : 0);
	member_count(t, "cells", cells);
	member_count(t, "reference_count", total[0]);
	member_count(t, "current_count", total[1]);
	member_count(t, "reference_missing", missing[0]);
	member_count(t, "current_missing", missing[1]);
	end_score(t);
	return 1;
}
