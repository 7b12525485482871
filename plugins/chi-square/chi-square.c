/* chi-square compares how often the values of a category occur in both samples. */
#include "counts.h"
#include <math.h>

DESCRIBE({
	"name": "chi-square", "version": "1.0.0", "summary": "Chi-square test of each categorical column: do both samples hold its values as often?", "worlds": ["metric"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1},
			"edges": {"type": "array", "items": {"type": "number"}, "description": "not used: a Monitor gives them to every metric"}}}},
		"test": {"enum": ["two-sample", "goodness-of-fit"]}}}
})

static const uint32_t tag = 0x01696863; /* "chi", 1 */

static dictionary *values;
static int goodness_of_fit;

static int read_edges(weir_json *r) { weir_json_skip(r); return 1; }

static int read_column(weir_json *r) {
	text name;
	if (!GROW(values, column_count)) return 0;
	values[column_count] = (dictionary){0};
	return read_object(r, FIELDS({"name", TEXT, &name, 1}, {"edges", ANY, .read = read_edges}), 0) && add_column(name, VALUE_TYPES);
}
static int setup(weir_json *r) {
	return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}, {"test", CHOICE, &goodness_of_fit, .choices = "two-sample\0goodness-of-fit\0"}), 0);
}
static int update(uint32_t i, int side, const weir_column *c, uint32_t rows) { return dictionary_update(&values[i], i, side, c, rows); }
static int save(uint32_t i, int side, weir_text *t) { return dictionary_save(&values[i], side, t); }
static int load(uint32_t i, int side, state_reader *r) { return dictionary_load(&values[i], i, side, r); }
static void reset(void) {
	for (uint32_t i = 0; i < column_count; i++) dictionary_clear(&values[i]);
}

/* survival is the regularised upper incomplete gamma function Q(a, x): by its series below a+1, by Lentz's continued fraction above
 * (Press et al., Numerical Recipes, 6.2). */
static double survival(double a, double x) {
	if (x <= 0) return 1;
	if (!(x - x == 0)) return 0;
	double scale = exp(a * log(x) - x - lgamma(a));
	if (x < a + 1) {
		double term = 1 / a, sum = term;
		for (double n = a + 1; n < a + 100000; n++) {
			term *= x / n;
			sum += term;
			if (term < sum * 1e-17) break;
		}
		return 1 - sum * scale;
	}
	const double tiny = 1e-300;
	double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
	for (int n = 1; n < 100000; n++) {
		double an = -n * (n - a);
		b += 2;
		d = an * d + b;
		if (fabs(d) < tiny) d = tiny;
		c = b + an / c;
		if (fabs(c) < tiny) c = tiny;
		d = 1 / d;
		double by = d * c;
		h *= by;
		if (fabs(by - 1) < 1e-16) break;
	}
	return scale * h;
}

static int score(uint32_t i, weir_text *t) {
	const dictionary *d = &values[i];
	const double n = (double)d->total[0], m = (double)d->total[1];
	const entry **e = dictionary_sorted(d); /* summed in the order of the values, so that the sum is the same bits after any merge */
	if (!e) return 0;
	double statistic = __builtin_nan(""), p = __builtin_nan("");
	const char *note = 0;
	if (!d->total[0] || !d->total[1]) note = "a side holds no value";
	else if (d->used < 2) { statistic = 0; p = 1; }
	else {
		statistic = 0;
		int fresh = 0;
		for (uint32_t k = 0; k < d->used; k++) {
			double r = (double)e[k]->count[0], c = (double)e[k]->count[1];
			if (goodness_of_fit) {
				double expected = r * (m / n);
				if (!e[k]->count[0]) { fresh = 1; continue; }
				statistic += (c - expected) * (c - expected) / expected;
			} else {
				double both = r + c, er = both * n / (n + m), ec = both * m / (n + m);
				statistic += (r - er) * (r - er) / er + (c - ec) * (c - ec) / ec;
			}
		}
		if (fresh) {
			statistic = __builtin_nan("");
			p = 0;
			note = "the statistic is infinite: the current sample holds a value that the reference does not";
		} else p = survival((d->used - 1) / 2.0, statistic / 2);
	}
	begin_score(t, i, "chi_square", statistic, note);
	if (p == p) member_number(t, "p_value", p);
	member_count(t, "degrees_of_freedom", d->used ? d->used - 1 : 0);
	if (statistic == statistic) member_number(t, "cramers_v", d->used < 2 ? 0 : sqrt(statistic / (n + m)));
	member_count(t, "values", d->used);
	member_count(t, "reference_count", d->total[0]);
	member_count(t, "current_count", d->total[1]);
	member_count(t, "reference_missing", d->missing[0]);
	member_count(t, "current_missing", d->missing[1]);
	end_score(t);
	dictionary_release(e, d);
	return 1;
}
