/* numbers answers the numbers of its request's body, a JSON array, as weir_json.h reads and writes them. */
#include "weir_http.h"

static const char description[] = "{\"name\":\"numbers\",\"worlds\":[\"handler\"]}";
static const char schema[] = "{\"inputs\":[],\"outputs\":[]}";
static weir_text body;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }
int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) { (void)json; (void)len; return 0; }

uint64_t WEIR_EXPORT(weir_handle)(const char *document, uint32_t len) {
	weir_request q;
	if (!weir_request_of(&q, document, len)) return 0;
	weir_json r = weir_json_of(q.body.p, q.body.len);
	body.len = 0;
	weir_json_open(&r, '[');
	while (weir_json_next(&r)) {
		weir_add(&body, body.len ? "," : "[", 1);
		weir_add_number(&body, weir_json_number(&r));
	}
	if (!weir_json_end_as(&r, "the body")) return 0;
	weir_adds(&body, "]");
	return weir_respond(200, "application/json", body.p, body.len);
}
