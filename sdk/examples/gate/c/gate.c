/* gate passes a candidate whose metric is at least a minimum and has not dropped by more than is allowed from the baseline's; it asks for a person's
 * look when the candidate has no such metric. */
#include "weir_json.h"
#include "weir_math.h"

static const char description[] =
	"{\"name\":\"gate\",\"version\":\"1.0.0\",\"summary\":\"Passes a candidate that is good enough and not much worse than the baseline.\",\"worlds\":[\"gate\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"metric\",\"min\",\"max_drop\"],\"properties\":{"
	"\"metric\":{\"type\":\"string\",\"minLength\":1},\"min\":{\"type\":\"number\"},\"max_drop\":{\"type\":\"number\",\"minimum\":0}}}}";

static const char *metric;
static uint32_t metric_len;
static double least, max_drop;
static weir_text reason, verdict;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack("{\"inputs\":[],\"outputs\":[]}", 26); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n, have = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "metric", 6)) metric = weir_json_string(&r, &metric_len);
		else if (weir_same(key, n, "min", 3)) least = weir_json_number(&r), have |= 1;
		else if (weir_same(key, n, "max_drop", 8)) max_drop = weir_json_number(&r), have |= 2;
		else weir_json_unknown(&r, key, n);
	}
	if (!weir_json_end(&r)) return 1;
	if (!metric_len || have != 3) return weir_fail("parameters: \"metric\", \"min\" and \"max_drop\" are needed"), 1;
	if (max_drop < 0) return weir_fail("parameters: max_drop is negative"), 1;
	return 0;
}

/* enter opens an object; any other value is passed over, as if it were an object without members. */
static int enter(weir_json *r) {
	if (weir_json_peek(r) == '{') return weir_json_open(r, '{');
	weir_json_skip(r);
	return 0;
}

/* figure reads one side of the context: the metric's value, NaN when there is no number. */
static double figure(weir_json *r) {
	const char *key;
	uint32_t n;
	double v = WEIR_NAN;
	if (!enter(r)) return v;
	while (weir_json_key(r, &key, &n)) {
		if (!weir_same(key, n, "metrics", 7) || !enter(r)) { if (!weir_same(key, n, "metrics", 7)) weir_json_skip(r); continue; }
		while (weir_json_key(r, &key, &n)) {
			int c = weir_json_peek(r);
			if (weir_same(key, n, metric, metric_len) && (c == '-' || (c >= '0' && c <= '9'))) v = weir_json_number(r);
			else weir_json_skip(r);
		}
	}
	return v;
}

/* say appends texts and figures to the reason: a figure for each %, with six decimals. */
static void say(const char *format, ...) {
	va_list a;
	va_start(a, format);
	for (; *format; format++) {
		if (*format != '%') { weir_add(&reason, format, 1); continue; }
		double v = va_arg(a, double), scaled = __builtin_fabs(v) * 1000000;
		if (v >= 1e9 || v <= -1e9) { weir_adds(&reason, v > 0 ? "over 999999999" : "under -999999999"); continue; }
		uint64_t n = (uint64_t)scaled;
		if (scaled - (double)n >= 0.5) n++;
		if (v < 0 && n) weir_adds(&reason, "-");
		weir_addu(&reason, (uint32_t)(n / 1000000));
		char decimals[7] = ".000000";
		for (uint32_t i = 6, rest = (uint32_t)(n % 1000000); i; i--, rest /= 10) decimals[i] = (char)('0' + rest % 10);
		weir_add(&reason, decimals, 7);
	}
	va_end(a);
}

/* end_reason moves the reason to the verdict. */
static void end_reason(void) {
	if (verdict.p[verdict.len - 1] != '[') weir_adds(&verdict, ",");
	weir_addq(&verdict, reason.p, reason.len);
	reason.len = 0;
}

static void begin_reason(void) {
	weir_add(&reason, metric, metric_len);
}

uint64_t WEIR_EXPORT(weir_gate)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	double candidate = WEIR_NAN, baseline = WEIR_NAN;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "candidate", 9)) candidate = figure(&r);
		else if (weir_same(key, n, "baseline", 8)) baseline = figure(&r);
		else weir_json_skip(&r);
	}
	if (!weir_json_end_as(&r, "context")) return 0;

	double drop = baseline - candidate; /* NaN without a baseline: then it is above nothing */
	int absent = candidate != candidate, low = candidate < least, worse = drop > max_drop;
	verdict.len = reason.len = 0;
	weir_adds(&verdict, absent ? "{\"outcome\":\"review\",\"reasons\":[" : low || worse ? "{\"outcome\":\"fail\",\"reasons\":[" : "{\"outcome\":\"pass\",\"reasons\":[");
	if (absent) {
		weir_adds(&reason, "the candidate has no finite ");
		weir_add(&reason, metric, metric_len);
		end_reason();
	}
	if (low) begin_reason(), say(" % is below the minimum %", candidate, least), end_reason();
	if (worse) begin_reason(), say(" % drops by % from the baseline %, more than the % allowed", candidate, drop, baseline, max_drop), end_reason();
	if (!absent && !low && !worse) {
		begin_reason();
		say(" % is at least the minimum %", candidate, least);
		if (baseline == baseline) say(" and drops by no more than % from the baseline %", max_drop, baseline);
		else say("; there is no baseline");
		end_reason();
	}
	weir_adds(&verdict, "],\"evidence\":{\"candidate\":");
	weir_add_number(&verdict, candidate);
	weir_adds(&verdict, ",\"baseline\":");
	weir_add_number(&verdict, baseline);
	weir_adds(&verdict, "}}");
	return verdict.full || reason.full ? weir_out_of_memory(), 0 : weir_pack(verdict.p, verdict.len);
}
