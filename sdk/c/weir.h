/* weir.h: everything a plugin in C needs to speak weir's batch ABI (sdk/abi/ABI.md), in one header without a libc.
 *
 * Include it in exactly one C file, define the exports of your world (WEIR_EXPORT below), and build with
 *   cc --target=wasm32-wasi -O3 -s -mexec-model=reactor -Wl,-z,stack-size=65536 -msimd128 -I sdk/c -o my.wasm my.c
 * plugins/identity is the smallest example, sdk/examples has seven real ones. JSON parameters: weir_json.h; a logarithm that vectorises:
 * weir_math.h; what a guest may ask of the host: weir_host.h. README.md tells what is where.
 *
 * The header itself exports memory management (weir_alloc, weir_free), weir_abi_version and weir_error. */
#ifndef WEIR_H
#define WEIR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_EXPORT(name) __attribute__((export_name(#name))) name

enum { WEIR_ABI = 1, WEIR_MAGIC = 0x31544257, WEIR_MAX_ROWS = 8192 };

enum weir_type {
	WEIR_BOOL = 1, WEIR_INT32, WEIR_INT64, WEIR_FLOAT32, WEIR_FLOAT64, WEIR_UTF8, WEIR_BINARY, WEIR_TIMESTAMP, WEIR_FLOAT_VECTOR
};

/* A column descriptor and a batch header exactly as they lie in memory: 32 bytes each. */
typedef struct {
	uint8_t type, zero[3];
	uint32_t list_size;      /* elements a row of a float vector, otherwise 0 */
	const char *name;        /* not NUL-terminated */
	uint32_t name_len;
	const uint8_t *validity; /* 0: every row has a value */
	const int32_t *offsets;  /* rows+1, only for utf8 and binary */
	const void *values;
	uint32_t bytes;
} weir_column;

typedef struct {
	uint32_t magic;
	uint16_t version, flags;
	uint32_t rows, columns;
	const weir_column *column;
	uint32_t zero;
	uint64_t zero64;
} weir_batch;

_Static_assert(sizeof(weir_column) == 32 && sizeof(weir_batch) == 32, "the ABI's layout");

/* A value in a row of weir_row (ABI.md, section 10); a float_vector takes as many bytes as it needs instead, 8-aligned. */
typedef union {
	int64_t i64; /* bool, int32, int64, timestamp */
	float f32;   /* the other half is 0 */
	double f64;
	struct { const char *p; uint32_t len; } text; /* utf8, binary */
} weir_cell;

_Static_assert(sizeof(weir_cell) == 8, "the ABI's layout");

#define WEIR_INLINE static inline __attribute__((unused))

WEIR_INLINE int weir_is_null(const weir_column *c, uint32_t row) { return c->validity && !(c->validity[row >> 3] >> (row & 7) & 1); }
WEIR_INLINE uint64_t weir_pack(const void *p, uint32_t n) { return (uint64_t)(uint32_t)(uintptr_t)p << 32 | n; }
WEIR_INLINE uint32_t weir_strlen(const char *s) { uint32_t n = 0; while (s[n]) n++; return n; }
WEIR_INLINE int weir_same(const char *a, uint32_t an, const char *b, uint32_t bn) {
	return an == bn && (an == 0 || __builtin_memcmp(a, b, an) == 0);
}

/* ---- memory: a first-fit free list over memory.grow, kept in address order so that neighbours join again ---- */

typedef struct weir_block { uint32_t size; struct weir_block *next; } weir_block;
static weir_block *weir_free_list;

static void weir_give(void *p, uint32_t size) {
	weir_block *b = p, *prev = 0, *at = weir_free_list;
	while (at && at < b) { prev = at; at = at->next; }
	b->size = size;
	b->next = at;
	if (at && (char *)b + size == (char *)at) { b->size += at->size; b->next = at->next; }
	if (prev && (char *)prev + prev->size == (char *)b) { prev->size += b->size; prev->next = b->next; }
	else if (prev) prev->next = b;
	else weir_free_list = b;
}

/* weir_alloc returns size bytes, 8-aligned, or 0 when memory has run out. The contents are unspecified. */
__attribute__((export_name("weir_alloc"))) void *weir_alloc(uint32_t size) {
	if (size > 0x7ffffff0u) return 0;
	size = size < 16 ? 16 : (size + 15) & ~15u;
	for (weir_block **link = &weir_free_list; *link; link = &(*link)->next) {
		weir_block *b = *link;
		if (b->size < size) continue;
		if (b->size == size) { *link = b->next; return b; }
		b->size -= size;
		return (char *)b + b->size;
	}
	/* Fresh pages from memory.grow only, so that a libc's own malloc beside this one stays whole. */
	size_t pages = (size + 65535u) >> 16, at = __builtin_wasm_memory_grow(0, pages);
	if (at == (size_t)-1) return 0;
	if ((pages << 16) > size) weir_give((char *)(at << 16) + size, (uint32_t)((pages << 16) - size));
	return (void *)(at << 16);
}

/* weir_free takes back what weir_alloc(size) gave. */
__attribute__((export_name("weir_free"))) void weir_free(void *p, uint32_t size) {
	if (p) weir_give(p, size < 16 ? 16 : (size + 15) & ~15u);
}

__attribute__((export_name("weir_abi_version"))) int32_t weir_abi_version(void) { return WEIR_ABI; }

/* ---- text that grows ---- */

typedef struct { char *p; uint32_t len, cap; int full; /* memory ran out: the text is cut */ } weir_text;

