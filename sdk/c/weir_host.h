/* weir_host.h: what a guest may ask of the host (sdk/abi/ABI.md, section 9), on top of weir.h. Each function needs a grant: list it
 * in the Description, and the manifest of the plugin must give it. Gates and handlers may call all of them; everywhere else all but
 * weir_host_log are refused.
 *
 *   if (weir_host_kv_get("limits/eu", 9) == WEIR_DONE) {
 *       uint32_t n;
 *       char *value = weir_host_reply(&n);   // weir_free(value, n) gives it back; 0 when memory has run out
 *   }
 *
 * After any other status the reply is the text of the error. */
#ifndef WEIR_HOST_H
#define WEIR_HOST_H

#include "weir.h"

enum weir_status { WEIR_DONE, WEIR_ABSENT, WEIR_REFUSED, WEIR_LIMIT, WEIR_FAILED };
enum weir_level { WEIR_DEBUG, WEIR_INFO, WEIR_WARNING, WEIR_ERROR };

#define WEIR_IMPORT(name) __attribute__((import_module("weir:host"), import_name(#name))) extern

WEIR_IMPORT(log) int32_t weir_host_log(int32_t level, const char *text, uint32_t size);                  /* log */
WEIR_IMPORT(clock) int32_t weir_host_clock(int64_t *microseconds);                                       /* clock: since 1970, UTC */
WEIR_IMPORT(random) int32_t weir_host_random(void *to, uint32_t size);                                   /* random */
WEIR_IMPORT(kv_get) int32_t weir_host_kv_get(const char *key, uint32_t key_size);                        /* kv.read; the reply is the value */
WEIR_IMPORT(kv_put) int32_t weir_host_kv_put(const char *key, uint32_t key_size, const void *value, uint32_t size); /* kv.write */
WEIR_IMPORT(kv_delete) int32_t weir_host_kv_delete(const char *key, uint32_t key_size);                  /* kv.write */
WEIR_IMPORT(features_read) int32_t weir_host_features_read(const char *request, uint32_t size);          /* features.read; JSON → JSON */
WEIR_IMPORT(model_infer) int32_t weir_host_model_infer(const char *request, uint32_t size);              /* model.infer; JSON → JSON */
WEIR_IMPORT(http_request) int32_t weir_host_http_request(const char *request, uint32_t size);            /* http.out; JSON → JSON */
WEIR_IMPORT(reply_size) uint32_t weir_host_reply_size(void);
WEIR_IMPORT(reply_read) void weir_host_reply_read(void *to);

/* weir_host_reply copies the last call's reply, or its error's text, into fresh memory. */
WEIR_INLINE char *weir_host_reply(uint32_t *size) {
	*size = weir_host_reply_size();
	char *p = weir_alloc(*size);
	if (p) weir_host_reply_read(p);
	return p;
}

#endif
