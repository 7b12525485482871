/* The JSON function and a batch of numbers for Extism: input and output cross eight bytes at a time, as Extism's own kits do it. */
#include "logic.h"

#define ENV(name) __attribute__((import_module("extism:host/env"), import_name(#name)))
ENV(input_length) uint64_t input_length(void);
ENV(input_load_u64) uint64_t input_load_u64(uint64_t at);
ENV(input_load_u8) uint32_t input_load_u8(uint64_t at);
ENV(alloc) uint64_t host_alloc(uint64_t n);
ENV(store_u64) void store_u64(uint64_t at, uint64_t v);
ENV(store_u8) void store_u8(uint64_t at, uint32_t v);
ENV(output_set) void output_set(uint64_t at, uint64_t n);

static char *in;
static uint32_t room, len;

static void take(void) {
	len = (uint32_t)input_length();
	if (room < len + 8) {
		if (in) weir_free(in, room);
		in = weir_alloc(room = len * 2 + 64);
	}
	uint32_t i = 0;
	for (; i + 8 <= len; i += 8) *(uint64_t *)(in + i) = input_load_u64(i);
	for (; i < len; i++) in[i] = (char)input_load_u8(i);
}

static void give(const char *p, uint32_t n) {
	uint64_t at = host_alloc(n);
	uint32_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t v;
		__builtin_memcpy(&v, p + i, 8);
		store_u64(at + i, v);
	}
	for (; i < n; i++) store_u8(at + i, (uint8_t)p[i]);
	output_set(at, n);
}

int32_t WEIR_EXPORT(totals)(void) {
	take();
	if (!logic(in, len)) return 1;
	give(answer.p, answer.len);
	return 0;
}

/* standardise takes doubles, all of one column, and answers (x - 0.25) / 1.5. */
int32_t WEIR_EXPORT(standardise)(void) {
	take();
	double *x = (double *)in;
	for (uint32_t i = 0; i < len / 8; i++) x[i] = (x[i] - 0.25) / 1.5;
	give(in, len);
	return 0;
}
