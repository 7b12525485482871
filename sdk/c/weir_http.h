/* weir_http.h: the Request and Response of handlers (sdk/abi/ABI.md, section 6), on top of weir_json.h. */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include "weir_json.h"

/* weir_bytes are bytes with their length; p is 0 when there are none. */
typedef struct { const char *p; uint32_t len; } weir_bytes;

/* weir_request is what a handler is asked; what the document leaves out has the length 0. Headers are passed over: read them
 * from the document with weir_json.h. */
typedef struct { weir_bytes kind, method, path, query, subject, id, body; } weir_request;

/* One request is read at a time: its texts live until weir_request_of is called again. */
static struct { void *p; uint32_t size; } weir_request_parts[8];
static int weir_request_count;

static weir_bytes weir_request_text(weir_json *r) {
	const char *from = r->at;
	weir_bytes b;
	b.p = weir_json_string(r, &b.len);
	/* weir_json_string takes one byte more than lies between the quotes. */
	if (!r->problem && weir_request_count < 8) {
		while (*from != '"') from++;
		weir_request_parts[weir_request_count].p = (void *)b.p;
		weir_request_parts[weir_request_count++].size = (uint32_t)(r->at - from - 1);
	}
	return b;
}

static int weir_base64_digit(char c) {
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* weir_base64_decode decodes in place; 0 when the text is not base64 with its padding. */
static int weir_base64_decode(weir_bytes *b) {
	char *out = (char *)b->p;
	uint32_t n = 0, pad = 0;
	if (b->len % 4) return 0;
	for (uint32_t i = 0; i < b->len; i += 4) {
		uint32_t v = 0;
		for (int j = 0; j < 4; j++) {
			char c = b->p[i + j];
			int d = weir_base64_digit(c);
			if (c == '=' && i + 4 == b->len && j > 1) pad++, d = 0;
			else if (d < 0 || pad) return 0;
			v = v << 6 | (uint32_t)d;
		}
		for (uint32_t j = 0; j < 3 - pad; j++) out[n++] = (char)(v >> (16 - 8 * j));
	}
	b->len = n;
	return 1;
}

/* weir_request_of reads a request; 0 with the error set when that fails. */
WEIR_INLINE int weir_request_of(weir_request *q, const char *document, uint32_t len) {
	weir_json r = weir_json_of(document, len);
	const char *key;
	uint32_t n;
	while (weir_request_count) weir_request_count--, weir_free(weir_request_parts[weir_request_count].p, weir_request_parts[weir_request_count].size);
	*q = (weir_request){0};
	static const struct { const char *name; uint32_t at; } members[] = {
		{"kind", offsetof(weir_request, kind)}, {"method", offsetof(weir_request, method)}, {"path", offsetof(weir_request, path)},
		{"query", offsetof(weir_request, query)}, {"subject", offsetof(weir_request, subject)}, {"id", offsetof(weir_request, id)},
		{"body", offsetof(weir_request, body)}};
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		uint32_t i = 0;
		while (i < 7 && !weir_same(key, n, members[i].name, weir_strlen(members[i].name))) i++;
		weir_free((void *)key, n + 1);
		if (i < 7) *(weir_bytes *)((char *)q + members[i].at) = weir_request_text(&r);
		else weir_json_skip(&r);
	}
	if (!weir_json_end(&r)) return weir_fail("the request, byte %u: %s", (uint32_t)(r.at - r.start), r.problem);
	return weir_base64_decode(&q->body) ? 1 : weir_fail("the request's body is not base64");
}

static weir_text weir_response;

WEIR_INLINE void weir_add_base64(weir_text *t, const char *p, uint32_t len) {
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (uint32_t i = 0; i < len; i += 3) {
		uint32_t left = len - i, v = (uint32_t)(unsigned char)p[i] << 16;
		if (left > 1) v |= (uint32_t)(unsigned char)p[i + 1] << 8;
		if (left > 2) v |= (unsigned char)p[i + 2];
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=', left > 2 ? digits[v & 63] : '='};
		weir_add(t, four, 4);
	}
}

/* weir_respond makes the answer of weir_handle: `return weir_respond(200, "application/json", text, length);`. */
WEIR_INLINE uint64_t weir_respond(uint32_t status, const char *content_type, const char *body, uint32_t len) {
	weir_response.len = 0;
	weir_adds(&weir_response, "{\"status\":");
	weir_addu(&weir_response, status);
	weir_adds(&weir_response, ",\"headers\":{\"Content-Type\":[");
	weir_addq(&weir_response, content_type, weir_strlen(content_type));
	weir_adds(&weir_response, "]},\"body\":\"");
	weir_add_base64(&weir_response, body, len);
	weir_adds(&weir_response, "\"}");
	return weir_response.full ? (uint64_t)weir_out_of_memory() : weir_pack(weir_response.p, weir_response.len);
}

#endif
