/* hostile misbehaves on command: its gate's context names what to do, and its transform damages the header that the parameters
 * describe as "kind offset value": a batch header ("h"), or the first descriptor ("d"). */
#include "weir.h"

static const char description[] = "{\"name\":\"hostile\",\"version\":\"1\",\"worlds\":[\"transform\",\"gate\",\"metric\"]}";
static const char schema[] = "{\"inputs\":[],\"outputs\":[]}";
static const char verdict[] = "{\"outcome\":\"pass\",\"reasons\":[\"behaved\"]}";
static const char big[] = "{}";

static char mode[256];
static uint32_t mode_len;
static volatile uint32_t sink;

#define IS(s) weir_same(p, n, s, sizeof s - 1)

static uint32_t __attribute__((noinline)) fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static uint32_t __attribute__((noinline)) deep(uint32_t n) { volatile uint32_t x = n; return n == 0xffffffff ? 0 : deep(n + 1) + x; }
/* shallow uses no linear stack, so only the native stack can overflow. */
static uint32_t __attribute__((noinline)) shallow(uint32_t n) { return n == 0xffffffff ? 0 : shallow(n + 1) * 3 + 1; }

static uint64_t misbehave(const char *p, uint32_t n) {
	if (IS("loop")) for (;;) sink++;
	if (IS("empty loop")) for (;;) __asm__ volatile("");
	if (IS("fib")) sink = fib(80);
	if (IS("deep")) sink = deep(0);
	if (IS("shallow")) sink = shallow(0);
	if (IS("trap")) __builtin_trap();
	if (IS("divide")) { volatile int32_t a = 1, b = 0; sink = a / b; }
	if (IS("read far")) sink = *(volatile uint32_t *)0xfffffff0u;
	if (IS("write far")) *(volatile uint32_t *)0x7fffff00u = 1;
	if (IS("call nothing")) ((void (*)(int))(uintptr_t)99999)(1);
	if (IS("memory bomb")) { for (;;) { char *m = weir_alloc(1 << 20); if (!m) __builtin_trap(); __builtin_memset(m, 1, 1 << 20); } }
	if (IS("memory bomb, polite")) { while (weir_alloc(1 << 20)) {} weir_out_of_memory(); return 0; }
	if (IS("fill loop")) { char *m = weir_alloc(1 << 20); for (;;) { __builtin_memset(m, sink, 1 << 20); sink++; } }
	if (IS("error")) { weir_fail("it is %S's day", "friday\n", (uint32_t)7); return 0; }
	if (IS("silent error")) return 0;
	if (IS("far answer")) return weir_pack((void *)0xfffffff0u, 100);
	if (IS("huge answer")) return weir_pack(big, 0xffffffffu);
	if (IS("no document")) return weir_pack("nonsense", 8);
	if (IS("no outcome")) return weir_pack(big, 2);
	return weir_pack(verdict, sizeof verdict - 1);
}

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }
uint64_t WEIR_EXPORT(weir_gate)(const char *p, uint32_t n) { return misbehave(p, n); }

/* The parameters are a JSON string; what it holds is the mode. */
int32_t WEIR_EXPORT(weir_init)(const char *p, uint32_t n) {
	if (n < 2 || n - 2 > sizeof mode) return 0;
	mode_len = n - 2;
	__builtin_memcpy(mode, p + 1, mode_len);
	p = mode;
	n = mode_len;
	if (IS("init loop")) for (;;) sink++;
	if (IS("init error")) return weir_fail("no such parameters"), 1;
	return 0;
}

static uint32_t number(const char **p, const char *end) {
	uint32_t v = 0;
	while (*p < end && **p == ' ') ++*p;
	while (*p < end && **p >= '0' && **p <= '9') v = v * 10 + *(*p)++ - '0';
	return v;
}

/* Damages: "h OFFSET VALUE" and "d OFFSET VALUE" write 32 bits; "p VALUE" answers that pointer; anything else is honest. */
const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	static weir_batch head;
	static weir_column column[64];
	const char *p = mode, *end = mode + mode_len;
	if (!mode_len) return in;
	char kind = *p++;
	if (kind == 'p') return (const weir_batch *)(uintptr_t)number(&p, end);
	head = *in;
	head.column = column;
	__builtin_memcpy(column, in->column, (in->columns < 64 ? in->columns : 64) * sizeof *column);
	uint32_t at = number(&p, end), value = number(&p, end);
	if (kind == 'h' && at <= 28) __builtin_memcpy((char *)&head + at, &value, 4);
	if (kind == 'd' && at <= 28) __builtin_memcpy((char *)column + at, &value, 4);
	if (kind == 'x') { for (uint32_t i = 0; i < 1u << 20; i += 4) ((volatile char *)in)[i] = 0xff; } /* scribbles over the arena */
	return &head;
}

/* The metric counts calls, which shows whether an instance that failed is used again. */
static uint32_t updates;
int32_t WEIR_EXPORT(weir_metric_update)(uint32_t side, const weir_batch *in) { updates++; if (in->rows == 13) __builtin_trap(); return 0; }
uint64_t WEIR_EXPORT(weir_metric_state)(void) { return weir_pack(&updates, 4); }
int32_t WEIR_EXPORT(weir_metric_merge)(const char *p, uint32_t n) { return n == 4 ? 0 : (weir_fail("a state has 4 bytes, not %u", n), 1); }
uint64_t WEIR_EXPORT(weir_metric_finish)(void) { return weir_pack("[]", 2); }
int32_t WEIR_EXPORT(weir_metric_reset)(void) { updates = 0; return 0; }
