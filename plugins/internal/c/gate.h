/* gate.h: the frame of the built-in gates in C. One includes this file, and defines
 *
 *   DESCRIBE({"name":"…","version":"1.0.0",…})     the Description, as JSON
 *   static int setup(weir_json *r)                 reads the parameters
 *   static int judge(weir_json *r)                 reads the context, and calls begin_reason … end_reason and evidence
 *
 * Both answer 0 with an error set. The outcome is the worst one given: fail before review before pass. */
#ifndef GATE_H
#define GATE_H

#include "parameters.h"
#include <stdio.h>
#include <stdlib.h>

#define JSON_TEXT(...) #__VA_ARGS__
#define DESCRIBE(...) \
	static const char description[] = JSON_TEXT(__VA_ARGS__); \
	uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }

static int setup(weir_json *r);
static int judge(weir_json *r);

typedef enum { PASS, REVIEW, FAIL } outcome;
static outcome worst;
static weir_text verdict, reasons, reason, evidence;

uint64_t WEIR_EXPORT(weir_schema)(void) {
	static const char open[] = "{\"inputs\":[],\"outputs\":[]}";
	return weir_pack(open, sizeof open - 1);
}

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	return !setup(&r) || !weir_json_end(&r);
}

/* say_number writes a number in the fewest digits that read back the same, of 15, 16 or 17. */
static void say_number(weir_text *t, double v) {
	char b[32];
	int n = 0;
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(b, sizeof b, "%.*g", digits, v);
		if (strtod(b, 0) == v) break;
	}
	weir_add(t, b, (uint32_t)n);
}

/* begin_reason starts a sentence; say_… and weir_adds go to &reason. end_reason ends it with the outcome that it speaks for. */
WEIR_INLINE void begin_reason(void) { reason.len = 0; }
static void end_reason(outcome o) {
	if (reasons.len) weir_add(&reasons, ",", 1);
	weir_addq(&reasons, reason.p, reason.len);
	if (o > worst) worst = o;
}
WEIR_INLINE void say_text(text t) { weir_addq(&reason, t.p, t.n); }

/* fact opens a member of the evidence; the caller writes its value. */
static void fact(text key) {
	if (evidence.len) weir_add(&evidence, ",", 1);
	weir_addq(&evidence, key.p, key.n);
	weir_add(&evidence, ":", 1);
}

/* enter opens an object; any other value is passed over, and 0 answered. */
static int enter(weir_json *r) {
	if (weir_json_peek(r) == '{') return weir_json_open(r, '{');
	weir_json_skip(r);
	return 0;
}

uint64_t WEIR_EXPORT(weir_gate)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	worst = PASS;
	verdict = (weir_text){verdict.p, 0, verdict.cap, 0};
	reasons = (weir_text){reasons.p, 0, reasons.cap, 0};
	evidence = (weir_text){evidence.p, 0, evidence.cap, 0};
	if (weir_json_peek(&r) != '{') return weir_fail("context: an object is expected"), 0;
	if (!judge(&r)) return 0;
	weir_adds(&verdict, "{\"outcome\":\"");
	weir_adds(&verdict, worst == PASS ? "pass" : worst == REVIEW ? "review" : "fail");
	weir_adds(&verdict, "\",\"reasons\":[");
	weir_add(&verdict, reasons.p, reasons.len);
	weir_adds(&verdict, "],\"evidence\":{");
	weir_add(&verdict, evidence.p, evidence.len);
	weir_adds(&verdict, "}}");
	if (verdict.full || reasons.full || evidence.full || reason.full) return weir_out_of_memory(), 0;
	return weir_pack(verdict.p, verdict.len);
}

#endif
