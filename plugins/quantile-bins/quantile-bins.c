/* quantile-bins places numbers among given quantiles: their rank from 0 to 1 or the normal deviate of that rank, as scikit-learn's
 * QuantileTransformer, or the number of the bin between two quantiles, as its KBinsDiscretizer. */
#include <math.h>

#include "numeric.h"

DESCRIBE({
	"name": "quantile-bins", "version": "1.0.0", "summary": "The rank of a number among given quantiles, as rank, normal deviate or bin.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name", "quantiles"], "properties": {
			"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
			"quantiles": {"type": "array", "minItems": 2, "items": {"type": "number"}}}}},
		"as": {"enum": ["uniform", "normal", "bin"]}}}
})

enum { UNIFORM, NORMAL, BIN };

typedef struct { text to; numbers q; double *references; } spec;

static spec *specs;
static int as;
static double lowest, highest; /* of normal deviates */

/* deviate is the inverse of the normal distribution's cumulative function: ndtri of the Cephes library (Stephen L. Moshier, 1984-2000),
 * which scipy uses, too. */
static double polynomial(double x, const double *c, int n) {
	double v = c[0];
	for (int i = 1; i <= n; i++) v = v * x + c[i];
	return v;
}
static double monic(double x, const double *c, int n) {
	double v = x + c[0];
	for (int i = 1; i < n; i++) v = v * x + c[i];
	return v;
}
static double deviate(double y0) {
	static const double P0[] = {-5.99633501014107895267E1, 9.80010754185999661536E1, -5.66762857469070293439E1, 1.39312609387279679503E1, -1.23916583867381258016E0};
	static const double Q0[] = {1.95448858338141759834E0, 4.67627912898881538453E0, 8.63602421390890590575E1, -2.25462687854119370527E2, 2.00260212380060660359E2,
		-8.20372256168333339912E1, 1.59056225126211695515E1, -1.18331621121330003142E0};
	static const double P1[] = {4.05544892305962419923E0, 3.15251094599893866154E1, 5.71628192246421288162E1, 4.40805073893200834700E1, 1.46849561928858024014E1,
		2.18663306850790267539E0, -1.40256079171354495875E-1, -3.50424626827848203418E-2, -8.57456785154685413611E-4};
	static const double Q1[] = {1.57799883256466749731E1, 4.53907635128879210584E1, 4.13172038254672030440E1, 1.50425385692907503408E1, 2.50464946208309415979E0,
		-1.42182922854787788574E-1, -3.80806407691578277194E-2, -9.33259480895457427372E-4};
	static const double P2[] = {3.23774891776946035970E0, 6.91522889068984211695E0, 3.93881025292474443415E0, 1.33303460815807542389E0, 2.01485389549179081538E-1,
		1.23716634817820021358E-2, 3.01581553508235416007E-4, 2.65806974686737550832E-6, 6.23974539184983293730E-9};
	static const double Q2[] = {6.02427039364742014255E0, 3.67983563856160859403E0, 1.37702099489081330271E0, 2.16236993594496635890E-1, 1.34204006088543189037E-2,
		3.28014464682127739104E-4, 2.89247864745380683936E-6, 6.79019408009981274425E-9};
	if (y0 <= 0) return -__builtin_inf();
	if (y0 >= 1) return __builtin_inf();
	int upper = y0 > 1.0 - 0.13533528323661269189;
	double y = upper ? 1.0 - y0 : y0;
	if (y > 0.13533528323661269189) { /* exp(-2) */
		y -= 0.5;
		double y2 = y * y;
		return (y + y * (y2 * polynomial(y2, P0, 4) / monic(y2, Q0, 8))) * 2.50662827463100050242; /* sqrt(2 pi) */
	}
	double x = __builtin_sqrt(-2.0 * log(y)), x0 = x - log(x) / x, z = 1.0 / x;
	double x1 = x < 8.0 ? z * polynomial(z, P1, 8) / monic(z, Q1, 8) : z * polynomial(z, P2, 8) / monic(z, Q2, 8);
	x = x0 - x1;
	return upper ? x : -x;
}

