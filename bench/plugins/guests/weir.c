/* The JSON function as a handler of weir. */
#include "logic.h"
#include "weir_http.h"

static const char description[] = "{\"name\":\"totals\",\"version\":\"1.0.0\",\"worlds\":[\"handler\"]}";
uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack("{\"inputs\":[],\"outputs\":[]}", 26); }
int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) { return 0; }

uint64_t WEIR_EXPORT(weir_handle)(const char *document, uint32_t len) {
	weir_request q;
	if (!weir_request_of(&q, document, len) || !logic(q.body.p, q.body.len)) return 0;
	return weir_respond(200, "application/json", answer.p, answer.len);
}
