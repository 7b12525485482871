/* impute gives rows without a value a given one, as scikit-learn's SimpleImputer does with its statistics_. */
#include "numeric.h"

DESCRIBE({
	"name": "impute", "version": "1.0.0", "summary": "A given value where there is none.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "value"], "properties": {
			"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
			"value": {"type": ["number", "string", "boolean"]},
			"type": {"enum": ["float64", "int64", "timestamp", "utf8", "bool"]},
			"indicator": {"type": "boolean"}}}},
		"nan": {"enum": ["missing", "keep"]}}}
})

typedef struct {
	text to, string;
	double number;
	int64_t whole;
	int kind, indicator;   /* kind: '"', 't' (bool) or '0' as the value's first character tells */
	uint32_t flag;         /* the output of the indicator */
	char *bytes;           /* of utf8 output */
	int32_t *offsets;
	uint32_t room;
} spec;

static spec *specs;
static int keep_nan;

static int read_value(weir_json *r) {
	spec *s = &specs[input_count];
	int c = weir_json_peek(r);
	if (c == '"') return s->kind = '"', s->string.p = weir_json_string(r, &s->string.n), 1;
	if (c == 't' || c == 'f') {
		int v = read_word(r);
		if (v != 0 && v != 1) return weir_json_wrong(r, "true or false is expected"), 1;
		return s->kind = 't', s->whole = v, 1;
	}
	return s->kind = '0', s->number = weir_json_number(r), 1;
}

static int read_column(weir_json *r) {
	static const uint8_t types[] = {WEIR_FLOAT64, WEIR_INT64, WEIR_TIMESTAMP, WEIR_UTF8, WEIR_BOOL};
	static const char kinds[] = "000\"t";
	text name;
	uint32_t have;
	int type = 0;
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (!read_object(r, FIELDS(
		{"name", TEXT, &name, 1}, {"output", TEXT, &s->to}, {"value", ANY, 0, 1, .read = read_value},
		{"type", CHOICE, &type, .choices = "float64\0int64\0timestamp\0utf8\0bool\0"}, {"indicator", FLAG, &s->indicator}), &have)) return 0;
	if (!(have & 8)) type = s->kind == '"' ? 3 : s->kind == 't' ? 4 : 0;
	if (kinds[type] != s->kind) return wrong("\"value\" does not fit the type %s", type_names[types[type]]);
	if (type == 1 || type == 2) {
		if (s->number != __builtin_trunc(s->number) || __builtin_fabs(s->number) > 0x1p53) return wrong("\"value\" must be whole, from -2^53 to 2^53");
		s->whole = (int64_t)s->number;
	}
	if (!s->to.n) s->to = name;
	uint32_t takes = type == 0 ? ANY_NUMBER : type == 1 ? INTEGERS : TYPE(types[type]);
	return add_input(name, types[type], takes) >= 0 && add_output(s->to, types[type], 0) >= 0;
}

static int setup(weir_json *r) {
	if (!read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"nan", CHOICE, &keep_nan, .choices = "missing\0keep\0"}), 0)) return 0;
	for (uint32_t i = 0; i < input_count; i++)
		if (specs[i].indicator) {
			int32_t o = add_output(joined(specs[i].to, "_missing", (text){0}), WEIR_FLOAT64, 0);
			if (o < 0) return 0;
			specs[i].flag = o;
		}
	return 1;
}

/* fill_texts answers the input's own buffers when nothing is missing. */
static int fill_texts(uint32_t i, spec *s, uint32_t rows) {
	const weir_column *c = &in[i];
	uint32_t nulls = 0;
	for (uint32_t r = 0; r < rows; r++) nulls += weir_is_null(c, r);
	out[i].offsets = c->offsets;
	out[i].values = c->values;
	out[i].bytes = c->bytes;
	if (!nulls) return 1;
	if (!s->offsets && !(s->offsets = weir_alloc((WEIR_MAX_ROWS + 1) * 4))) return weir_out_of_memory();
	uint64_t need = (uint64_t)(c->offsets[rows] - c->offsets[0]) + (uint64_t)nulls * s->string.n;
	if (need > 0x7fffffff) return weir_out_of_memory();
	if (!s->bytes || s->room < need) {
		if (s->bytes) weir_free(s->bytes, s->room);
		s->room = (uint32_t)need + (uint32_t)need / 4;
		if (!(s->bytes = weir_alloc(s->room))) return weir_out_of_memory();
	}
	uint32_t at = 0;
	for (uint32_t r = 0; r < rows; r++) {
		text t = s->string;
		if (!weir_is_null(c, r)) t = (text){(const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]};
		s->offsets[r] = at;
		if (t.n) __builtin_memcpy(s->bytes + at, t.p, t.n);
		at += t.n;
	}
	s->offsets[rows] = at;
	out[i].offsets = s->offsets;
	out[i].values = s->bytes;
	out[i].bytes = at;
	return 1;
}

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		spec *s = &specs[i];
		const weir_column *c = &in[i];
		const double *x = 0;
		switch (outputs[i].type) {
		case WEIR_FLOAT64: {
			if (!(x = doubles(i, 0, rows))) return 0;
			double *restrict y = values(i), fill = s->number, nan = keep_nan ? __builtin_nan("") : fill;
			for (uint32_t r = 0; r < rows; r++) y[r] = x[r] == x[r] ? x[r] : nan;
			if (c->validity)
				for (uint32_t r = 0; r < rows; r++) y[r] = c->validity[r >> 3] >> (r & 7) & 1 ? y[r] : fill;
			break;
		}
		case WEIR_INT64: case WEIR_TIMESTAMP: {
			int64_t *y = values(i);
			for (uint32_t r = 0; r < rows; r++)
				y[r] = weir_is_null(c, r) ? s->whole : c->type == WEIR_INT32 ? ((const int32_t *)c->values)[r] : ((const int64_t *)c->values)[r];
			break;
		}
		case WEIR_BOOL: {
			uint8_t *y = values(i), fill = s->whole ? 0xff : 0;
			for (uint32_t b = 0; b < (rows + 7) / 8; b++) {
				uint8_t p = present(c, b);
				y[b] = (((const uint8_t *)c->values)[b] & p) | (fill & ~p);
			}
			break;
		}
		default:
			if (!fill_texts(i, s, rows)) return 0;
		}
		if (!s->indicator) continue;
		double *flag = values(s->flag);
		for (uint32_t r = 0; r < rows; r++) flag[r] = weir_is_null(c, r) || (x && !keep_nan && x[r] != x[r]);
	}
	return 1;
}