static int read_column(weir_json *r) {
	text name;
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"output", TEXT, &s->to}, {"quantiles", NUMBERS, &s->q, 1}), 0)) return 0;
	if (s->q.count < 2) return wrong("\"quantiles\" needs two numbers at least");
	if (!ascends(&s->q, 0)) return wrong("\"quantiles\" must not descend");
	if (!s->to.n) s->to = name;
	/* numpy.linspace(0, 1, n) */
	if (!(s->references = weir_alloc(s->q.count * 8))) return weir_out_of_memory();
	double step = 1.0 / (s->q.count - 1);
	for (uint32_t i = 0; i < s->q.count; i++) s->references[i] = i * step;
	s->references[s->q.count - 1] = 1;
	return add_input(name, WEIR_FLOAT64, ANY_NUMBER) >= 0;
}

static int setup(weir_json *r) {
	if (!read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"as", CHOICE, &as, .choices = "uniform\0normal\0bin\0"}), 0)) return 0;
	const double bound = 1e-7 - 0x1p-52;
	lowest = deviate(bound);
	highest = deviate(1 - bound);
	for (uint32_t i = 0; i < input_count; i++)
		if (add_output(specs[i].to, as == BIN ? WEIR_INT64 : WEIR_FLOAT64, 0) < 0) return 0;
	return 1;
}

/* upto is the number of elements at or below x. */
static uint32_t upto(const double *q, uint32_t n, double x) {
	uint32_t low = 0;
	while (n) {
		uint32_t half = n / 2;
		int above = x >= q[low + half];
		low = above ? low + half + 1 : low;
		n = above ? n - half - 1 : half;
	}
	return low;
}

/* interpolated is numpy.interp(x, q, references), which takes the last of equal quantiles. */
static double interpolated(const spec *s, double x) {
	const double *q = s->q.at, *f = s->references;
	uint32_t n = s->q.count, j = upto(q, n, x);
	if (!j) return 0;
	if (j == n) return 1;
	j--;
	if (q[j] == x) return f[j];
	double slope = (f[j + 1] - f[j]) / (q[j + 1] - q[j]), v = slope * (x - q[j]) + f[j];
	if (v != v) {
		v = slope * (x - q[j + 1]) + f[j + 1];
		if (v != v && f[j] == f[j + 1]) v = f[j];
	}
	return v;
}

/* mirrored is -numpy.interp(-x, -q reversed, -references reversed), which takes the first of equal quantiles. */
static double mirrored(const spec *s, double x) {
	const double *q = s->q.at, *f = s->references;
	uint32_t n = s->q.count, low = 0, left = n;
	while (left) { /* the number of elements below x */
		uint32_t half = left / 2;
		int above = x > q[low + half];
		low = above ? low + half + 1 : low;
		left = above ? left - half - 1 : half;
	}
	if (low == n) return 1;
	if (low == 0) return 0;
	if (q[low] == x) return f[low];
	double slope = (f[low] - f[low - 1]) / (q[low] - q[low - 1]), v = slope * (q[low] - x) - f[low];
	if (v != v) {
		v = slope * (q[low - 1] - x) - f[low - 1];
		if (v != v && f[low] == f[low - 1]) v = -f[low];
	}
	return -v;
}

static double ranked(const spec *s, double x) {
	const double first = s->q.at[0], last = s->q.at[s->q.count - 1];
	if (x != x) return x;
	if (as == UNIFORM) return x == first ? 0 : x == last ? 1 : 0.5 * (interpolated(s, x) + mirrored(s, x));
	double v = x - 1e-7 < first ? 0 : x + 1e-7 > last ? 1 : 0.5 * (interpolated(s, x) + mirrored(s, x));
	v = deviate(v);
	return v < lowest ? lowest : v > highest ? highest : v;
}

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		const spec *s = &specs[i];
		const double *restrict x = doubles(i, 0, rows);
		if (!x) return 0;
		if (as == BIN) {
			int64_t *y = values(i);
			for (uint32_t r = 0; r < rows; r++) y[r] = upto(s->q.at + 1, s->q.count - 2, x[r]);
			null_where_nan(i, &in[i], x, rows);
			continue;
		}
		out[i].validity = in[i].validity;
		double *y = values(i);
		for (uint32_t r = 0; r < rows; r++) y[r] = canonical(ranked(s, x[r]));
	}
	return 1;
}
