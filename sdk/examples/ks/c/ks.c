/* ks is the Kolmogorov-Smirnov statistic of a column: the greatest distance between the distribution functions of the two samples, taken at the edges
 * of equal bins. The summary is counts of a fixed size, whatever the number of rows; what the bins hide is at most the share of the fullest. */
#include "weir_json.h"

static const char description[] =
	"{\"name\":\"ks\",\"version\":\"1.0.0\",\"summary\":\"Kolmogorov-Smirnov statistic of a column over equal bins.\",\"worlds\":[\"metric\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"column\",\"low\",\"high\",\"bins\"],\"properties\":{"
	"\"column\":{\"type\":\"string\",\"minLength\":1},\"low\":{\"type\":\"number\",\"minimum\":-1e300},\"high\":{\"type\":\"number\",\"maximum\":1e300},"
	"\"bins\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000}}}}";

enum { MAX_BINS = 10000 };

static const char *column;
static uint32_t column_len, places; /* of the counts: below low, the bins, from high on */
static double edges[MAX_BINS + 1];
static weir_text schema, scores;

/* The summary is also the state: four numbers (version, print, missing values of both sides), then the counts of both sides. print keeps
 * apart summaries over other columns or bins. */
enum { VERSION, PRINT, MISSING, COUNTS = MISSING + 2 };
static uint64_t *summary, words;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

static uint64_t fnv1a(uint64_t h, const void *p, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)p)[i]) * 1099511628211u;
	return h;
}

int32_t WEIR_EXPORT(weir_metric_reset)(void) {
	for (uint32_t i = MISSING; i < words; i++) summary[i] = 0;
	return 0;
}

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n, have = 0, bins = 0;
	double low = 0, high = 0, given = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "column", 6)) column = weir_json_string(&r, &column_len);
		else if (weir_same(key, n, "low", 3)) low = weir_json_number(&r), have |= 1;
		else if (weir_same(key, n, "high", 4)) high = weir_json_number(&r), have |= 2;
		else if (weir_same(key, n, "bins", 4)) given = weir_json_number(&r);
		else weir_json_unknown(&r, key, n);
	}
	if (!weir_json_end(&r)) return 1;
	if (!column_len || have != 3) return weir_fail("parameters: \"column\", \"low\", \"high\" and \"bins\" are needed"), 1;
	if (!(low >= -1e300 && low < high && high <= 1e300)) return weir_fail("parameters: low must be below high, and both within 1e300"), 1;
	if (!(given >= 1 && given <= MAX_BINS && given == (double)(bins = (uint32_t)given))) return weir_fail("parameters: bins must be a whole number from 1 to %u", (uint32_t)MAX_BINS), 1;
	for (uint32_t i = 0; i <= bins; i++) edges[i] = low + (i * (high - low)) / bins;
	weir_adds(&schema, "{\"inputs\":[");
	weir_add_field(&schema, column, column_len, WEIR_FLOAT64);
	weir_adds(&schema, "],\"outputs\":[]}");
	places = bins + 2;
	words = COUNTS + 2 * places;
	if (schema.full || !(summary = weir_alloc(words * 8))) return weir_out_of_memory(), 1;
	summary[VERSION] = 1;
	summary[PRINT] = fnv1a(fnv1a(14695981039346656037u, column, column_len), edges, (bins + 1) * sizeof *edges);
	return weir_metric_reset();
}

/* place is the number of edges <= x. */
static uint32_t place(double x) {
	uint32_t from = 0, to = places - 1;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (edges[middle] <= x) from = middle + 1;
		else to = middle;
	}
	return from;
}

int32_t WEIR_EXPORT(weir_metric_update)(uint32_t side, const weir_batch *in) {
	const weir_column *c = weir_find(in, column, column_len, WEIR_FLOAT64);
	if (!c) return 1;
	uint64_t *missing = summary + MISSING + (side & 1), *counts = summary + COUNTS + (side & 1) * places;
	const double *x = c->values;
	for (uint32_t r = 0; r < in->rows; r++) {
		if (x[r] - x[r] != 0 || weir_is_null(c, r)) ++*missing; /* NaN and infinities, too */
		else counts[place(x[r])]++;
	}
	return 0;
}

uint64_t WEIR_EXPORT(weir_metric_state)(void) { return weir_pack(summary, (uint32_t)words * 8); }

int32_t WEIR_EXPORT(weir_metric_merge)(const uint64_t *state, uint32_t len) {
	if (len < COUNTS * 8 || state[VERSION] != 1) return weir_fail("the state is not one of ks, version 1"), 1;
	if (len != words * 8 || state[PRINT] != summary[PRINT]) return weir_fail("the state is over another column or other bins"), 1;
	for (uint32_t i = MISSING; i < words; i++) summary[i] += state[i];
	return 0;
}

static uint64_t total(const uint64_t *counts) {
	uint64_t n = 0;
	for (uint32_t i = 0; i < places; i++) n += counts[i];
	return n;
}

static void add_count(const char *name, uint64_t n) {
	weir_adds(&scores, name);
	weir_add_number(&scores, (double)n);
}

uint64_t WEIR_EXPORT(weir_metric_finish)(void) {
	const uint64_t *a = summary + COUNTS, *b = a + places;
	uint64_t all_a = total(a), all_b = total(b), upto_a = 0, upto_b = 0;
	double value = 0;
	for (uint32_t i = 0; i < places && all_a && all_b; i++) {
		upto_a += a[i];
		upto_b += b[i];
		double d = __builtin_fabs((double)upto_a / (double)all_a - (double)upto_b / (double)all_b);
		if (d > value) value = d;
	}
	scores.len = 0;
	weir_adds(&scores, "[{\"column\":");
	weir_addq(&scores, column, column_len);
	weir_adds(&scores, ",\"name\":\"ks\",\"value\":");
	if (!all_a) weir_adds(&scores, "null,\"note\":\"the reference has no value that is not missing\"");
	else if (!all_b) weir_adds(&scores, "null,\"note\":\"the current sample has no value that is not missing\"");
	else weir_add_number(&scores, value);
	add_count(",\"detail\":{\"reference_count\":", all_a);
	add_count(",\"current_count\":", all_b);
	add_count(",\"reference_missing\":", summary[MISSING]);
	add_count(",\"current_missing\":", summary[MISSING + 1]);
	weir_adds(&scores, "}}]");
	return scores.full ? weir_out_of_memory(), 0 : weir_pack(scores.p, scores.len);
}
