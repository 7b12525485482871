/* The JSON function for Redpanda Connect's wasm processor: the module benthos_wasm gives and takes the message's bytes. */
#include "logic.h"

__attribute__((import_module("benthos_wasm"), import_name("v0_msg_as_bytes"))) uint64_t msg_as_bytes(void);
__attribute__((import_module("benthos_wasm"), import_name("v0_msg_set_bytes"))) void msg_set_bytes(const void *p, uint32_t n);

/* The host frees by address alone: the size lies before it. */
__attribute__((export_name("malloc"))) void *lend(uint32_t n) {
	uint32_t *p = weir_alloc(n + 16);
	p[0] = n + 16;
	return p + 4;
}
__attribute__((export_name("free"))) void take_back(void *p) {
	uint32_t *q = (uint32_t *)p - 4;
	weir_free(q, q[0]);
}

void WEIR_EXPORT(process)(void) {
	uint64_t m = msg_as_bytes();
	if (!logic((const char *)(uintptr_t)(m >> 32), (uint32_t)m)) __builtin_trap();
	msg_set_bytes(answer.p, answer.len);
}
