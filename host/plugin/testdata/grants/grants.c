/* grants calls every function of weir:host on command. A script has lines of fields that tabs separate: a function's name and its
 * arguments; "#N" stands for N times x. The gate's context is a script, and its reasons are "status reply" of each line. A
 * transform and a metric run the script that the parameters hold as a JSON string (with ; for the ends of lines and | for tabs),
 * and answer all statuses as their error; behind a ! weir_init runs it. */
#include "weir_host.h"

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) extern
WASI(clock_time_get) int32_t wasi_clock(int32_t id, int64_t precision, int64_t *to);
WASI(random_get) int32_t wasi_random(void *to, uint32_t size);

static const char description[] = "{\"name\":\"grants\",\"version\":\"1\",\"worlds\":[\"transform\",\"gate\",\"metric\"],"
	"\"grants\":[\"log\",\"clock\",\"random\",\"kv.read:team/*\",\"kv.write:team/*\",\"features.read:clicks\",\"model.infer:churn\",\"http.out:example.org\"]}";
static const char schema[] = "{\"inputs\":[],\"outputs\":[]}";

static weir_text out;
static char script[4096];
static uint32_t script_len;

typedef struct { const char *p; uint32_t n; } text;

static uint32_t number(text t) {
	uint32_t v = 0;
	for (uint32_t i = 0; i < t.n; i++) v = v * 10 + t.p[i] - '0';
	return v;
}

/* field cuts the next field off a line. */
static text field(text *line) {
	text f = {line->p, 0};
	while (f.n < line->n && f.p[f.n] != '\t') f.n++;
	uint32_t cut = f.n < line->n ? f.n + 1 : f.n;
	line->p += cut;
	line->n -= cut;
	if (f.n > 1 && f.p[0] == '#') {
		uint32_t n = number((text){f.p + 1, f.n - 1});
		char *x = weir_alloc(n);
		if (!x) __builtin_trap();
		__builtin_memset(x, 'x', n);
		f = (text){x, n};
	}
	return f;
}

static void hex(weir_text *t, const uint8_t *p, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) {
		weir_add(t, &"0123456789abcdef"[p[i] >> 4], 1);
		weir_add(t, &"0123456789abcdef"[p[i] & 15], 1);
	}
}

static void run(text line, weir_text *to) {
	text name = field(&line);
	int32_t status = 9;
	weir_text reply = {0};
	uint8_t bytes[64] = {0};
	int64_t time = 0;
#define IS(s) weir_same(name.p, name.n, s, sizeof s - 1)
	if (IS("log")) { text l = field(&line), t = field(&line); status = weir_host_log(number(l), t.p, t.n); }
	if (IS("clock")) { status = weir_host_clock(&time); if (!status) hex(&reply, (uint8_t *)&time, 8); }
	if (IS("random")) { uint32_t n = number(field(&line)); status = weir_host_random(bytes, n); if (!status) hex(&reply, bytes, n < 64 ? n : 64); }
	if (IS("kv_get")) { text k = field(&line); status = weir_host_kv_get(k.p, k.n); }
	if (IS("kv_put")) { text k = field(&line), v = field(&line); status = weir_host_kv_put(k.p, k.n, v.p, v.n); }
	if (IS("kv_delete")) { text k = field(&line); status = weir_host_kv_delete(k.p, k.n); }
	if (IS("features_read")) { text d = field(&line); status = weir_host_features_read(d.p, d.n); }
	if (IS("model_infer")) { text d = field(&line); status = weir_host_model_infer(d.p, d.n); }
	if (IS("http_request")) { text d = field(&line); status = weir_host_http_request(d.p, d.n); }
	if (IS("wasi_wall")) { status = wasi_clock(0, 0, &time); hex(&reply, (uint8_t *)&time, 8); }
	if (IS("wasi_mono")) { status = wasi_clock(1, 0, &time); hex(&reply, (uint8_t *)&time, 8); }
	if (IS("wasi_random")) { status = wasi_random(bytes, 8); hex(&reply, bytes, 8); }
	if (IS("clock many")) for (uint32_t i = number(field(&line)); i; i--) status = weir_host_clock(&time);
	if (IS("kv_get many")) for (uint32_t i = number(field(&line)); i; i--) status = weir_host_kv_get("team/a", 6);
	if (IS("kv_get forever")) { text k = field(&line); for (;;) weir_host_kv_get(k.p, k.n); }
	if (IS("clock forever")) for (;;) weir_host_clock(&time);
	if (IS("log forever")) for (;;) weir_host_log(WEIR_INFO, "flood", 5);
	if (IS("kv_get at")) { text p = field(&line), n = field(&line); status = weir_host_kv_get((char *)(uintptr_t)number(p), number(n)); }
	if (IS("kv_put at")) { text p = field(&line), n = field(&line); status = weir_host_kv_put("team/a", 6, (void *)(uintptr_t)number(p), number(n)); }
	if (IS("log at")) { text p = field(&line), n = field(&line); status = weir_host_log(WEIR_INFO, (char *)(uintptr_t)number(p), number(n)); }
	if (IS("clock at")) status = weir_host_clock((int64_t *)(uintptr_t)number(field(&line)));
	if (IS("random at")) { text p = field(&line), n = field(&line); status = weir_host_random((void *)(uintptr_t)number(p), number(n)); }
	if (IS("http_request at")) { text p = field(&line), n = field(&line); status = weir_host_http_request((char *)(uintptr_t)number(p), number(n)); }
	if (IS("reply_read at")) { status = weir_host_kv_get("", 0); weir_host_reply_read((void *)(uintptr_t)number(field(&line))); }
	uint32_t n;
	if (IS("kv_get quiet")) { text k = field(&line); weir_adds(to, weir_host_kv_get(k.p, k.n) ? "\"failed\"" : "\"quiet\""); return; }
	if (!reply.len && (reply.p = weir_host_reply(&n))) reply.len = n;
	weir_text whole = {0};
	weir_addu(&whole, (uint32_t)status);
	if (reply.len) { weir_adds(&whole, " "); weir_add(&whole, reply.p, reply.len); }
	weir_addq(to, whole.p, whole.len);
}

