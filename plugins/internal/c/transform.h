/* transform.h: the frame of the built-in transforms. One includes this file, and defines
 *
 *   DESCRIBE({"name":"…","version":"1.0.0",…})     the Description, as JSON
 *   static int setup(weir_json *r)                 reads the parameters, calls add_input and add_output
 *   static int run(uint32_t rows)                  reads in[i], writes values(i), for each output sets valid[i]; 0 = error
 *
 * It exports the functions of the transform world, and weir_row by running one row as a batch whose columns point into the row.
 * Input columns that the parameters do not name are passed over, unless setup sets refuse_others. setup and run answer 0 with an error set by wrong or weir_fail. */
#ifndef TRANSFORM_H
#define TRANSFORM_H

#include "parameters.h"

enum { MAX_COLUMNS = 4096, MAX_NAME = 1024, MAX_LIST = 1 << 20 };

/* Sets of types that an input takes. */
#define TYPE(t) (1u << (t))
enum {
	INTEGERS = TYPE(WEIR_INT32) | TYPE(WEIR_INT64),
	ANY_NUMBER = INTEGERS | TYPE(WEIR_FLOAT32) | TYPE(WEIR_FLOAT64) | TYPE(WEIR_BOOL),
};
static const char *const type_names[] = {"", "bool", "int32", "int64", "float32", "float64", "utf8", "binary", "timestamp", "float_vector"};

typedef struct {
	text name;
	uint8_t type;    /* in the Schema: what weir_row gets */
	uint32_t takes;  /* in a batch */
	uint32_t before; /* its position in the last batch */
	uint32_t at;     /* its place in a row, in 8 bytes */
} input;

typedef struct {
	text name;
	uint8_t type;
	uint32_t list_size;
	uint32_t at; /* its place in a row, in 8 bytes */
} output;

static input *inputs;
static output *outputs;
static uint32_t input_count, output_count;

static weir_column *in;          /* of this call */
static weir_column *out;         /* of this call: run sets validity (0 = no nulls); the frame has set all else, except for utf8 */
static weir_column *batch_out, *row_out;
static uint32_t capacity;        /* rows that the outputs of a batch hold */
static void *arena;
static uint32_t arena_size;
static uint8_t **bitmaps;        /* one for each output, for run to write validity to: see own_valid */
static uint8_t *row_bitmap;      /* the same of a row */
static uint64_t *row, *row_in_texts;
static uint32_t row_size;
static weir_batch result;
static weir_text schema;
static int refuse_others;        /* a column of the batch that is no input is an error */

static int setup(weir_json *r);
static int run(uint32_t rows);

#define JSON_TEXT(...) #__VA_ARGS__
#define DESCRIBE(...) \
	static const char description[] = JSON_TEXT(__VA_ARGS__); \
	uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }

static int check_name(text name) {
	if (!name.n) return wrong("a column's name is empty");
	if (name.n > MAX_NAME) return wrong("a column's name has more than %u bytes", (uint32_t)MAX_NAME);
	return 1;
}

/* find_input answers the index of the input of that name, or -1. */
static int32_t find_input(text name) {
	for (uint32_t i = 0; i < input_count; i++)
		if (same_text(inputs[i].name, name)) return i;
	return -1;
}

/* add_input_again adds an input column, or finds it when another part of the parameters names it too. -1 = the error is set. */
static int32_t add_input_again(text name, uint8_t type, uint32_t takes) {
	int32_t i = find_input(name);
	if (i >= 0) return inputs[i].type == type && inputs[i].takes == takes ? i : (wrong("column %S is used with two types", name), -1);
	if (!check_name(name)) return -1;
	if (input_count == MAX_COLUMNS) return wrong("more than %u input columns", (uint32_t)MAX_COLUMNS), -1;
	if (!GROW(inputs, input_count)) return -1;
	inputs[input_count] = (input){.name = name, .type = type, .takes = takes, .before = input_count};
	return input_count++;
}

/* add_input adds an input column, which must be a new one. -1 = the error is set. */
WEIR_INLINE int32_t add_input(text name, uint8_t type, uint32_t takes) {
	if (find_input(name) >= 0) return wrong("column %S is listed twice", name), -1;
	return add_input_again(name, type, takes);
}

/* add_output adds an output column; list_size is 0 unless it is a float vector. -1 = the error is set. */
static int32_t add_output(text name, uint8_t type, uint32_t list_size) {
	if (!check_name(name)) return -1;
	for (uint32_t i = 0; i < output_count; i++)
		if (same_text(outputs[i].name, name)) return wrong("two outputs would be named %S", name), -1;
	if (output_count == MAX_COLUMNS) return wrong("more than %u output columns", (uint32_t)MAX_COLUMNS), -1;
	if (!GROW(outputs, output_count)) return -1;
	outputs[output_count] = (output){.name = name, .type = type, .list_size = list_size};
	return output_count++;
}

