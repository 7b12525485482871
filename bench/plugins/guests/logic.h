/* logic.h: the JSON function that all servers of the bench run: {"user":"ann","values":[1,2,3.5]} becomes
 * {"user":"ann","count":3,"sum":6.5,"max":3.5}. One source for every host, so that only the hosts differ. */
#include "weir_json.h"

static weir_text answer;

static int logic(const char *in, uint32_t len) {
	weir_json r = weir_json_of(in, len);
	const char *key, *user = "";
	uint32_t n, user_len = 0, count = 0;
	double sum = 0, max = 0;
	weir_json_open(&r, '{');
	while (weir_json_key(&r, &key, &n)) {
		if (weir_same(key, n, "user", 4)) user = weir_json_string(&r, &user_len);
		else if (weir_same(key, n, "values", 6)) {
			weir_json_open(&r, '[');
			while (weir_json_next(&r)) {
				double v = weir_json_number(&r);
				sum += v;
				if (!count++ || v > max) max = v;
			}
		} else weir_json_skip(&r);
	}
	if (!weir_json_end(&r)) return 0;
	answer.len = 0;
	weir_adds(&answer, "{\"user\":");
	weir_addq(&answer, user, user_len);
	weir_adds(&answer, ",\"count\":");
	weir_addu(&answer, count);
	weir_adds(&answer, ",\"sum\":");
	weir_add_number(&answer, sum);
	weir_adds(&answer, ",\"max\":");
	weir_add_number(&answer, max);
	weir_adds(&answer, "}");
	if (user_len) weir_free((void *)user, user_len + 1);
	return 1;
}
