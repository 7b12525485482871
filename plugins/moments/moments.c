/* moments are count, mean, deviation, skewness, kurtosis and range of both samples, from sums without rounding. */
#include "exact.h"
#include <math.h>

DESCRIBE({
	"name": "moments", "version": "1.0.0", "summary": "Mean, standard deviation, skewness, kurtosis and range of each column, and how far the mean has moved.", "worlds": ["metric"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "minLength": 1}, "center": {"type": "number"},
			"edges": {"type": "array", "items": {"type": "number"}, "description": "not used: a Monitor gives them to every metric"}}}}}}
})

static const uint32_t tag = 0x016d6f6d; /* "mom", 1 */

/* Powers of d = x - center. Beyond this |d| the fourth power leaves the doubles. */
static const double farthest = 1e76;

typedef struct {
	uint64_t count, missing, far;
	double min, max;
	exact power[4];
} sums;
typedef struct { sums *side[2]; double center; } pair;
static pair *pairs;

static int read_edges(weir_json *r) { weir_json_skip(r); return 1; }

static int read_column(weir_json *r) {
	text name;
	if (!GROW(pairs, column_count)) return 0;
	pair *p = &pairs[column_count];
	*p = (pair){0};
	for (int side = 0; side < 2; side++)
		if (!(p->side[side] = new_memory(1, sizeof(sums)))) return 0;
	if (!read_object(r, FIELDS({"name", TEXT, &name, 1}, {"center", NUMBER, &p->center}, {"edges", ANY, .read = read_edges}), 0)) return 0;
	if (!add_column(name, NUMBER_TYPES)) return 0;
	fix(&p->center, 8);
	return 1;
}
static int setup(weir_json *r) { return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0); }

static int update(uint32_t i, int side, const weir_column *c, uint32_t rows) {
	sums *s = pairs[i].side[side];
	const double center = pairs[i].center;
	for (uint32_t r = 0; r < rows; r++) {
		double x = number_at(c, r);
		if (x != x) { s->missing++; continue; }
		if (!s->count || x < s->min) s->min = x;
		if (!s->count || x > s->max) s->max = x;
		s->count++;
		double d = x - center;
		if (!(fabs(d) <= farthest)) { s->far++; continue; }
		/* The square is exact, as the sum of two doubles; so variances lose nothing to a large mean. The third and the fourth power
		 * are rounded once each, the same way wherever and whenever this row is counted. */
		wide square = two_product(d, d);
		exact_add(&s->power[0], d);
		exact_add(&s->power[1], square.hi);
		exact_add(&s->power[1], square.lo);
		exact_add(&s->power[2], square.hi * d);
		exact_add(&s->power[3], square.hi * square.hi);
	}
	return 1;
}

static int save(uint32_t i, int side, weir_text *t) {
	sums *s = pairs[i].side[side];
	put_count(t, s->count);
	put_count(t, s->missing);
	put_count(t, s->far);
	/* -0 and 0 are one value here. */
	double range[2] = {s->min + 0.0, s->max + 0.0};
	weir_add(t, (const char *)range, sizeof range);
	for (int k = 0; k < 4; k++) exact_save(&s->power[k], t);
	return 1;
}

static int load(uint32_t i, int side, state_reader *r) {
	sums *s = pairs[i].side[side];
	uint64_t count = get_count(r), missing = get_count(r), far = get_count(r), low = get_word(r), high = get_word(r);
	double min, max;
	__builtin_memcpy(&min, &low, 8);
	__builtin_memcpy(&max, &high, 8);
	if (far > count || !(min <= max)) return r->wrong = 1;
	if (count && (!s->count || min < s->min)) s->min = min;
	if (count && (!s->count || max > s->max)) s->max = max;
	s->count += count;
	s->missing += missing;
	s->far += far;
	for (int k = 0; k < 4; k++) exact_load(&s->power[k], r);
	return 1;
}

static void reset(void) {
	for (uint32_t i = 0; i < column_count; i++)
		for (int side = 0; side < 2; side++) __builtin_memset(pairs[i].side[side], 0, sizeof(sums));
}

typedef struct { double mean, std, skewness, kurtosis; } shape;

/* shape_of are the population's moments (scipy.stats.skew, and kurtosis with fisher=True): NaN where they are undefined. */
static shape shape_of(sums *s, double center) {
	const double none = __builtin_nan("");
	shape h = {none, none, none, none};
	if (!s->count || s->far) return h;
	const double n = (double)s->count;
	wide m1 = wide_over(exact_value(&s->power[0]), n), m2 = wide_over(exact_value(&s->power[1]), n), m3 = wide_over(exact_value(&s->power[2]), n),
	     m4 = wide_over(exact_value(&s->power[3]), n);
	wide mean = wide_add(m1, (wide){center, 0}), m1m1 = wide_times(m1, m1);
	/* Central moments of raw ones. */
	wide c2 = wide_add(m2, wide_negative(m1m1));
	wide c3 = wide_add(wide_add(m3, wide_negative(wide_times((wide){3, 0}, wide_times(m1, m2)))), wide_times((wide){2, 0}, wide_times(m1, m1m1)));
	wide c4 = wide_add(wide_add(m4, wide_negative(wide_times((wide){4, 0}, wide_times(m1, m3)))),
		wide_add(wide_times((wide){6, 0}, wide_times(m1m1, m2)), wide_negative(wide_times((wide){3, 0}, wide_times(m1m1, m1m1)))));
	h.mean = mean.hi;
	double variance = c2.hi > 0 && s->min != s->max ? c2.hi : 0;
	h.std = sqrt(variance);
	if (variance > 0) {
		h.skewness = c3.hi / (variance * h.std);
		h.kurtosis = c4.hi / (variance * variance) - 3;
	}
	return h;
}

static void members(weir_text *t, int side, const sums *s, const shape *h) {
	static const char *const keys[2][9] = {
		{"reference_count", "reference_missing", "reference_mean", "reference_std", "reference_skewness", "reference_kurtosis", "reference_min", "reference_max"},
		{"current_count", "current_missing", "current_mean", "current_std", "current_skewness", "current_kurtosis", "current_min", "current_max"},
	};
	member_count(t, keys[side][0], s->count);
	member_count(t, keys[side][1], s->missing);
	const double v[6] = {h->mean, h->std, h->skewness, h->kurtosis, s->count ? s->min + 0.0 : __builtin_nan(""), s->count ? s->max + 0.0 : __builtin_nan("")};
	for (int k = 0; k < 6; k++) member_number(t, keys[side][k + 2], v[k]);
}

static int score(uint32_t i, weir_text *t) {
	sums *r = pairs[i].side[0], *c = pairs[i].side[1];
	shape a = shape_of(r, pairs[i].center), b = shape_of(c, pairs[i].center);
	double moved = fabs(b.mean - a.mean);
	const char *note = 0;
	if (!r->count || !c->count) note = "a side holds no number";
	else if (r->far || c->far) note = "values beyond 1e76 around the center have no fourth power";
	else if (a.std > 0) moved /= a.std;
	else if (moved > 0) { moved = __builtin_nan(""); note = "the reference does not vary, and the mean has moved"; }
	begin_score(t, i, "mean_shift", moved, note);
	members(t, 0, r, &a);
	members(t, 1, c, &b);
	end_score(t);
	return 1;
}
