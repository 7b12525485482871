/* no-drift passes what a monitor's reports show to be stable. */
#include "gate.h"

DESCRIBE({
	"name": "no-drift", "version": "1.0.0", "summary": "Passes when the monitors' reports in the context show no drift.", "worlds": ["gate"],
	"parameters": {"type": "object", "additionalProperties": false, "properties": {
		"max_share": {"type": "number", "minimum": 0, "maximum": 1},
		"ignore": {"type": "array", "minItems": 1, "items": {"type": "string"}},
		"insufficient": {"enum": ["review", "pass", "fail"]}}}
})

static double max_share;
static texts ignore;
static int insufficient; /* 0 review, 1 pass, 2 fail */

static int setup(weir_json *r) {
	if (!read_object(r, FIELDS({"max_share", NUMBER, &max_share, .min = 0, .max = 1}, {"ignore", TEXTS, &ignore},
		{"insufficient", CHOICE, &insufficient, .choices = "review\0pass\0fail\0"}), 0)) return 0;
	return 1;
}

static uint32_t reports;

/* One column of a report. */
typedef struct { text name; int drifted, judged; } seen;

static seen read_column(weir_json *r) {
	seen s = {.judged = 1};
	text key, t;
	if (!enter(r)) return s;
	while (weir_json_key(r, &key.p, &key.n)) {
		if (is_text(key, "column") && weir_json_peek(r) == '"') s.name.p = weir_json_string(r, &s.name.n);
		else if (is_text(key, "verdict") && weir_json_peek(r) == '"') {
			t.p = weir_json_string(r, &t.n);
			if (is_text(t, "drift")) s.drifted = 1;
			if (is_text(t, "insufficient data")) s.judged = 0;
		} else weir_json_skip(r);
	}
	return s;
}

static int ignored(text name) {
	for (uint32_t i = 0; i < ignore.count; i++)
		if (same_text(ignore.at[i], name)) return 1;
	return 0;
}

/* read_report judges one report by its columns; the report's own verdict is what its monitor thinks, with its monitor's threshold. */
static void read_report(weir_json *r) {
	text key, name = {"a monitor", 9};
	uint32_t judged = 0, drifted = 0, columns = 0;
	weir_text list = {0};
	if (!enter(r)) return;
	reports++;
	while (weir_json_key(r, &key.p, &key.n)) {
		if (is_text(key, "monitor") && weir_json_peek(r) == '"') name.p = weir_json_string(r, &name.n);
		else if (is_text(key, "columns") && weir_json_peek(r) == '[') {
			weir_json_open(r, '[');
			while (weir_json_next(r)) {
				seen s = read_column(r);
				if (ignored(s.name)) continue;
				columns++;
				judged += s.judged;
				if (!s.drifted) continue;
				drifted++;
				if (list.len) weir_adds(&list, ", ");
				weir_add(&list, s.name.p, s.name.n);
			}
		} else weir_json_skip(r);
	}
	begin_reason();
	weir_add(&reason, name.p, name.n);
	weir_adds(&reason, ": ");
	double share = judged ? (double)drifted / judged : 0;
	if (!judged) {
		weir_adds(&reason, columns ? "none of the columns had enough rows to be judged" : "the report holds no column that counts");
		end_reason(insufficient == 0 ? REVIEW : insufficient == 1 ? PASS : FAIL);
	} else {
		weir_addu(&reason, drifted);
		weir_adds(&reason, " of ");
		weir_addu(&reason, judged);
		weir_adds(&reason, judged == 1 ? " column drifted" : " columns drifted");
		if (drifted) {
			weir_adds(&reason, " (");
			weir_add(&reason, list.p, list.len);
			weir_adds(&reason, ")");
		}
		weir_adds(&reason, share > max_share ? ", more than a share of " : ", at most a share of ");
		say_number(&reason, max_share);
		end_reason(share > max_share ? FAIL : PASS);
	}
	fact(name);
	weir_adds(&evidence, "{\"columns\":");
	weir_addu(&evidence, columns);
	weir_adds(&evidence, ",\"judged\":");
	weir_addu(&evidence, judged);
	weir_adds(&evidence, ",\"drifted\":");
	weir_addu(&evidence, drifted);
	weir_adds(&evidence, ",\"share\":");
	weir_add_number(&evidence, share);
	weir_adds(&evidence, "}");
	weir_free(list.p, list.cap);
}

static int judge(weir_json *r) {
	text key;
	reports = 0;
	weir_json_open(r, '{');
	while (weir_json_key(r, &key.p, &key.n)) {
		if (!is_text(key, "context")) { weir_json_skip(r); continue; }
		if (!enter(r)) continue;
		while (weir_json_key(r, &key.p, &key.n)) {
			if (!is_text(key, "drift")) { weir_json_skip(r); continue; }
			if (weir_json_peek(r) == '[') {
				weir_json_open(r, '[');
				while (weir_json_next(r)) read_report(r);
			} else read_report(r);
		}
	}
	if (!weir_json_end(r)) return 0;
	if (!reports) {
		begin_reason();
		weir_adds(&reason, "the context holds no report of a monitor: give one, or a list, as context.drift");
		end_reason(insufficient == 0 ? REVIEW : insufficient == 1 ? PASS : FAIL);
	}
	return 1;
}
