/* metric.h: the frame of the built-in metrics. One includes this file, and defines
 *
 *   DESCRIBE({"name":"…","version":"1.0.0",…})               the Description, as JSON
 *   enum { TAG = 0x…, … }                                     four bytes that begin a state; the last is its version
 *   static int setup(weir_json *r)                            reads the parameters, calls add_column
 *   static int update(uint32_t i, int side, const weir_column *c, uint32_t rows)
 *   static int save(uint32_t i, int side, weir_text *t)       appends the summary in a form that is the same for equal summaries
 *   static int load(uint32_t i, int side, state_reader *r)    adds what save wrote
 *   static int score(uint32_t i, weir_text *t)                appends Score objects, each begun by begin_score
 *   static void reset(void)
 *
 * side is 0 for the reference and 1 for the current sample. All but reset answer 0 with an error set. Every summary is made of integers,
 * or of sums that are exact, so that any split of the rows and any order of merges gives the same state. */
#ifndef METRIC_H
#define METRIC_H

#include "parameters.h"

enum { MAX_COLUMNS = 4096, MAX_NAME = 1024 };
#define TYPE(t) (1u << (t))
enum {
	INTEGERS = TYPE(WEIR_INT32) | TYPE(WEIR_INT64),
	NUMBER_TYPES = INTEGERS | TYPE(WEIR_FLOAT32) | TYPE(WEIR_FLOAT64),
	ALL_TYPES = 0x3fe,
};

#define JSON_TEXT(...) #__VA_ARGS__
#define DESCRIBE(...) \
	static const char description[] = JSON_TEXT(__VA_ARGS__); \
	uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }

static const char *const type_names[] = {"", "bool", "int32", "int64", "float32", "float64", "utf8", "binary", "timestamp", "float_vector"};

typedef struct {
	text name;
	uint32_t takes;  /* set of types */
	uint32_t before; /* its position in the last batch */
} metric_column;

static metric_column *columns;
static uint32_t column_count;
static uint64_t fingerprint = 0xcbf29ce484222325u; /* FNV-1a 64 of what the parameters fix: states of others are refused */
static weir_text document;

/* state_reader reads a state; wrong becomes 1 at the first read beyond its end or of something impossible. */
typedef struct { const uint8_t *at, *end; int wrong; } state_reader;

static int setup(weir_json *r);
static int update(uint32_t i, int side, const weir_column *c, uint32_t rows);
static int save(uint32_t i, int side, weir_text *t);
static int load(uint32_t i, int side, state_reader *r);
static int score(uint32_t i, weir_text *t);
static void reset(void);
static const uint32_t tag; /* TAG */

static void fix(const void *p, uint32_t n) {
	const uint8_t *b = p;
	for (uint32_t i = 0; i < n; i++) fingerprint = (fingerprint ^ b[i]) * 0x100000001b3u;
	fingerprint = (fingerprint ^ 0xff) * 0x100000001b3u; /* so that "ab","c" differs from "a","bc" */
}

/* add_column adds a column to look at; 0 = the error is set. */
static int add_column(text name, uint32_t takes) {
	if (!name.n || name.n > MAX_NAME) return wrong("a column's name has 1 to %u bytes", (uint32_t)MAX_NAME);
	for (uint32_t i = 0; i < column_count; i++)
		if (same_text(columns[i].name, name)) return wrong("column %S is listed twice", name);
	if (column_count == MAX_COLUMNS) return wrong("more than %u columns", (uint32_t)MAX_COLUMNS);
	if (!GROW(columns, column_count)) return 0;
	columns[column_count] = (metric_column){name, takes, column_count};
	column_count++;
	fix(name.p, name.n);
	return 1;
}

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	if (!setup(&r)) return 1;
	if (!weir_json_end(&r)) return 1;
	return 0;
}

uint64_t WEIR_EXPORT(weir_schema)(void) {
	static const char open[] = "{\"inputs\":[],\"outputs\":[]}";
	return weir_pack(open, sizeof open - 1);
}

static const weir_column *find(const weir_batch *b, metric_column *m) {
	if (m->before < b->columns) {
		const weir_column *c = &b->column[m->before];
		if (weir_same(c->name, c->name_len, m->name.p, m->name.n)) return c;
	}
	for (uint32_t i = 0; i < b->columns; i++) {
		const weir_column *c = &b->column[i];
		if (weir_same(c->name, c->name_len, m->name.p, m->name.n)) { m->before = i; return c; }
	}
	return weir_fail("input column %S is missing", m->name.p, m->name.n), (weir_column *)0;
}

int32_t WEIR_EXPORT(weir_metric_update)(uint32_t side, const weir_batch *b) {
	for (uint32_t i = 0; i < column_count; i++) {
		const weir_column *c = find(b, &columns[i]);
		if (!c) return 1;
		if (!(columns[i].takes >> c->type & 1)) {
			weir_fail("input column %S is %s, which this metric does not take", c->name, c->name_len, type_names[c->type]);
			return 1;
		}
		if (!update(i, (int)side, c, b->rows)) return 1;
	}
	return 0;
}

/* ---- states ---- */

