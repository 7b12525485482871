/* cyclical-time takes timestamps apart into fields of the calendar, and puts fields on a circle by sine and cosine. */
#include "numeric.h"

DESCRIBE({
	"name": "cyclical-time", "version": "1.0.0", "summary": "Hour, weekday, month and other fields of timestamps, with sine and cosine.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
		"columns": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"],
			"anyOf": [{"required": ["fields"]}, {"required": ["cyclical"]}], "properties": {
				"name": {"type": "string", "minLength": 1}, "output": {"type": "string", "minLength": 1},
				"fields": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {
					"enum": ["hour", "minute_of_day", "day_of_week", "day_of_month", "day_of_year", "month", "quarter", "is_weekend", "year"]}},
				"cyclical": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {
					"enum": ["hour", "minute_of_day", "day_of_week", "day_of_month", "day_of_year", "month", "quarter"]}},
				"offset_minutes": {"type": "integer", "minimum": -1440, "maximum": 1440}}}}}}
})

enum { HOUR, MINUTE_OF_DAY, DAY_OF_WEEK, DAY_OF_MONTH, DAY_OF_YEAR, MONTH, QUARTER, IS_WEEKEND, YEAR, FIELD_COUNT };

/* The name, the least value, and how many values make a circle (0: none). */
static const struct { const char *name; int32_t first, period; } kinds[FIELD_COUNT] = {
	{"hour", 0, 24}, {"minute_of_day", 0, 1440}, {"day_of_week", 0, 7}, {"day_of_month", 1, 31}, {"day_of_year", 1, 366}, {"month", 1, 12}, {"quarter", 1, 4},
	{"is_weekend", 0, 0}, {"year", 0, 0},
};

typedef struct { double sine, cosine; } point;

typedef struct {
	text to;
	texts fields, circles;
	int64_t offset;
	int32_t field_at[FIELD_COUNT], circle_at[FIELD_COUNT]; /* the output plus 1, 0 = none */
	int calendar;                                          /* something asks for day, month or year */
} spec;

static spec *specs;
static point *circles[FIELD_COUNT];

/* Sums of two doubles, 106 bits (Dekker 1971): what the circle is computed with. */
typedef struct { double high, low; } precise;

