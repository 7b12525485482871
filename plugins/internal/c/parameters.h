/* parameters.h: parameters by table. A built-in transform lists the keys of an object as fields; read_object then reads it strictly:
 * unknown keys, keys given twice, missing keys, wrong types and values out of range are errors that name the place and the key
 * ("parameters: columns[2]: \"edges\" is missing"). What was read lives as long as the instance. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include <stdio.h>
#include <stdlib.h>

#include "weir.h"

/* Parameters are read once: small code is better than fast code from here to the end of this file. */
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

#include "decimal.h"
#define strtod(text, end) nearest_double(text) /* for weir_json_number */
#include "weir_json.h"

typedef struct { const char *p; uint32_t n; } text;
typedef struct { double *at; uint32_t count; } numbers;
typedef struct { text *at; uint32_t count; } texts;

WEIR_INLINE int same_text(text a, text b) { return weir_same(a.p, a.n, b.p, b.n); }
WEIR_INLINE int is_text(text a, const char *s) { return weir_same(a.p, a.n, s, weir_strlen(s)); }

/* GROW makes room for one more element in an array of count elements: at 0 and at each power of two it doubles. The old place is
 * given back. It is 0 when memory has run out, with the error set. */
#define GROW(array, count) ((array) = grow_array((array), (count), sizeof *(array)), (array) != 0)
static void *grow_array(void *old, uint32_t count, uint32_t size) {
	if (old && (count & (count - 1) || count < 4)) return old;
	uint32_t room = count < 4 ? 4 : count * 2;
	if ((uint64_t)room * size > 0x7fffffff) return weir_out_of_memory(), (void *)0;
	char *p = weir_alloc(room * size);
	if (!p) return weir_out_of_memory(), p;
	__builtin_memset(p, 0, room * size);
	if (count) __builtin_memcpy(p, old, count * size);
	if (old) weir_free(old, (count < 4 ? 4 : count) * size);
	return p;
}

/* Where the reader stands: the list and the index in it, for errors. */
static const char *place_list;
static uint32_t place_index;

/* wrong sets an error of the parameters, after the place: the verbs are those of weir_fail. It returns 0. */
static int wrong(const char *format, ...) {
	va_list a;
	va_start(a, format);
	weir_text *t = &weir_error_text;
	t->len = 0;
	weir_adds(t, "parameters: ");
	if (place_list) {
		weir_adds(t, place_list);
		weir_add(t, "[", 1);
		weir_addu(t, place_index);
		weir_add(t, "]: ", 3);
	}
	for (const char *f = format; *f; f++) {
		if (*f != '%') { weir_add(t, f, 1); continue; }
		if (*++f == 's') weir_adds(t, va_arg(a, const char *));
		else if (*f == 'S') { text s = va_arg(a, text); weir_addq(t, s.p, s.n); }
		else weir_addu(t, va_arg(a, uint32_t));
	}
	va_end(a);
	return 0;
}

/* place_problem adds to the reader's own error, which names the byte, where that is. */
static int place_problem(const char *key) {
	weir_text *t = &weir_error_text;
	weir_adds(t, " (");
	if (place_list) {
		weir_adds(t, place_list);
		weir_add(t, "[", 1);
		weir_addu(t, place_index);
		weir_add(t, "].", 2);
	}
	weir_adds(t, key);
	weir_add(t, ")", 1);
	return 0;
}

typedef enum {
	TEXT,    /* text, not empty */
	NUMBER,  /* double */
	COUNT,   /* uint32_t, from min to max, which must be given */
	FLAG,    /* int: 0 or 1 */
	CHOICE,  /* int: the index among the words of choices, "first\0second\0" */
	NUMBERS, /* numbers, not empty */
	TEXTS,   /* texts, not empty */
	LIST,    /* each element by read(r), which answers 0 with an error; not empty */
	ANY      /* read(r) reads the value */
} field_kind;

typedef struct {
	const char *key;
	field_kind kind;
	void *at;
	int needed;
	double min, max; /* of a number; no bounds when both are 0 */
	const char *choices;
	int (*read)(weir_json *r);
} field;

/* read_word reads true, false or null: 1, 0 or 2; -1 when it is none of them, and then reads nothing. */
static int read_word(weir_json *r) {
	static const char *const words[] = {"false", "true", "null"};
	weir_json_peek(r);
	for (int i = 0; i < 3; i++) {
		uint32_t n = weir_strlen(words[i]);
		if ((uint32_t)(r->end - r->at) >= n && !__builtin_memcmp(r->at, words[i], n)) { r->at += n; return i; }
	}
	return -1;
}

