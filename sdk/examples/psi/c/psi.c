/* psi is the population stability index of a column: how far the shares of its bins in the current sample lie from those in the reference.
 * The summary is integer counts, so that any split of the rows and any order of merges gives the same state and the same score. */
#include "weir_json.h"
#include "weir_math.h"

static const char description[] =
	"{\"name\":\"psi\",\"version\":\"1.0.0\",\"summary\":\"Population stability index of a column over given bins.\",\"worlds\":[\"metric\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"column\",\"edges\"],\"properties\":{"
	"\"column\":{\"type\":\"string\",\"minLength\":1},"
	"\"edges\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":{\"type\":\"number\"}}}}}";

enum { MAX_EDGES = 1000 };

static const char *column;
static uint32_t column_len, edge_count;
static double edges[MAX_EDGES];
static weir_text schema, scores;

/* A sample's counts: bin i holds what has i edges that are not above it. */
typedef struct { uint64_t missing, bins[MAX_EDGES + 1]; } sample;

/* The summary is also the state: these bytes, version 1. print keeps apart summaries over other columns or edges. */
static struct { uint64_t version, print; sample side[2]; } summary;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

static uint64_t fnv1a(uint64_t h, const void *p, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)p)[i]) * 1099511628211u;
	return h;
}

int32_t WEIR_EXPORT(weir_metric_reset)(void) {
	__builtin_memset(summary.side, 0, sizeof summary.side);
	return 0;
}

static void read_edges(weir_json *r) {
	edge_count = 0;
	weir_json_open(r, '[');
	while (weir_json_next(r)) {
		double e = weir_json_number(r);
		if (edge_count == MAX_EDGES || (edge_count && e <= edges[edge_count - 1])) weir_json_wrong(r, "there are more than 1000 edges, or they do not ascend");
		else edges[edge_count++] = e;
	}
}

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "column", 6)) column = weir_json_string(&r, &column_len);
		else if (weir_same(key, n, "edges", 5)) read_edges(&r);
		else weir_json_unknown(&r, key, n);
	}
	if (!weir_json_end(&r)) return 1;
	if (!column_len || !edge_count) return weir_fail("parameters: \"column\" and \"edges\" are needed"), 1;
	weir_adds(&schema, "{\"inputs\":[");
	weir_add_field(&schema, column, column_len, WEIR_FLOAT64);
	weir_adds(&schema, "],\"outputs\":[]}");
	summary.version = 1;
	summary.print = fnv1a(fnv1a(14695981039346656037u, column, column_len), edges, edge_count * sizeof *edges);
	return schema.full ? weir_out_of_memory(), 1 : weir_metric_reset();
}

int32_t WEIR_EXPORT(weir_metric_update)(uint32_t side, const weir_batch *in) {
	const weir_column *c = weir_find(in, column, column_len, WEIR_FLOAT64);
	if (!c) return 1;
	sample *s = &summary.side[side & 1];
	const double *x = c->values;
	for (uint32_t r = 0; r < in->rows; r++) {
		if (x[r] - x[r] != 0 || weir_is_null(c, r)) { s->missing++; continue; } /* NaN and infinities */
		uint32_t from = 0, to = edge_count;
		while (from < to) {
			uint32_t middle = (from + to) / 2;
			if (edges[middle] <= x[r]) from = middle + 1;
			else to = middle;
		}
		s->bins[from]++;
	}
	return 0;
}

uint64_t WEIR_EXPORT(weir_metric_state)(void) { return weir_pack(&summary, sizeof summary); }

int32_t WEIR_EXPORT(weir_metric_merge)(const void *state, uint32_t len) {
	const uint64_t *other = state;
	uint64_t *ours = (uint64_t *)&summary;
	if (len != sizeof summary || other[0] != summary.version) return weir_fail("the state is not one of psi, version 1"), 1;
	if (other[1] != summary.print) return weir_fail("the state is over another column or other edges"), 1;
	for (uint32_t i = 2; i < sizeof summary / 8; i++) ours[i] += other[i];
	return 0;
}

static uint64_t total(const sample *s) {
	uint64_t n = 0;
	for (uint32_t i = 0; i <= edge_count; i++) n += s->bins[i];
	return n;
}

/* shares writes the share of each bin. Zeros become 0.0001, or a millionth of the least share where that is no larger than 0.0001. */
static void shares(const sample *s, double *out) {
	double all = (double)total(s), least = 1;
	for (uint32_t i = 0; i <= edge_count; i++) {
		out[i] = (double)s->bins[i] / all;
		if (out[i] > 0 && out[i] < least) least = out[i];
	}
	double zero = least > 0.0001 ? 0.0001 : least / 1000000;
	for (uint32_t i = 0; i <= edge_count; i++)
		if (out[i] == 0) out[i] = zero;
}

/* stability is the sum of (r - c) ln(r / c): both factors have the same sign, and ln(r / c) is log1p((r - c) / c). */
static double stability(void) {
	static double reference[MAX_EDGES + 1], current[MAX_EDGES + 1];
	double value = 0;
	shares(&summary.side[0], reference);
	shares(&summary.side[1], current);
	for (uint32_t i = 0; i <= edge_count; i++) {
		double r = reference[i], c = current[i], d = __builtin_fabs(r - c);
		value = value + d * weir_log1p(d / (r < c ? r : c));
	}
	return value;
}

static void add_count(const char *name, uint64_t n) {
	weir_adds(&scores, name);
	weir_add_number(&scores, (double)n);
}

uint64_t WEIR_EXPORT(weir_metric_finish)(void) {
	uint64_t reference = total(&summary.side[0]), current = total(&summary.side[1]);
	scores.len = 0;
	weir_adds(&scores, "[{\"column\":");
	weir_addq(&scores, column, column_len);
	weir_adds(&scores, ",\"name\":\"psi\",\"value\":");
	if (!reference) weir_adds(&scores, "null,\"note\":\"the reference has no value that is not missing\"");
	else if (!current) weir_adds(&scores, "null,\"note\":\"the current sample has no value that is not missing\"");
	else weir_add_number(&scores, stability());
	add_count(",\"detail\":{\"reference_count\":", reference);
	add_count(",\"current_count\":", current);
	add_count(",\"reference_missing\":", summary.side[0].missing);
	add_count(",\"current_missing\":", summary.side[1].missing);
	weir_adds(&scores, "}}]");
	return scores.full ? weir_out_of_memory(), 0 : weir_pack(scores.p, scores.len);
}