/* all runs a script's lines and answers a JSON array. */
static void all(const char *p, uint32_t n, weir_text *to) {
	text rest = {p, n};
	weir_adds(to, "[");
	for (int first = 1; rest.n; first = 0) {
		text line = {rest.p, 0};
		while (line.n < rest.n && line.p[line.n] != '\n') line.n++;
		uint32_t cut = line.n < rest.n ? line.n + 1 : line.n;
		rest.p += cut;
		rest.n -= cut;
		if (!first) weir_adds(to, ",");
		run(line, to);
	}
	weir_adds(to, "]");
}

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }

uint64_t WEIR_EXPORT(weir_gate)(const char *p, uint32_t n) {
	out.len = 0;
	weir_adds(&out, "{\"outcome\":\"pass\",\"reasons\":");
	all(p, n, &out);
	weir_adds(&out, "}");
	return weir_pack(out.p, out.len);
}

static int statuses(void) {
	weir_text t = {0};
	all(script, script_len, &t);
	weir_add(&t, "", 1);
	return weir_fail("%s", t.p);
}

int32_t WEIR_EXPORT(weir_init)(const char *p, uint32_t n) {
	if (n < 2 || p[0] != '"' || n - 2 > sizeof script) return 0;
	int now = p[1] == '!';
	script_len = n - 2 - now;
	__builtin_memcpy(script, p + 1 + now, script_len);
	for (uint32_t i = 0; i < script_len; i++) script[i] = script[i] == '|' ? '\t' : script[i] == ';' ? '\n' : script[i];
	return now ? (statuses(), 1) : 0;
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) { return script_len ? (statuses(), (weir_batch *)0) : in; }
int32_t WEIR_EXPORT(weir_metric_update)(int32_t side, const weir_batch *in) { return script_len ? (statuses(), 1) : 0; }
uint64_t WEIR_EXPORT(weir_metric_state)(void) { return script_len ? (statuses(), 0) : weir_pack("0", 1); }
int32_t WEIR_EXPORT(weir_metric_merge)(const char *p, uint32_t n) { return script_len ? (statuses(), 1) : 0; }
uint64_t WEIR_EXPORT(weir_metric_finish)(void) { return script_len ? (statuses(), 0) : weir_pack("[]", 2); }
int32_t WEIR_EXPORT(weir_metric_reset)(void) { return 0; }