static precise sum(double a, double b) {
	double s = a + b, c = s - a;
	return (precise){s, (a - (s - c)) + (b - c)};
}
static precise product(double a, double b) {
	double p = a * b, c = 134217729 * a, ah = c - (c - a), al = a - ah;
	c = 134217729 * b;
	double bh = c - (c - b), bl = b - bh;
	return (precise){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}
static precise plus(precise a, precise b) {
	precise s = sum(a.high, b.high);
	return sum(s.high, s.low + (a.low + b.low));
}
static precise times(precise a, precise b) {
	precise p = product(a.high, b.high);
	return sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}
static precise over(precise a, double n) {
	double q = a.high / n;
	precise p = product(q, n);
	return sum(q, ((a.high - p.high) - p.low + a.low) / n);
}

/* on_circle is sine and cosine of 2 pi k / n: the angle brought to at most pi/4 in whole numbers, then their series. Quarters are exact. */
static point on_circle(uint32_t k, uint32_t n) {
	uint32_t quarter = 4 * k / n, m = 4 * k - quarter * n;
	int swap = 2 * m > n;
	if (swap) m = n - m;
	precise x = over(times((precise){0x1.921fb54442d18p0, 0x1.1a62633145c07p-54}, (precise){m, 0}), n), sums[2] = {{1, 0}, x}, term = x;
	for (int i = 2; i < 28; i++) {
		term = over(times(term, x), i);
		precise signed_term = i & 2 ? (precise){-term.high, -term.low} : term;
		sums[i & 1] = plus(sums[i & 1], signed_term);
	}
	double cosine = sums[swap].high, sine = sums[!swap].high;
	switch (quarter) {
	case 0: return (point){sine, cosine};
	case 1: return (point){cosine, 0 - sine};
	case 2: return (point){0 - sine, -cosine};
	}
	return (point){-cosine, sine};
}

static int make_circle(int k) {
	if (circles[k]) return 1;
	uint32_t n = kinds[k].period;
	if (!(circles[k] = weir_alloc(n * sizeof(point)))) return weir_out_of_memory();
	for (uint32_t i = 0; i < n; i++) circles[k][i] = on_circle(i, n);
	return 1;
}

static int kind_of(text t) {
	for (int k = 0; k < FIELD_COUNT; k++)
		if (is_text(t, kinds[k].name)) return k;
	return -1;
}

static int read_column(weir_json *r) {
	text name;
	double offset = 0;
	if (!GROW(specs, input_count)) return 0;
	spec *s = &specs[input_count];
	if (!read_object(r, FIELDS(
		{"name", TEXT, &name, 1}, {"output", TEXT, &s->to}, {"fields", TEXTS, &s->fields}, {"cyclical", TEXTS, &s->circles},
		{"offset_minutes", NUMBER, &offset, .min = -1440, .max = 1440}), 0)) return 0;
	if (offset != (int64_t)offset) return wrong("\"offset_minutes\" must be whole");
	s->offset = (int64_t)offset;
	if (!s->fields.count && !s->circles.count) return wrong("\"fields\" and \"cyclical\" are missing: give one or both");
	if (!s->to.n) s->to = name;
	for (uint32_t i = 0; i < s->fields.count + s->circles.count; i++) {
		int circle = i >= s->fields.count;
		text t = circle ? s->circles.at[i - s->fields.count] : s->fields.at[i];
		int k = kind_of(t);
		if (k < 0 || (circle && !kinds[k].period)) return wrong("\"%s\": %S is no such field", circle ? "cyclical" : "fields", t);
		if ((circle ? s->circle_at : s->field_at)[k]) return wrong("\"%s\": %S is listed twice", circle ? "cyclical" : "fields", t);
		if (k == DAY_OF_MONTH || k == DAY_OF_YEAR || k == MONTH || k == QUARTER || k == YEAR) s->calendar = 1;
		text to = joined(s->to, "_", t);
		if (circle && !make_circle(k)) return 0;
		int32_t o = circle ? add_output(joined(to, "_sin", (text){0}), WEIR_FLOAT64, 0) : add_output(to, WEIR_INT32, 0);
		if (o < 0 || (circle && add_output(joined(to, "_cos", (text){0}), WEIR_FLOAT64, 0) < 0)) return 0;
		(circle ? s->circle_at : s->field_at)[k] = o + 1;
	}
	return add_input(name, WEIR_TIMESTAMP, TYPE(WEIR_TIMESTAMP)) >= 0;
}

static int setup(weir_json *r) { return read_object(r, FIELDS({"columns", LIST, 0, 1, .read = read_column}), 0); }

/* floored is a / b rounded down, for b above 0. */
static int64_t floored(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* civil fills in the fields of the calendar for a day since 1970-01-01: Howard Hinnant's civil_from_days, proleptic Gregorian. */
static void civil(int64_t day, int32_t *v) {
	int64_t z = day + 719468, era = floored(z, 146097), doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	v[DAY_OF_MONTH] = (int32_t)(doy - (153 * mp + 2) / 5 + 1);
	v[DAY_OF_YEAR] = (int32_t)(month <= 2 ? doy - 305 : doy + 60 + leap);
	v[MONTH] = (int32_t)month;
	v[QUARTER] = (int32_t)((month + 2) / 3);
	v[YEAR] = (int32_t)year;
}

static int run(uint32_t rows) {
	for (uint32_t i = 0; i < input_count; i++) {
		const spec *s = &specs[i];
		const int64_t *t = in[i].values;
		int32_t *to[FIELD_COUNT] = {0};
		double *sines[FIELD_COUNT] = {0}, *cosines[FIELD_COUNT] = {0};
		for (int k = 0; k < FIELD_COUNT; k++) {
			int32_t f = s->field_at[k], c = s->circle_at[k];
			if (f) to[k] = values(f - 1), out[f - 1].validity = in[i].validity;
			if (!c) continue;
			sines[k] = values(c - 1);
			cosines[k] = values(c);
			out[c - 1].validity = out[c].validity = in[i].validity;
		}
		int64_t known = INT64_MIN; /* the day of the row before: neighbours often share it */
		int32_t v[FIELD_COUNT] = {0};
		for (uint32_t r = 0; r < rows; r++) {
			int64_t minutes = weir_is_null(&in[i], r) ? 0 : floored(t[r], 60000000) + s->offset, day = floored(minutes, 1440);
			v[MINUTE_OF_DAY] = (int32_t)(minutes - day * 1440);
			v[HOUR] = v[MINUTE_OF_DAY] / 60;
			if (day != known) {
				known = day;
				v[DAY_OF_WEEK] = (int32_t)(day + 3 - floored(day + 3, 7) * 7); /* 1970-01-01 was a Thursday */
				v[IS_WEEKEND] = v[DAY_OF_WEEK] >= 5;
				if (s->calendar) civil(day, v);
			}
			for (int k = 0; k < FIELD_COUNT; k++) {
				if (to[k]) to[k][r] = v[k];
				if (!sines[k]) continue;
				point p = circles[k][v[k] - kinds[k].first];
				sines[k][r] = p.sine;
				cosines[k][r] = p.cosine;
			}
		}
	}
	return 1;
}
