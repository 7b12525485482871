/* log-power takes logarithms, roots and powers of columns, and the Box-Cox and Yeo-Johnson transforms of scikit-learn's PowerTransformer. */
#include <math.h>

#include "numeric.h"
#include "weir_math.h"

DESCRIBE({
	"name": "log-power", "version": "1.0.0", "summary": "Logarithms, roots, powers, Box-Cox and Yeo-Johnson.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "method"],
			"dependentRequired": {"mean": ["std"], "std": ["mean"]},
			"if": {"required": ["method"], "properties": {"method": {"enum": ["power", "box-cox", "yeo-johnson"]}}},
			"then": {"required": ["lambda"]}, "else": {"not": {"required": ["lambda"]}},
			"properties": {
				"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
				"method": {"enum": ["log", "log2", "log10", "log1p", "sqrt", "power", "box-cox", "yeo-johnson"]},
				"lambda": {"type": "number"}, "mean": {"type": "number"}, "std": {"type": "number", "minimum": 0}}}}}}
})

enum { LOG, LOG2, LOG10, LOG1P, SQRT, POWER, BOX_COX, YEO_JOHNSON };

typedef struct { int method; double lambda, mean, std; } spec;

static spec *specs;

static int read_column(weir_json *r) {
	text name, to = {0};
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	s->std = 1;
	uint32_t have;
	if (!read_object(r, FIELDS(
		{"name", TEXT, &name, 1}, {"output", TEXT, &to}, {"lambda", NUMBER, &s->lambda}, {"mean", NUMBER, &s->mean}, {"std", NUMBER, &s->std},
		{"method", CHOICE, &s->method, 1, .choices = "log\0log2\0log10\0log1p\0sqrt\0power\0box-cox\0yeo-johnson\0"}), &have)) return 0;
	if (s->method >= POWER && !(have & 4)) return wrong("\"lambda\" is missing, the method needs it");
	if (s->method < POWER && have & 4) return wrong("\"lambda\" means nothing to the method");
	if (!(have & 8) != !(have & 16)) return wrong("\"mean\" and \"std\" go together");
	if (s->std < 0) return wrong("\"std\" is negative");
	if (s->std == 0) s->std = 1;
	return add_pair(name, to);
}

static int setup(weir_json *r) { return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0); }

/* box_cox is scipy.special.boxcox. */
static double box_cox(double x, double lambda) {
	double l = log(x);
	if (fabs(lambda) < 1e-19) return l;
	if (lambda * l < 709.78) return expm1(lambda * l) / lambda;
	return copysign(1, lambda) * exp(lambda * l - log(fabs(lambda))) - 1 / lambda;
}

/* yeo_johnson is that of scipy.stats. */
static double yeo_johnson(double x, double lambda) {
	if (x >= 0) {
		double l = weir_log1p(x);
		return fabs(lambda) < __DBL_EPSILON__ ? l : expm1(lambda * l) / lambda;
	}
	double l = weir_log1p(-x), to = 2 - lambda;
	return fabs(to) > __DBL_EPSILON__ ? -expm1(to * l) / to : -l;
}

#define EACH(expression) for (uint32_t r = 0; r < rows; r++) { double v = x[r]; y[r] = canonical((expression)); } break

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		const spec *s = &specs[i];
		const double *restrict x = doubles(i, 0, rows), lambda = s->lambda;
		if (!x) return 0;
		double *restrict y = values(i);
		out[i].validity = in[i].validity;
		switch (s->method) {
		case LOG: EACH(log(v));
		case LOG2: EACH(log2(v));
		case LOG10: EACH(log10(v));
		case LOG1P: EACH(weir_log1p(v));
		case SQRT: EACH(__builtin_sqrt(v));
		case POWER: EACH(pow(v, lambda));
		case BOX_COX: EACH(box_cox(v, lambda));
		case YEO_JOHNSON: EACH(yeo_johnson(v, lambda));
		}
		if (s->mean != 0 || s->std != 1) {
			double mean = s->mean, std = s->std;
			for (uint32_t r = 0; r < rows; r++) y[r] = canonical((y[r] - mean) / std);
		}
	}
	return 1;
}
