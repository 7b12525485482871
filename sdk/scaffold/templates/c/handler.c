/* PLUGIN_NAME greets whoever the path names.
 *
 * A handler answers HTTP requests and events. Both come as a document, and so does the answer: sdk/weir_http.h reads and writes them. */
#include "weir_http.h"

static const char description[] =
	"{\"name\":\"PLUGIN_NAME\",\"version\":\"0.1.0\",\"summary\":\"Greets whoever the path names.\",\"worlds\":[\"handler\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"greeting\":{\"type\":\"string\",\"default\":\"hello\"}}}}";
static const char schema[] = "{\"inputs\":[],\"outputs\":[]}";

static const char *greeting = "hello";
static uint32_t greeting_len = 5;
static weir_text body;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "greeting", 8)) greeting = weir_json_string(&r, &greeting_len);
		else return r.problem ? 1 : (weir_fail("parameters: unknown key %S", key, n), 1);
	}
	return !weir_json_end(&r);
}

uint64_t WEIR_EXPORT(weir_handle)(const char *document, uint32_t len) {
	weir_request q;
	if (!weir_request_of(&q, document, len)) return 0;
	if (weir_same(q.kind.p, q.kind.len, "http", 4) && !weir_same(q.method.p, q.method.len, "GET", 3))
		return weir_respond(405, "text/plain; charset=utf-8", "only GET\n", 9);
	body.len = 0;
	weir_add(&body, greeting, greeting_len);
	weir_adds(&body, ", ");
	if (q.path.len > 1) weir_add(&body, q.path.p + 1, q.path.len - 1); /* without the slash */
	else weir_adds(&body, "world");
	weir_adds(&body, "\n");
	return weir_respond(200, "text/plain; charset=utf-8", body.p, body.len);
}