static void weir_add(weir_text *t, const char *s, uint32_t n) {
	if (t->len + n > t->cap) {
		uint32_t cap = (t->len + n) * 2 + 64;
		char *p = weir_alloc(cap);
		if (!p) { t->full = 1; return; }
		if (t->len) __builtin_memcpy(p, t->p, t->len);
		weir_free(t->p, t->cap);
		t->p = p;
		t->cap = cap;
	}
	if (n) __builtin_memcpy(t->p + t->len, s, n);
	t->len += n;
}
WEIR_INLINE void weir_adds(weir_text *t, const char *s) { weir_add(t, s, weir_strlen(s)); }
static void weir_addu(weir_text *t, uint32_t v) {
	char d[10];
	int i = 10;
	do { d[--i] = '0' + v % 10; v /= 10; } while (v);
	weir_add(t, d + i, 10 - i);
}
/* weir_addq appends s as a JSON string. */
WEIR_INLINE void weir_addq(weir_text *t, const char *s, uint32_t n) {
	static const char hex[] = "0123456789abcdef";
	weir_add(t, "\"", 1);
	uint32_t from = 0; /* of what needs no escape */
	for (uint32_t i = 0; i < n; i++) {
		unsigned char c = s[i];
		if (c >= 0x20 && c != '"' && c != '\\') continue;
		char e[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		weir_add(t, s + from, i - from);
		from = i + 1;
		if (c < 0x20) weir_add(t, e, 6);
		else { e[1] = c; weir_add(t, e, 2); }
	}
	weir_add(t, s + from, n - from);
	weir_add(t, "\"", 1);
}

/* ---- errors ---- */

static weir_text weir_error_text;

/* weir_fail sets the error that the host reads when an export answers failure. Verbs: %s (text), %S (pointer, uint32_t length:
 * quoted), %u (uint32_t). It returns 0, so that exports can `return weir_fail(…)`. */
static int weir_fail(const char *format, ...) {
	va_list a;
	va_start(a, format);
	weir_error_text.len = 0;
	for (const char *f = format; *f; f++) {
		if (*f != '%') { weir_add(&weir_error_text, f, 1); continue; }
		if (*++f == 's') weir_adds(&weir_error_text, va_arg(a, const char *));
		else if (*f == 'S') { const char *p = va_arg(a, const char *); weir_addq(&weir_error_text, p, va_arg(a, uint32_t)); }
		else weir_addu(&weir_error_text, va_arg(a, uint32_t));
	}
	va_end(a);
	return 0;
}

__attribute__((export_name("weir_error"))) uint64_t weir_error(void) { return weir_pack(weir_error_text.p, weir_error_text.len); }

/* weir_out_of_memory is the text by which the host knows that the memory limit was hit. */
WEIR_INLINE int weir_out_of_memory(void) { return weir_fail("out of memory"); }

/* ---- batches ---- */

/* weir_type_name is the type's name as schemas write it. */
WEIR_INLINE const char *weir_type_name(uint8_t type) {
	switch (type) {
	case WEIR_BOOL: return "bool";
	case WEIR_INT32: return "int32";
	case WEIR_INT64: return "int64";
	case WEIR_FLOAT32: return "float32";
	case WEIR_FLOAT64: return "float64";
	case WEIR_UTF8: return "utf8";
	case WEIR_BINARY: return "binary";
	case WEIR_TIMESTAMP: return "timestamp";
	}
	return "float_vector";
}

/* weir_find answers the column of that name, which must have that type; otherwise 0, with the error set. */
WEIR_INLINE const weir_column *weir_find(const weir_batch *b, const char *name, uint32_t len, uint8_t type) {
	for (uint32_t i = 0; i < b->columns; i++) {
		const weir_column *c = &b->column[i];
		if (!weir_same(c->name, c->name_len, name, len)) continue;
		if (c->type == type) return c;
		return weir_fail("input column %S must be %s", name, len, weir_type_name(type)), (weir_column *)0;
	}
	return weir_fail("input column %S is missing", name, len), (weir_column *)0;
}

/* weir_add_field appends {"name":…,"type":…} to a schema, behind a comma unless a list has just been opened. */
WEIR_INLINE void weir_add_field(weir_text *t, const char *name, uint32_t len, uint8_t type) {
	if (t->len && t->p[t->len - 1] != '[') weir_add(t, ",", 1);
	weir_adds(t, "{\"name\":");
	weir_addq(t, name, len);
	weir_adds(t, ",\"type\":\"");
	weir_adds(t, weir_type_name(type));
	weir_adds(t, "\"}");
}

/* weir_buffer is memory that is used again from call to call, for outputs. */
typedef struct { void *p; uint32_t size; } weir_buffer;

/* weir_room makes the buffer hold that many bytes, whose contents are unspecified, and answers them; 0 with the error set. */
WEIR_INLINE void *weir_room(weir_buffer *b, uint64_t bytes) {
	if (b->p && bytes <= b->size) return b->p;
	if (b->p) weir_free(b->p, b->size);
	*b = (weir_buffer){0};
	if (bytes > 0x7fffffff || !(b->p = weir_alloc((uint32_t)bytes))) return weir_out_of_memory(), (void *)0;
	b->size = (uint32_t)bytes;
	return b->p;
}

/* ---- one row: validity words, then a cell for each column (when none is a float_vector) ---- */

WEIR_INLINE uint32_t weir_row_words(uint32_t columns) { return (columns + 63) / 64; }
WEIR_INLINE int weir_row_has(const uint64_t *row, uint32_t i) { return row[i >> 6] >> (i & 63) & 1; }
WEIR_INLINE const weir_cell *weir_row_cells(const uint64_t *row, uint32_t columns) { return (const weir_cell *)(row + weir_row_words(columns)); }

#endif
