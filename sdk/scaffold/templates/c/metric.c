/* PLUGIN_NAME compares, between a reference and a current sample, the share of values above a threshold.
 *
 * A metric is a summary that can be split and merged: the host may give the rows in any pieces to several instances and merge their
 * states in any order, and the answer must be the same. Whole numbers add up exactly, sums of doubles do not: keep counts. */
#include "weir_json.h"
#include <stdio.h>

static const char description[] =
	"{\"name\":\"PLUGIN_NAME\",\"version\":\"0.1.0\",\"summary\":\"How much the share of values above a threshold has moved.\",\"worlds\":[\"metric\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"column\",\"threshold\"],\"properties\":{"
	"\"column\":{\"type\":\"string\",\"minLength\":1},\"threshold\":{\"type\":\"number\"}}}}";

enum { STATE_VERSION = 1 };

/* The summary, which is also the state's bytes. */
static struct {
	uint64_t version;
	struct { uint64_t count, above; } side[2]; /* reference, current; nulls and NaN are not counted */
} sum;

static const char *name;
static uint32_t name_len;
static double threshold;
static weir_text schema, scores;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	int have = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "column", 6)) name = weir_json_string(&r, &name_len), have |= 1;
		else if (weir_same(key, n, "threshold", 9)) threshold = weir_json_number(&r), have |= 2;
		else return r.problem ? 1 : (weir_fail("parameters: unknown key %S", key, n), 1);
	}
	if (!weir_json_end(&r)) return 1;
	if (have != 3) return weir_fail("parameters: \"%s\" is missing", have & 1 ? "threshold" : "column"), 1;
	weir_adds(&schema, "{\"inputs\":[{\"name\":");
	weir_addq(&schema, name, name_len);
	weir_adds(&schema, ",\"type\":\"float64\"}],\"outputs\":[]}");
	return schema.full ? weir_out_of_memory(), 1 : 0;
}

int32_t WEIR_EXPORT(weir_metric_reset)(void) {
	__builtin_memset(&sum, 0, sizeof sum);
	sum.version = STATE_VERSION;
	return 0;
}

int32_t WEIR_EXPORT(weir_metric_update)(uint32_t side, const weir_batch *in) {
	const weir_column *c = 0;
	for (uint32_t i = 0; i < in->columns && !c; i++)
		if (weir_same(in->column[i].name, in->column[i].name_len, name, name_len)) c = &in->column[i];
	if (side > 1) return weir_fail("side %u is neither reference nor current", side), 1;
	if (!c) return in->rows ? weir_fail("input column %S is missing", name, name_len), 1 : 0;
	if (c->type != WEIR_FLOAT64) return weir_fail("input column %S must be float64", name, name_len), 1;
	const double *x = c->values;
	for (uint32_t i = 0; i < in->rows; i++) {
		if (weir_is_null(c, i) || x[i] != x[i]) continue;
		sum.side[side].count++;
		sum.side[side].above += x[i] > threshold;
	}
	return 0;
}

uint64_t WEIR_EXPORT(weir_metric_state)(void) { return weir_pack(&sum, sizeof sum); }

int32_t WEIR_EXPORT(weir_metric_merge)(const void *state, uint32_t len) {
	__typeof__(sum) other;
	if (len != sizeof other) return weir_fail("a state of %u bytes, not %u", len, (uint32_t)sizeof other), 1;
	__builtin_memcpy(&other, state, len);
	if (other.version != STATE_VERSION) return weir_fail("a state of another version"), 1;
	for (int i = 0; i < 2; i++) {
		sum.side[i].count += other.side[i].count;
		sum.side[i].above += other.side[i].above;
	}
	return 0;
}

/* More rows may follow: finishing changes nothing. */
uint64_t WEIR_EXPORT(weir_metric_finish)(void) {
	char text[120];
	scores.len = 0;
	weir_adds(&scores, "[{\"column\":");
	weir_addq(&scores, name, name_len);
	weir_adds(&scores, ",\"name\":\"share_above\",\"value\":");
	if (sum.side[0].count && sum.side[1].count) {
		double shift = (double)sum.side[1].above / (double)sum.side[1].count - (double)sum.side[0].above / (double)sum.side[0].count;
		weir_add(&scores, text, (uint32_t)snprintf(text, sizeof text, "%.17g", shift));
	} else {
		weir_adds(&scores, "null,\"note\":\"a side has no values\"");
	}
	weir_add(&scores, text, (uint32_t)snprintf(text, sizeof text, ",\"detail\":{\"reference_count\":%llu,\"current_count\":%llu}}]",
		(unsigned long long)sum.side[0].count, (unsigned long long)sum.side[1].count));
	return scores.full ? weir_out_of_memory(), 0 : weir_pack(scores.p, scores.len);
}
