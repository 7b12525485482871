/* threshold passes a candidate whose metrics lie within bounds. */
#include "gate.h"

DESCRIBE({
	"name": "threshold", "version": "1.0.0", "summary": "Passes a candidate whose metrics lie within bounds.", "worlds": ["gate"],
	"parameters": {"type": "object", "additionalProperties": false, "required": ["metrics"], "properties": {
		"metrics": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["name"],
			"anyOf": [{"required": ["min"]}, {"required": ["max"]}], "properties": {
				"name": {"type": "string", "minLength": 1}, "min": {"type": "number"}, "max": {"type": "number"},
				"otherwise": {"enum": ["fail", "review"]}}}}}}
})

typedef struct {
	text name;
	double min, max;
	int review; /* otherwise: 0 fail, 1 review */
	uint32_t have;
	/* of this context */
	int there;  /* 0 not, 1 a number, 2 something else */
	double value;
} rule;

static rule *rules;
static uint32_t count;

static int read_rule(weir_json *r) {
	if (!GROW(rules, count)) return 0;
	rule *m = &rules[count];
	*m = (rule){.min = -__builtin_inf(), .max = __builtin_inf()};
	if (!read_object(r, FIELDS({"name", TEXT, &m->name, 1}, {"min", NUMBER, &m->min}, {"max", NUMBER, &m->max}, {"otherwise", CHOICE, &m->review, .choices = "fail\0review\0"}),
		&m->have)) return 0;
	if (!(m->have & 6)) return wrong("\"min\" and \"max\" are missing: give one or both");
	if (m->min > m->max) return wrong("\"min\" is above \"max\"");
	for (uint32_t i = 0; i < count; i++)
		if (same_text(rules[i].name, m->name)) return wrong("metric %S is listed twice", m->name);
	count++;
	return 1;
}
static int setup(weir_json *r) { return read_object(r, FIELDS({"metrics", LIST, 0, 1, .read = read_rule}), 0); }

static void read_metrics(weir_json *r) {
	text key;
	while (weir_json_key(r, &key.p, &key.n)) {
		rule *m = 0;
		for (uint32_t i = 0; i < count && !m; i++)
			if (same_text(rules[i].name, key)) m = &rules[i];
		int c = weir_json_peek(r);
		if (!m) weir_json_skip(r);
		else if (c == '-' || (c >= '0' && c <= '9')) m->there = 1, m->value = weir_json_number(r);
		else m->there = 2, weir_json_skip(r);
	}
}

static int judge(weir_json *r) {
	text key;
	for (uint32_t i = 0; i < count; i++) rules[i].there = 0;
	weir_json_open(r, '{');
	while (weir_json_key(r, &key.p, &key.n)) {
		if (!is_text(key, "candidate")) { weir_json_skip(r); continue; }
		if (!enter(r)) continue;
		while (weir_json_key(r, &key.p, &key.n)) {
			if (!is_text(key, "metrics")) weir_json_skip(r);
			else if (enter(r)) read_metrics(r);
		}
	}
	if (!weir_json_end(r)) return 0;
	for (uint32_t i = 0; i < count; i++) {
		rule *m = &rules[i];
		int good = m->there == 1 && m->value >= m->min && m->value <= m->max;
		begin_reason();
		weir_add(&reason, m->name.p, m->name.n);
		if (m->there == 1) {
			weir_adds(&reason, " is ");
			say_number(&reason, m->value);
		} else weir_adds(&reason, m->there ? " is no finite number" : " is missing");
		weir_adds(&reason, good ? ": " : ", not ");
		if (m->have & 2) {
			weir_adds(&reason, "at least ");
			say_number(&reason, m->min);
		}
		if ((m->have & 6) == 6) weir_adds(&reason, " and ");
		if (m->have & 4) {
			weir_adds(&reason, "at most ");
			say_number(&reason, m->max);
		}
		end_reason(good ? PASS : m->review ? REVIEW : FAIL);
		fact(m->name);
		if (m->there == 1) weir_add_number(&evidence, m->value);
		else weir_adds(&evidence, "null");
	}
	return 1;
}
