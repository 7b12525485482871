/* robust computes (x - center) / scale of each column, as scikit-learn's RobustScaler does. */
#include "numeric.h"

DESCRIBE({
	"name": "robust", "version": "1.0.0", "summary": "(x - center) / scale of each column.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
			"center": {"type": "number"}, "scale": {"type": "number", "minimum": 0}}}}}}
})

typedef struct { double center, scale; } spec;

static spec *specs;

static int read_column(weir_json *r) {
	text name, to = {0};
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	s->scale = 1;
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"output", TEXT, &to}, {"center", NUMBER, &s->center}, {"scale", NUMBER, &s->scale}), 0)) return 0;
	if (s->scale < 0) return wrong("\"scale\" is negative");
	if (s->scale == 0) s->scale = 1;
	return add_pair(name, to);
}

static int setup(weir_json *r) { return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0); }

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		const double *restrict x = doubles(i, 0, rows), center = specs[i].center, scale = specs[i].scale;
		if (!x) return 0;
		double *restrict y = values(i);
		out[i].validity = in[i].validity;
		for (uint32_t r = 0; r < rows; r++) y[r] = canonical((x[r] - center) / scale);
	}
	return 1;
}
