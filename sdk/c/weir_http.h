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

/* The value of a base64 digit, 64 for every other byte. */
static const uint8_t weir_base64_digits[256] = {
#define X8 64, 64, 64, 64, 64, 64, 64, 64
	X8, X8, X8, X8, X8, 64, 64, 64, 62, 64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
	64, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64,
	64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
	X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8
#undef X8
};

/* weir_base64_decode decodes in place; 0 when the text is not base64 with its padding. */
static int weir_base64_decode(weir_bytes *b) {
	const uint8_t *p = (const uint8_t *)b->p;
	uint8_t *out = (uint8_t *)b->p;
	if (b->len % 4) return 0;
	uint32_t pad = b->len && p[b->len - 1] == '=' ? 1 + (p[b->len - 2] == '=') : 0, whole = b->len - (pad ? 4 : 0), bad = 0;
	for (uint32_t i = 0; i < whole; i += 4) {
		uint32_t a = weir_base64_digits[p[i]], c = weir_base64_digits[p[i + 1]], d = weir_base64_digits[p[i + 2]], e = weir_base64_digits[p[i + 3]];
		uint32_t v = a << 18 | c << 12 | d << 6 | e;
		bad |= a | c | d | e;
		out[0] = (uint8_t)(v >> 16);
		out[1] = (uint8_t)(v >> 8);
		out[2] = (uint8_t)v;
		out += 3;
	}
	if (pad) {
		uint32_t a = weir_base64_digits[p[whole]], c = weir_base64_digits[p[whole + 1]], d = pad == 1 ? weir_base64_digits[p[whole + 2]] : 0;
		bad |= a | c | d;
		*out++ = (uint8_t)(a << 2 | c >> 4);
		if (pad == 1) *out++ = (uint8_t)(c << 4 | d >> 2);
	}
	if (bad >> 6) return 0;
	b->len = (uint32_t)(out - (uint8_t *)b->p);
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
		if (i < 7) *(weir_bytes *)((char *)q + members[i].at) = weir_request_text(&r);
		else weir_json_skip(&r);
	}
	if (!weir_json_end(&r)) return weir_fail("the request, byte %u: %s", (uint32_t)(r.at - r.start), r.problem);
	return weir_base64_decode(&q->body) ? 1 : weir_fail("the request's body is not base64");
}

static weir_text weir_response;

WEIR_INLINE void weir_add_base64(weir_text *t, const char *text, uint32_t len) {
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = (const uint8_t *)text;
	char part[256];
	while (len >= 3) {
		uint32_t n = 0;
		for (; len >= 3 && n < sizeof part; len -= 3, p += 3, n += 4) {
			uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
			part[n] = digits[v >> 18];
			part[n + 1] = digits[v >> 12 & 63];
			part[n + 2] = digits[v >> 6 & 63];
			part[n + 3] = digits[v & 63];
		}
		weir_add(t, part, n);
	}
	if (len) {
		uint32_t v = (uint32_t)p[0] << 16 | (len > 1 ? (uint32_t)p[1] << 8 : 0);
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63], len > 1 ? digits[v >> 6 & 63] : '=', '='};
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