/* joined answers a then b then c as one text; its p is 0 when memory has run out, and then add_output would refuse it. */
WEIR_INLINE text joined(text a, const char *b, text c) {
	weir_text t = {0};
	weir_add(&t, a.p, a.n);
	weir_adds(&t, b);
	weir_add(&t, c.p, c.n);
	return t.full ? (text){0} : (text){t.p, t.len};
}
WEIR_INLINE text numbered(text a, const char *b, uint32_t i) {
	weir_text t = {0};
	weir_add(&t, a.p, a.n);
	weir_adds(&t, b);
	weir_addu(&t, i);
	return t.full ? (text){0} : (text){t.p, t.len};
}

static void write_column(text name, uint8_t type, uint32_t list_size, int first) {
	weir_adds(&schema, first ? "{\"name\":" : ",{\"name\":");
	weir_addq(&schema, name.p, name.n);
	weir_adds(&schema, ",\"type\":\"");
	weir_adds(&schema, type_names[type]);
	if (list_size) {
		weir_adds(&schema, "\",\"list_size\":");
		weir_addu(&schema, list_size);
		weir_adds(&schema, "}");
	} else weir_adds(&schema, "\"}");
}

/* zeroed answers memory of zeros, or 0. */
static void *zeroed(uint32_t n) {
	void *p = weir_alloc(n);
	return p ? __builtin_memset(p, 0, n) : p;
}

/* prepare writes the Schema and lays out the columns and the row. */
static int prepare(void) {
	weir_adds(&schema, "{\"inputs\":[");
	for (uint32_t i = 0; i < input_count; i++) write_column(inputs[i].name, inputs[i].type, 0, !i);
	weir_adds(&schema, "],\"outputs\":[");
	for (uint32_t i = 0; i < output_count; i++) write_column(outputs[i].name, outputs[i].type, outputs[i].list_size, !i);
	weir_adds(&schema, "]}");
	for (uint32_t i = 0, at = (input_count + 63) / 64; i < input_count; i++) inputs[i].at = at++;
	uint32_t at = (output_count + 63) / 64;
	for (uint32_t i = 0; i < output_count; i++) {
		outputs[i].at = at;
		at += outputs[i].list_size ? (outputs[i].list_size + 1) / 2 : 1;
		if (at > 1u << 27) return weir_out_of_memory();
	}
	row_size = at * 8;
	in = zeroed(input_count * sizeof *in);
	batch_out = zeroed(output_count * sizeof *out);
	row_out = zeroed(output_count * sizeof *out);
	bitmaps = zeroed(output_count * sizeof *bitmaps);
	row_bitmap = zeroed(output_count);
	row = zeroed(row_size);
	row_in_texts = zeroed(input_count * 8);
	if (schema.full || !in || !batch_out || !row_out || !bitmaps || !row_bitmap || !row || !row_in_texts) return weir_out_of_memory();
	for (uint32_t i = 0; i < output_count; i++) {
		weir_column c = {.type = outputs[i].type, .list_size = outputs[i].list_size, .name = outputs[i].name.p, .name_len = outputs[i].name.n};
		batch_out[i] = row_out[i] = c;
		row_out[i].values = row + outputs[i].at;
	}
	result = (weir_batch){.magic = WEIR_MAGIC, .version = WEIR_ABI, .columns = output_count, .column = batch_out};
	return 1;
}

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	return !(setup(&r) && weir_json_end(&r) && prepare());
}

uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

static uint64_t value_bytes(const output *o, uint32_t rows) {
	switch (o->type) {
	case WEIR_BOOL: return (rows + 63) / 64 * 8;
	case WEIR_INT32: case WEIR_FLOAT32: return (uint64_t)rows * 4 + 7 & ~7ull;
	case WEIR_UTF8: case WEIR_BINARY: return 0;
	case WEIR_FLOAT_VECTOR: return (uint64_t)o->list_size * rows * 4 + 7 & ~7ull;
	}
	return (uint64_t)rows * 8;
}

/* reserve makes the outputs hold that many rows: room for the next power of two when that is to be had, otherwise for just these. */
static int reserve(uint32_t rows) {
	if (arena && rows <= capacity) return 1;
	weir_free(arena, arena_size);
	arena = 0;
	uint32_t want = 64;
	while (want < rows) want *= 2;
	for (;; want = (rows + 63) & ~63u) {
		uint64_t size = 0;
		for (uint32_t i = 0; i < output_count; i++) size += value_bytes(&outputs[i], want) + (want + 63) / 64 * 8;
		if (size <= 0x7fffffff && (arena = weir_alloc((uint32_t)size))) { arena_size = (uint32_t)size; break; }
		if (want <= ((rows + 63) & ~63u)) return capacity = 0, weir_out_of_memory();
	}
	capacity = want;
	char *at = arena;
	for (uint32_t i = 0; i < output_count; i++) {
		batch_out[i].values = at;
		at += value_bytes(&outputs[i], want);
		bitmaps[i] = (uint8_t *)at;
		at += (want + 63) / 64 * 8;
	}
	return 1;
}

