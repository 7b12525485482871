/* geo-distance is the great-circle distance between two points given by latitude and longitude, in kilometres, and the bearing. */
#include <math.h>

#include "numeric.h"

DESCRIBE({
	"name": "geo-distance", "version": "1.0.0", "summary": "Great-circle distance in km between two points, and the initial bearing.", "worlds": ["transform"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["distances"], "properties": {
		"distances": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["from", "to", "output"], "properties": {
			"from": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "string", "minLength": 1}},
			"to": {"anyOf": [
				{"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "string", "minLength": 1}},
				{"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number", "minimum": -180, "maximum": 180}}]},
			"output": {"type": "string", "minLength": 1}, "bearing": {"type": "string", "minLength": 1}}}},
		"outside": {"enum": ["null", "error"]}}}
})

#define RADIUS 6371.0088 /* km, the mean radius (2a + b) / 3 of GRS 80 (Moritz 2000), as the IUGG defines it */
#define RADIANS 0.017453292519943295

typedef struct {
	uint32_t columns[4], count; /* 2 or 4 inputs: latitude, longitude of both points */
	double fixed[2];            /* the second point when there are 2 */
	int32_t distance, bearing;  /* outputs; -1: none */
} spec;

static spec *specs;
static uint32_t count;
static int strict;
static texts names;
static numbers fixed;

static int read_from(weir_json *r) { return read_texts(r, &names); }

/* read_to reads two names of columns or two numbers. */
static int read_to(weir_json *r) {
	if (weir_json_peek(r) != '[') return weir_json_wrong(r, "an array is expected"), 1;
	weir_json ahead = *r;
	weir_json_open(&ahead, '[');
	return weir_json_peek(&ahead) == '"' ? read_texts(r, &names) : read_numbers(r, &fixed);
}

static int read_distance(weir_json *r) {
	text to, bearing = {0};
	names = (texts){0};
	fixed = (numbers){0};
	if (!GROW(specs, count)) return 0;
	spec *s = &specs[count];
	if (!read_object(r, FIELDS(
		{"from", ANY, 0, 1, .read = read_from}, {"to", ANY, 0, 1, .read = read_to}, {"output", TEXT, &to, 1}, {"bearing", TEXT, &bearing}), 0)) return 0;
	if (names.count != 2 + 2 * !fixed.count || (fixed.count && fixed.count != 2))
		return wrong("\"from\" must be the columns of latitude and longitude, \"to\" two columns or two numbers");
	for (s->count = 0; s->count < names.count; s->count++) {
		int32_t i = add_input_again(names.at[s->count], WEIR_FLOAT64, ANY_NUMBER);
		if (i < 0) return 0;
		s->columns[s->count] = i;
	}
	if (fixed.count) {
		s->fixed[0] = fixed.at[0];
		s->fixed[1] = fixed.at[1];
		if (fabs(s->fixed[0]) > 90 || fabs(s->fixed[1]) > 180) return wrong("\"to\" is no latitude from -90 to 90 and longitude from -180 to 180");
	}
	s->distance = add_output(to, WEIR_FLOAT64, 0);
	s->bearing = bearing.n ? add_output(bearing, WEIR_FLOAT64, 0) : -1;
	count++;
	return s->distance >= 0 && (!bearing.n || s->bearing >= 0);
}

static int setup(weir_json *r) {
	return read_object(r, FIELDS({"distances", LIST, 0, 1, .read = read_distance}, {"outside", CHOICE, &strict, .choices = "null\0error\0"}), 0);
}

static int run(uint32_t rows) {
	for (uint32_t k = 0; k < count; k++) {
		const spec *s = &specs[k];
		const double *x[4];
		for (uint32_t i = 0; i < s->count; i++)
			if (!(x[i] = doubles(s->columns[i], i, rows))) return 0;
		double *km = values(s->distance), *bearing = s->bearing < 0 ? 0 : values(s->bearing);
		uint8_t *valid = own_valid(s->distance);
		if (bearing) out[s->bearing].validity = valid;
		for (uint32_t r = 0; r < rows; r++) {
			double v[4] = {0, 0, s->fixed[0], s->fixed[1]};
			int all = 1;
			if (!(r & 7)) valid[r >> 3] = 0;
			for (uint32_t i = 0; i < s->count; i++) {
				v[i] = x[i][r];
				if (weir_is_null(&in[s->columns[i]], r)) { all = 0; continue; }
				if (fabs(v[i]) <= (i & 1 ? 180 : 90)) continue;
				if (strict) {
					text name = inputs[s->columns[i]].name;
					return weir_fail("input column %S, row %u: no %s", name.p, name.n, r, i & 1 ? "longitude from -180 to 180" : "latitude from -90 to 90");
				}
				all = 0;
			}
			km[r] = 0;
			if (bearing) bearing[r] = 0;
			if (!all) continue;
			valid[r >> 3] |= 1 << (r & 7);
			double lat1 = v[0] * RADIANS, lat2 = v[2] * RADIANS, turn = v[3] * RADIANS - v[1] * RADIANS;
			double a = sin(0.5 * (lat2 - lat1)), b = sin(0.5 * turn), c1 = cos(lat1), c2 = cos(lat2);
			double h = a * a + c1 * c2 * b * b;
			km[r] = 2 * asin(__builtin_sqrt(h > 1 ? 1 : h)) * RADIUS;
			if (!bearing) continue;
			double d = atan2(sin(turn) * c2, c1 * sin(lat2) - sin(lat1) * c2 * cos(turn)) / RADIANS;
			d = d < 0 ? d + 360 : d;
			bearing[r] = d >= 360 || d == 0 ? 0 : d;
		}
	}
	return 1;
}