static int read_numbers(weir_json *r, numbers *to) {
	weir_json_open(r, '[');
	while (weir_json_next(r)) {
		if (!GROW(to->at, to->count)) return 0;
		to->at[to->count++] = weir_json_number(r);
	}
	return 1;
}

static int read_texts(weir_json *r, texts *to) {
	weir_json_open(r, '[');
	while (weir_json_next(r)) {
		if (!GROW(to->at, to->count)) return 0;
		text *t = &to->at[to->count++];
		t->p = weir_json_string(r, &t->n);
	}
	return 1;
}

static int read_list(weir_json *r, const field *f) {
	uint32_t i = 0;
	weir_json_open(r, '[');
	while (weir_json_next(r)) {
		place_list = f->key;
		place_index = i++;
		if (!f->read(r)) return 0;
	}
	place_list = 0;
	return r->problem || i ? 1 : wrong("\"%s\" is empty", f->key);
}

static int read_choice(weir_json *r, const field *f) {
	text t;
	t.p = weir_json_string(r, &t.n);
	int i = 0;
	for (const char *c = f->choices; *c; c += weir_strlen(c) + 1, i++)
		if (is_text(t, c)) return *(int *)f->at = i, 1;
	if (r->problem) return 1;
	wrong("\"%s\" is %S, it must be one of", f->key, t);
	for (const char *c = f->choices; *c; c += weir_strlen(c) + 1) {
		weir_adds(&weir_error_text, c == f->choices ? " " : ", ");
		weir_adds(&weir_error_text, c);
	}
	return 0;
}

/* read_field reads a value; 0 with the error set, except that a mistake in the JSON stays in the reader. */
static int read_field(weir_json *r, const field *f) {
	switch (f->kind) {
	case TEXT: {
		text *t = f->at;
		t->p = weir_json_string(r, &t->n);
		return r->problem || t->n ? 1 : wrong("\"%s\" is empty", f->key);
	}
	case NUMBER: case COUNT: {
		double v = weir_json_number(r);
		if (r->problem) return 1;
		if ((f->min != 0 || f->max != 0) && (v < f->min || v > f->max)) return wrong("\"%s\" is out of range", f->key);
		if (f->kind == NUMBER) { *(double *)f->at = v; return 1; }
		if (v != (uint32_t)v) return wrong("\"%s\" must be a whole number", f->key);
		*(uint32_t *)f->at = (uint32_t)v;
		return 1;
	}
	case FLAG: {
		int v = read_word(r);
		if (v != 0 && v != 1) return weir_json_wrong(r, "true or false is expected"), 1;
		*(int *)f->at = v;
		return 1;
	}
	case CHOICE: return read_choice(r, f);
	case NUMBERS: return read_numbers(r, f->at) && (r->problem || ((numbers *)f->at)->count || wrong("\"%s\" is empty", f->key));
	case TEXTS: return read_texts(r, f->at) && (r->problem || ((texts *)f->at)->count || wrong("\"%s\" is empty", f->key));
	case LIST: return read_list(r, f);
	case ANY: return f->read(r);
	}
	return 0;
}

/* read_object reads an object of at most 32 fields. have gets a bit for each that is there, unless it is 0; 0 = the error is set. */
static int read_object(weir_json *r, const field *fields, uint32_t count, uint32_t *have) {
	uint32_t seen = 0;
	text key;
	weir_json_open(r, '{');
	while (weir_json_key(r, &key.p, &key.n)) {
		uint32_t i = 0;
		while (i < count && !is_text(key, fields[i].key)) i++;
		if (r->problem) return 0;
		if (i == count) return wrong("unknown key %S", key);
		if (seen >> i & 1) return wrong("\"%s\" is given twice", fields[i].key);
		seen |= 1u << i;
		if (!read_field(r, &fields[i])) return 0;
		if (r->problem) return place_problem(fields[i].key);
	}
	if (r->problem) return 0;
	for (uint32_t i = 0; i < count; i++)
		if (fields[i].needed && !(seen >> i & 1)) return wrong("\"%s\" is missing", fields[i].key);
	if (have) *have = seen;
	return 1;
}

#define FIELDS(...) (const field[]){__VA_ARGS__}, sizeof((const field[]){__VA_ARGS__}) / sizeof(field)

/* Numbers that must ascend. */
WEIR_INLINE int ascends(const numbers *v, int strictly) {
	for (uint32_t i = 1; i < v->count; i++)
		if (strictly ? !(v->at[i - 1] < v->at[i]) : !(v->at[i - 1] <= v->at[i])) return 0;
	return 1;
}

#pragma clang attribute pop

#endif
