/* standardize computes (x - mean) / std for each column named in its parameters, as scikit-learn's StandardScaler does: a std of 0 divides by 1.
 * Nulls stay null. NaN gives the canonical NaN (0x7ff8000000000000), so that results are the same bits on every machine. float32 and int columns are
 * widened first. */
#include "numeric.h"

DESCRIBE({
	"name": "standardize", "version": "1.1.0", "summary": "(x - mean) / std of each column.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "mean", "std"], "properties": {
			"name": {"type": "string"}, "mean": {"type": "number"}, "std": {"type": "number", "minimum": 0}}}}}}
})

typedef struct { double mean, scale; } spec;

static spec *specs;

static int read_column(weir_json *r) {
	text name;
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"mean", NUMBER, &s->mean, 1}, {"std", NUMBER, &s->scale, 1}), 0)) return 0;
	if (s->scale < 0) return wrong("column %S has a negative std", name);
	if (s->scale == 0) s->scale = 1;
	return add_input(name, WEIR_FLOAT64, ANY_NUMBER & ~TYPE(WEIR_BOOL)) >= 0 && add_output(name, WEIR_FLOAT64, 0) >= 0;
}

static int setup(weir_json *r) {
	refuse_others = 1;
	return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0);
}

#define LOOP(T) do { \
	const T *restrict x = in[i].values; \
	_Pragma("clang loop unroll_count(4)") \
	for (uint32_t r = 0; r < rows; r++) y[r] = canonical(((double)x[r] - mean) / scale); \
} while (0)

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		const double mean = specs[i].mean, scale = specs[i].scale;
		double *restrict y = values(i);
		out[i].validity = in[i].validity;
		switch (in[i].type) {
		case WEIR_FLOAT64: LOOP(double); break;
		case WEIR_FLOAT32: LOOP(float); break;
		case WEIR_INT64: LOOP(int64_t); break;
		default: LOOP(int32_t);
		}
	}
	return 1;
}