/* values is where the values of an output go. */
#define values(i) ((void *)out[i].values)

/* own_valid sets the output's validity to a bitmap of its own and answers that: run must write each of its bytes that has rows. */
WEIR_INLINE uint8_t *own_valid(uint32_t i) {
	uint8_t *p = out == row_out ? &row_bitmap[i] : bitmaps[i];
	out[i].validity = p;
	return p;
}

/* resolve finds the inputs in a batch: where they were the last time, nearly always. */
static int resolve(const weir_batch *b) {
	for (uint32_t i = 0; i < input_count; i++) {
		input *p = &inputs[i];
		const weir_column *c = b->column;
		uint32_t j = p->before;
		if (j >= b->columns || !weir_same(c[j].name, c[j].name_len, p->name.p, p->name.n))
			for (j = 0; j < b->columns && !weir_same(c[j].name, c[j].name_len, p->name.p, p->name.n); j++) {}
		if (j >= b->columns) return weir_fail("input column %S is missing", p->name.p, p->name.n);
		p->before = j;
		if (!(p->takes >> c[j].type & 1)) {
			weir_fail("input column %S is %s, it must be ", p->name.p, p->name.n, type_names[c[j].type]);
			for (uint32_t t = WEIR_FLOAT_VECTOR, n = 0; t; t--)
				if (p->takes >> t & 1) {
					if (n++) weir_adds(&weir_error_text, p->takes & (TYPE(t) - 1) ? ", " : " or ");
					weir_adds(&weir_error_text, type_names[t]);
				}
			return 0;
		}
		in[i] = c[j];
	}
	if (refuse_others && b->columns > input_count)
		for (uint32_t j = 0; j < b->columns; j++) {
			text name = {b->column[j].name, b->column[j].name_len};
			if (find_input(name) < 0) return weir_fail("input column %S is not among the parameters", name.p, name.n);
		}
	return 1;
}

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *b) {
	uint32_t rows = b->rows;
	if (!reserve(rows) || !resolve(b)) return 0;
	out = batch_out;
	if (!run(rows)) return 0;
	for (uint32_t i = 0; i < output_count; i++)
		switch (outputs[i].type) {
		case WEIR_BOOL: out[i].bytes = (rows + 7) / 8; break;
		case WEIR_INT32: case WEIR_FLOAT32: out[i].bytes = rows * 4; break;
		case WEIR_FLOAT_VECTOR: out[i].bytes = rows * outputs[i].list_size * 4; break;
		case WEIR_UTF8: case WEIR_BINARY: break;
		default: out[i].bytes = rows * 8;
		}
	result.rows = rows;
	return &result;
}

const uint64_t *WEIR_EXPORT(weir_row)(const uint64_t *given) {
	static const uint8_t none = 0;
	for (uint32_t i = 0; i < input_count; i++) {
		const uint64_t *v = given + inputs[i].at;
		in[i].type = inputs[i].type;
		in[i].validity = given[i >> 6] >> (i & 63) & 1 ? 0 : &none;
		in[i].values = v;
		if (inputs[i].type != WEIR_UTF8) continue;
		row_in_texts[i] = in[i].validity ? 0 : *v & 0xffffffff00000000; /* offsets 0 and length */
		in[i].offsets = (const int32_t *)&row_in_texts[i];
		in[i].values = (const void *)(uintptr_t)(uint32_t)*v;
	}
	out = row_out;
	if (!run(1)) return 0;
	for (uint32_t i = 0; i < (output_count + 63) / 64; i++) row[i] = 0;
	for (uint32_t i = 0; i < output_count; i++) {
		uint64_t *v = row + outputs[i].at, some = !out[i].validity || out[i].validity[0] & 1;
		row[i >> 6] |= some << (i & 63);
		switch (outputs[i].type) {
		case WEIR_BOOL: *v &= 1; break;
		case WEIR_INT32: *v = (uint64_t)(int64_t)(int32_t)*v; break;
		case WEIR_FLOAT32: *v &= 0xffffffff; break;
		case WEIR_UTF8: if (some) *v = (uint64_t)(uint32_t)(out[i].offsets[1] - out[i].offsets[0]) << 32 | (uint32_t)(uintptr_t)out[i].values + out[i].offsets[0];
		}
	}
	return row;
}

#endif
