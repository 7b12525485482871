/* cross-time hashes the cross of two text columns into buckets, and takes a time apart: its hour, the day of the week, the month, and the hour as
 * a point on a circle. Calendar: H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days. */
#include "weir_json.h"

static const char description[] =
	"{\"name\":\"cross-time\",\"version\":\"1.0.0\",\"summary\":\"Hashes the cross of two texts, and takes a time apart.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"a\",\"b\",\"time\",\"buckets\"],\"properties\":{"
	"\"a\":{\"type\":\"string\",\"minLength\":1},\"b\":{\"type\":\"string\",\"minLength\":1},\"time\":{\"type\":\"string\",\"minLength\":1},"
	"\"buckets\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":2147483647}}}}";

typedef struct { const char *p; uint32_t len; } text;

enum { CROSS, HOUR, DAY_OF_WEEK, MONTH, HOUR_SIN, HOUR_COS, OUTPUTS };

static const struct { const char *suffix; uint8_t type, width; } outputs[OUTPUTS] = {
	{"_x_", WEIR_INT64, 8}, {"_hour", WEIR_INT32, 4}, {"_day_of_week", WEIR_INT32, 4}, {"_month", WEIR_INT32, 4},
	{"_hour_sin", WEIR_FLOAT64, 8}, {"_hour_cos", WEIR_FLOAT64, 8},
};

static text a, b, time;
static uint64_t buckets;
static weir_text names[OUTPUTS], schema;

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) {
	weir_json r = weir_json_of(json, len);
	const char *key;
	uint32_t n;
	double given = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "a", 1)) a.p = weir_json_string(&r, &a.len);
		else if (weir_same(key, n, "b", 1)) b.p = weir_json_string(&r, &b.len);
		else if (weir_same(key, n, "time", 4)) time.p = weir_json_string(&r, &time.len);
		else if (weir_same(key, n, "buckets", 7)) given = weir_json_number(&r);
		else weir_json_unknown(&r, key, n);
	}
	if (!weir_json_end(&r)) return 1;
	if (!a.len || !b.len || !time.len) return weir_fail("parameters: \"a\", \"b\" and \"time\" are needed"), 1;
	if (!(given >= 1 && given <= 2147483647 && given == (double)(buckets = (uint64_t)given)))
		return weir_fail("parameters: buckets must be a whole number from 1 to 2147483647"), 1;
	if (weir_same(a.p, a.len, b.p, b.len) || weir_same(a.p, a.len, time.p, time.len)) return weir_fail("parameters: column %S is given twice", a.p, a.len), 1;
	if (weir_same(b.p, b.len, time.p, time.len)) return weir_fail("parameters: column %S is given twice", b.p, b.len), 1;
	weir_adds(&schema, "{\"inputs\":[");
	weir_add_field(&schema, a.p, a.len, WEIR_UTF8);
	weir_add_field(&schema, b.p, b.len, WEIR_UTF8);
	weir_add_field(&schema, time.p, time.len, WEIR_TIMESTAMP);
	weir_adds(&schema, "],\"outputs\":[");
	for (int i = 0; i < OUTPUTS; i++) {
		text first = i == CROSS ? a : time;
		weir_add(&names[i], first.p, first.len);
		weir_adds(&names[i], outputs[i].suffix);
		if (i == CROSS) weir_add(&names[i], b.p, b.len);
		weir_add_field(&schema, names[i].p, names[i].len, outputs[i].type);
	}
	weir_adds(&schema, "]}");
	return schema.full ? weir_out_of_memory(), 1 : 0;
}

/* fnv1a continues a hash over bytes (http://www.isthe.com/chongo/tech/comp/fnv/). */
static uint64_t fnv1a(uint64_t h, const char *p, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 1099511628211u;
	return h;
}

static uint64_t fnv1a_at(uint64_t h, const weir_column *c, uint32_t r) {
	return fnv1a(h, (const char *)c->values + c->offsets[r], c->offsets[r + 1] - c->offsets[r]);
}

/* floor_mod is n modulo d, from 0 to d - 1; floor_div is n / d rounded towards minus infinity. */
static int64_t floor_mod(int64_t n, int64_t d) { return n % d + (n % d < 0 ? d : 0); }
static int64_t floor_div(int64_t n, int64_t d) { return n / d - (n % d < 0); }

static int32_t month_of(int64_t day) {
	int64_t z = day + 719468, doe = floor_mod(z, 146097);
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	return (int32_t)(mp < 10 ? mp + 3 : mp - 9);
}

/* circle[h] is sin(2 pi h / 24); the cosine is six hours ahead. */
static const double circle[30] = {
	0.0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
	1.0, 0.9659258262890683, 0.8660254037844386, 0.7071067811865476, 0.5, 0.25881904510252074,
	0.0, -0.25881904510252074, -0.5, -0.7071067811865476, -0.8660254037844386, -0.9659258262890683,
	-1.0, -0.9659258262890683, -0.8660254037844386, -0.7071067811865476, -0.5, -0.25881904510252074,
	0.0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
};

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	static weir_batch out;
	static weir_column columns[OUTPUTS];
	static weir_buffer buffer;
	const weir_column *x, *y, *t;
	if (!(x = weir_find(in, a.p, a.len, WEIR_UTF8)) || !(y = weir_find(in, b.p, b.len, WEIR_UTF8)) || !(t = weir_find(in, time.p, time.len, WEIR_TIMESTAMP))) return 0;
	uint32_t rows = in->rows, even = (rows + 1) & ~1u; /* buffers begin at multiples of 8 */
	int64_t *cross = weir_room(&buffer, rows * 24 + even * 12 + (rows + 7) / 8);
	if (!cross) return 0;
	double *sine = (double *)(cross + rows), *cosine = sine + rows;
	int32_t *hour = (int32_t *)(cosine + rows), *weekday = hour + even, *month = weekday + even;
	uint8_t *both = (uint8_t *)(month + even);
	if (rows) __builtin_memset(both, 0, (rows + 7) / 8);
	for (uint32_t r = 0; r < rows; r++) {
		cross[r] = 0;
		if (weir_is_null(x, r) || weir_is_null(y, r)) continue;
		both[r >> 3] |= 1 << (r & 7);
		uint64_t h = fnv1a_at(14695981039346656037u, x, r);
		cross[r] = (int64_t)(fnv1a_at(fnv1a(h, "\x1f", 1), y, r) % buckets);
	}
	const int64_t *when = t->values;
	for (uint32_t r = 0; r < rows; r++) { /* of nulls, too: that costs less than asking */
		int64_t day = floor_div(when[r], 86400000000);
		hour[r] = (int32_t)(floor_mod(when[r], 86400000000) / 3600000000);
		weekday[r] = (int32_t)floor_mod(day + 3, 7);
		month[r] = month_of(day);
		sine[r] = circle[hour[r]];
		cosine[r] = circle[hour[r] + 6];
	}
	const void *values[OUTPUTS] = {cross, hour, weekday, month, sine, cosine};
	for (int i = 0; i < OUTPUTS; i++)
		columns[i] = (weir_column){.type = outputs[i].type, .name = names[i].p, .name_len = names[i].len,
			.validity = i == CROSS ? both : t->validity, .values = values[i], .bytes = rows * outputs[i].width};
	out = (weir_batch){.magic = WEIR_MAGIC, .version = WEIR_ABI, .rows = rows, .columns = OUTPUTS, .column = columns};
	return &out;
}
