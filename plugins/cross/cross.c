/* cross hashes the values of several columns together into one bucket: crossed features. */
#include "numeric.h"

DESCRIBE({
	"name": "cross", "version": "1.0.0", "summary": "Crossed features: several columns hashed into one bucket number.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["crosses"], "properties": {
		"crosses": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["columns", "buckets"], "properties": {
			"columns": {"type": "array", "minItems": 1, "maxItems": 16, "items": {"anyOf": [
				{"type": "string", "minLength": 1},
				{"type": "object", "additionalProperties": false, "required": ["name", "type"], "properties": {
					"name": {"type": "string", "minLength": 1}, "type": {"enum": ["utf8", "int64"]}}}]}},
			"buckets": {"type": "integer", "minimum": 1, "maximum": 2147483647},
			"output": {"type": "string", "minLength": 1}}}}}}
})

enum { MOST = 16 };

typedef struct { uint32_t columns[MOST], count, buckets; } spec;

static spec *specs;
static text name_so_far;

static int read_columns(weir_json *r) {
	spec *s = &specs[output_count];
	weir_json_open(r, '[');
	while (weir_json_next(r)) {
		text name = {0};
		int whole = 0;
		if (s->count == MOST) return wrong("\"columns\" has more than %u", (uint32_t)MOST);
		if (weir_json_peek(r) == '{') {
			if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"type", CHOICE, &whole, 1, .choices = "utf8\0int64\0"}), 0)) return 0;
		} else name.p = weir_json_string(r, &name.n);
		if (r->problem) return 1;
		int32_t i = add_input_again(name, whole ? WEIR_INT64 : WEIR_UTF8, whole ? INTEGERS | TYPE(WEIR_BOOL) : TYPE(WEIR_UTF8));
		if (i < 0) return 0;
		for (uint32_t j = 0; j < s->count; j++)
			if (s->columns[j] == (uint32_t)i) return wrong("\"columns\" has %S twice", name);
		name_so_far = s->count ? joined(name_so_far, "_x_", name) : name;
		s->columns[s->count++] = i;
	}
	return r->problem || s->count ? 1 : wrong("\"columns\" is empty");
}

static int read_cross(weir_json *r) {
	text to = {0};
	if (!GROW(specs, output_count)) return 0;
	if (!read_object(r, FIELDS(
		{"columns", ANY, 0, 1, .read = read_columns}, {"buckets", COUNT, &specs[output_count].buckets, 1, .min = 1, .max = 2147483647}, {"output", TEXT, &to}), 0)) return 0;
	return add_output(to.n ? to : name_so_far, WEIR_INT64, 0) >= 0;
}

static int setup(weir_json *r) { return read_object(r, FIELDS({"crosses", LIST, 0, 1, .read = read_cross}), 0); }

static uint64_t fnv(uint64_t h, const char *p, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 1099511628211u;
	return h;
}

/* decimal writes v to the end of 20 bytes and answers where it begins. */
static uint32_t decimal(int64_t v, char *d) {
	uint32_t at = 20;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	do { d[--at] = '0' + u % 10; u /= 10; } while (u);
	if (v < 0) d[--at] = '-';
	return at;
}

static uint64_t hash_value(uint64_t h, const weir_column *c, uint32_t r) {
	char d[20];
	int64_t v;
	switch (c->type) {
	case WEIR_UTF8: return fnv(h, (const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]);
	case WEIR_INT64: v = ((const int64_t *)c->values)[r]; break;
	case WEIR_INT32: v = ((const int32_t *)c->values)[r]; break;
	default: v = ((const uint8_t *)c->values)[r >> 3] >> (r & 7) & 1;
	}
	uint32_t at = decimal(v, d);
	return fnv(h, d + at, 20 - at);
}

static int run(uint32_t rows) {
	for (uint32_t o = 0; o < output_count; o++) {
		const spec *s = &specs[o];
		int64_t *y = values(o);
		uint8_t *valid = own_valid(o);
		for (uint32_t b = 0; b < (rows + 7) / 8; b++) {
			uint8_t all = 0xff;
			for (uint32_t i = 0; i < s->count; i++) all &= present(&in[s->columns[i]], b);
			valid[b] = all;
		}
		for (uint32_t r = 0; r < rows; r++) {
			if (!(valid[r >> 3] >> (r & 7) & 1)) { y[r] = 0; continue; }
			uint64_t h = 14695981039346656037u;
			for (uint32_t i = 0; i < s->count; i++) {
				if (i) h = (h ^ 0x1f) * 1099511628211u;
				h = hash_value(h, &in[s->columns[i]], r);
			}
			y[r] = (int64_t)(h % s->buckets);
		}
	}
	return 1;
}
