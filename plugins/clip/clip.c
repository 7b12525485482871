/* clip keeps the values of each column between bounds, as numpy.clip does. */
#include "numeric.h"

DESCRIBE({
	"name": "clip", "version": "1.0.0", "summary": "Keeps each column between bounds.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"],
			"anyOf": [{"required": ["low"]}, {"required": ["high"]}], "properties": {
				"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
				"low": {"type": "number"}, "high": {"type": "number"}}}}}}
})

typedef struct { double low, high; } spec;

static spec *specs;

static int read_column(weir_json *r) {
	text name, to = {0};
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	*s = (spec){-__builtin_inf(), __builtin_inf()};
	uint32_t have;
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"output", TEXT, &to}, {"low", NUMBER, &s->low}, {"high", NUMBER, &s->high}), &have)) return 0;
	if (have < 4) return wrong("\"low\" and \"high\" are missing: give one or both");
	if (s->low > s->high) return wrong("\"low\" is above \"high\"");
	return add_pair(name, to);
}

static int setup(weir_json *r) { return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0); }

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		const double *restrict x = doubles(i, 0, rows), low = specs[i].low, high = specs[i].high;
		if (!x) return 0;
		double *restrict y = values(i);
		out[i].validity = in[i].validity;
		for (uint32_t r = 0; r < rows; r++) {
			double v = x[r];
			v = v < low ? low : v;
			v = v > high ? high : v;
			y[r] = canonical(v);
		}
	}
	return 1;
}
