/* minmax maps each column's range to feature_range, as scikit-learn's MinMaxScaler does, operation by operation. */
#include "numeric.h"

DESCRIBE({
	"name": "minmax", "version": "1.0.0", "summary": "Scales each column's range to a given one.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false,
			"required": ["name", "min", "max"], "properties": {
				"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
				"min": {"type": "number"}, "max": {"type": "number"}}}},
		"feature_range": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
		"clip": {"type": "boolean"}}}
})

typedef struct { double min, max, scale, shift; } spec;

static spec *specs;
static double low = 0, high = 1;
static int clip;

static int read_column(weir_json *r) {
	text name, to = {0};
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"output", TEXT, &to}, {"min", NUMBER, &s->min, 1}, {"max", NUMBER, &s->max, 1}), 0)) return 0;
	if (s->min > s->max) return wrong("\"min\" is above \"max\"");
	return add_pair(name, to);
}

static int setup(weir_json *r) {
	numbers range = {0};
	if (!read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"feature_range", NUMBERS, &range}, {"clip", FLAG, &clip}), 0)) return 0;
	if (range.count) {
		if (range.count != 2 || !(range.at[0] < range.at[1])) return wrong("\"feature_range\" must be two numbers, the lower one first");
		low = range.at[0];
		high = range.at[1];
	}
	for (uint32_t i = 0; i < input_count; i++) {
		spec *s = &specs[i];
		double width = s->max - s->min;
		/* scikit-learn's rule for constant columns. */
		s->scale = (high - low) / (width < 10 * __DBL_EPSILON__ ? 1 : width);
		s->shift = low - s->min * s->scale;
	}
	return 1;
}

static int run(uint32_t rows) {
	const double lo = low, hi = high;
	for (uint32_t i = 0; i < input_count; i++) {
		const double *restrict x = doubles(i, 0, rows), scale = specs[i].scale, shift = specs[i].shift;
		if (!x) return 0;
		double *restrict y = values(i);
		out[i].validity = in[i].validity;
		if (!clip) {
			for (uint32_t r = 0; r < rows; r++) y[r] = canonical(x[r] * scale + shift);
			continue;
		}
		for (uint32_t r = 0; r < rows; r++) {
			double v = x[r] * scale + shift;
			v = v < lo ? lo : v;
			v = v > hi ? hi : v;
			y[r] = canonical(v);
		}
	}
	return 1;
}
