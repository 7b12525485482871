/* PLUGIN_NAME passes a candidate whose metric is high enough.
 *
 * A gate answers pass, fail or review (a person must look), with reasons that a person can read and the figures they rest on. */
#include "weir_json.h"
#include <stdio.h>

static const char description[] =
	"{\"name\":\"PLUGIN_NAME\",\"version\":\"0.1.0\",\"summary\":\"Passes a candidate whose metric is high enough.\",\"worlds\":[\"gate\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"metric\",\"min\"],\"properties\":{"
	"\"metric\":{\"type\":\"string\",\"minLength\":1},\"min\":{\"type\":\"number\"}}}}";
static const char schema[] = "{\"inputs\":[],\"outputs\":[]}";

static const char *metric;
static uint32_t metric_len;
static double min;
static weir_text verdict;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	int have = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "metric", 6)) metric = weir_json_string(&r, &metric_len), have |= 1;
		else if (weir_same(key, n, "min", 3)) min = weir_json_number(&r), have |= 2;
		else return r.problem ? 1 : (weir_fail("parameters: unknown key %S", key, n), 1);
	}
	if (!weir_json_end(&r)) return 1;
	if (have != 3) return weir_fail("parameters: \"%s\" is missing", have & 1 ? "min" : "metric"), 1;
	return 0;
}

/* enter moves to the object that is the value of a member; 0 when that is something else, which it skips. */
static int enter(weir_json *r) { return weir_json_peek(r) == '{' ? weir_json_open(r, '{') : (weir_json_skip(r), 0); }

/* figure finds candidate.metrics[metric]; 0 when it is missing or no number. */
static int figure(weir_json *r, double *value) {
	const char *key;
	uint32_t n;
	int found = 0;
	weir_json_open(r, '{');
	while (weir_json_key(r, &key, &n)) {
		if (!weir_same(key, n, "candidate", 9)) { weir_json_skip(r); continue; }
		if (!enter(r)) continue;
		while (weir_json_key(r, &key, &n)) {
			if (!weir_same(key, n, "metrics", 7)) { weir_json_skip(r); continue; }
			if (!enter(r)) continue;
			while (weir_json_key(r, &key, &n)) {
				int c = weir_json_peek(r);
				if (weir_same(key, n, metric, metric_len) && (c == '-' || (c >= '0' && c <= '9'))) *value = weir_json_number(r), found = 1;
				else weir_json_skip(r);
			}
		}
	}
	return found;
}

static void add_number(double v) {
	char text[32];
	weir_add(&verdict, text, (uint32_t)snprintf(text, sizeof text, "%.17g", v));
}

uint64_t WEIR_EXPORT(weir_gate)(const char *context, uint32_t len) {
	weir_json r = weir_json_of(context, len);
	double value = 0;
	int found = figure(&r, &value);
	if (!weir_json_end(&r)) return 0;

	const char *outcome = !found ? "review" : value < min ? "fail" : "pass";
	char figures[80];
	verdict.len = 0;
	weir_adds(&verdict, "{\"outcome\":\"");
	weir_adds(&verdict, outcome);
	weir_adds(&verdict, "\",\"reasons\":[");
	weir_text reason = {0};
	weir_adds(&reason, found ? "" : "the candidate has no ");
	weir_add(&reason, metric, metric_len);
	if (found) weir_add(&reason, figures, (uint32_t)snprintf(figures, sizeof figures, " is %g, the minimum is %g", value, min));
	weir_addq(&verdict, reason.p, reason.len);
	weir_free(reason.p, reason.cap);
	weir_adds(&verdict, "],\"evidence\":{\"value\":");
	if (found) add_number(value);
	else weir_adds(&verdict, "null");
	weir_adds(&verdict, ",\"min\":");
	add_number(min);
	weir_adds(&verdict, "}}");
	return verdict.full ? weir_out_of_memory(), 0 : weir_pack(verdict.p, verdict.len);
}