WEIR_INLINE void put_byte(weir_text *t, uint8_t b) { weir_add(t, (const char *)&b, 1); }
/* put_count writes an unsigned LEB128. */
static void put_count(weir_text *t, uint64_t v) {
	for (; v > 0x7f; v >>= 7) put_byte(t, (uint8_t)(v | 0x80));
	put_byte(t, (uint8_t)v);
}
WEIR_INLINE void put_word(weir_text *t, uint64_t v) { weir_add(t, (const char *)&v, 8); }
static uint64_t get_count(state_reader *r) {
	uint64_t v = 0;
	for (int shift = 0; shift < 64; shift += 7) {
		if (r->at == r->end) break;
		uint8_t b = *r->at++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) return v;
	}
	r->wrong = 1;
	return 0;
}
static uint64_t get_word(state_reader *r) {
	uint64_t v = 0;
	if (r->end - r->at < 8) return r->wrong = 1, 0;
	__builtin_memcpy(&v, r->at, 8);
	r->at += 8;
	return v;
}

uint64_t WEIR_EXPORT(weir_metric_state)(void) {
	document.len = 0;
	document.full = 0;
	weir_add(&document, (const char *)&tag, 4);
	put_word(&document, fingerprint);
	for (uint32_t i = 0; i < column_count; i++)
		for (int side = 0; side < 2; side++)
			if (!save(i, side, &document)) return 0;
	if (document.full) return weir_out_of_memory(), 0;
	return weir_pack(document.p, document.len);
}

int32_t WEIR_EXPORT(weir_metric_merge)(const uint8_t *p, uint32_t n) {
	state_reader r = {p, p + n, 0};
	uint32_t got = 0;
	if (n >= 4) __builtin_memcpy(&got, p, 4);
	if (got != tag) return weir_fail("this is no state of this metric, or of another version of it"), 1;
	r.at += 4;
	if (get_word(&r) != fingerprint || r.wrong) return weir_fail("the state was made with other parameters"), 1;
	for (uint32_t i = 0; i < column_count; i++)
		for (int side = 0; side < 2; side++) {
			if (!load(i, side, &r)) return 1;
			if (r.wrong) return weir_fail("the state is damaged: byte %u of column %S", (uint32_t)(r.at - p), columns[i].name.p, columns[i].name.n), 1;
		}
	if (r.at != r.end) return weir_fail("the state is damaged: %u bytes too many", (uint32_t)(r.end - r.at)), 1;
	return 0;
}

int32_t WEIR_EXPORT(weir_metric_reset)(void) { return reset(), 0; }

/* ---- scores ---- */

static void put_uint(weir_text *t, uint64_t v) {
	char d[20];
	int i = 20;
	do { d[--i] = '0' + v % 10; v /= 10; } while (v);
	weir_add(t, d + i, 20 - i);
}

/* begin_score opens a Score of column i; value NaN is null, and then note says why. The caller adds members and the closing brace. */
static void begin_score(weir_text *t, uint32_t i, const char *name, double value, const char *note) {
	if (t->p[t->len - 1] != '[') weir_add(t, ",", 1);
	weir_adds(t, "{\"column\":");
	weir_addq(t, columns[i].name.p, columns[i].name.n);
	weir_adds(t, ",\"name\":\"");
	weir_adds(t, name);
	weir_adds(t, "\",\"value\":");
	weir_add_number(t, value);
	if (note) {
		weir_adds(t, ",\"note\":\"");
		weir_adds(t, note);
		weir_adds(t, "\"");
	}
	weir_adds(t, ",\"detail\":{");
}
static void member(weir_text *t, const char *key) {
	if (t->p[t->len - 1] != '{') weir_add(t, ",", 1);
	weir_add(t, "\"", 1);
	weir_adds(t, key);
	weir_add(t, "\":", 2);
}
WEIR_INLINE void member_count(weir_text *t, const char *key, uint64_t v) { member(t, key); put_uint(t, v); }
WEIR_INLINE void member_number(weir_text *t, const char *key, double v) { member(t, key); weir_add_number(t, v); }
WEIR_INLINE void end_score(weir_text *t) { weir_adds(t, "}}"); }

uint64_t WEIR_EXPORT(weir_metric_finish)(void) {
	document.len = 0;
	document.full = 0;
	weir_add(&document, "[", 1);
	for (uint32_t i = 0; i < column_count; i++)
		if (!score(i, &document)) return 0;
	weir_add(&document, "]", 1);
	if (document.full) return weir_out_of_memory(), 0;
	return weir_pack(document.p, document.len);
}

/* number_at reads row r of a column of numbers; the rows that hold none, nulls, NaN and infinities, are answered as NaN. */
WEIR_INLINE double number_at(const weir_column *c, uint32_t r) {
	double v;
	if (weir_is_null(c, r)) return __builtin_nan("");
	switch (c->type) {
	case WEIR_FLOAT64: v = ((const double *)c->values)[r]; break;
	case WEIR_FLOAT32: v = ((const float *)c->values)[r]; break;
	case WEIR_INT64: case WEIR_TIMESTAMP: return (double)((const int64_t *)c->values)[r];
	case WEIR_INT32: return ((const int32_t *)c->values)[r];
	default: return ((const uint8_t *)c->values)[r >> 3] >> (r & 7) & 1;
	}
	return v - v == 0 ? v : __builtin_nan("");
}

/* new_memory is cleared memory for n elements of a size; 0 with the error set. */
static void *new_memory(uint64_t n, uint32_t size) {
	if (n * size > 0x7fffffff) return weir_out_of_memory(), (void *)0;
	void *p = weir_alloc((uint32_t)(n * size));
	if (!p) return weir_out_of_memory(), p;
	__builtin_memset(p, 0, n * size);
	return p;
}

#endif
