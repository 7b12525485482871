/* rows answers single rows by weir_row and batches by weir_transform. Its parameters are a JSON string, the mode:
 *   "echo"            all types; both entries answer what they are given
 *   "scale N"         N float64 columns c0, c1, …; both entries answer (x - 1.25) / 1.5
 *   "byte AT VALUE"   as echo, but the row is a copy whose byte AT is VALUE
 *   "at ADDRESS"      as echo, but weir_row answers that address; 0 is the error "no row today"
 *   "far"             as echo, but the row's text lies where there is no memory
 *   "trap", "loop"    weir_row traps, or never ends
 *   "open"            a schema without columns, so that weir_row must not be called: it traps */
#include "weir.h"

static const char description[] = "{\"name\":\"rows\",\"version\":\"1\",\"worlds\":[\"transform\"],\"parameters\":{\"type\":\"string\"}}";
#define TYPES "[{\"name\":\"flag\",\"type\":\"bool\"},{\"name\":\"i32\",\"type\":\"int32\"},{\"name\":\"i64\",\"type\":\"int64\"},{\"name\":\"f32\",\"type\":\"float32\"}," \
	"{\"name\":\"f64\",\"type\":\"float64\"},{\"name\":\"text\",\"type\":\"utf8\"},{\"name\":\"raw\",\"type\":\"binary\"},{\"name\":\"at\",\"type\":\"timestamp\"}," \
	"{\"name\":\"emb\",\"type\":\"float_vector\",\"list_size\":3}]"
static const char all[] = "{\"inputs\":" TYPES ",\"outputs\":" TYPES "}";
static const char none[] = "{\"inputs\":[],\"outputs\":[]}";
enum { ROW_WORDS = 12, MOST = 64 }; /* the row of TYPES: validity, eight words, three floats in two */

static char mode; /* the first letter */
static uint32_t numbers[2], columns;
static weir_text schema;
static volatile uint32_t sink;

static uint64_t copy[ROW_WORDS];
static struct { uint64_t valid; double value[MOST]; } scaled;
static double *values;
static weir_column outs[MOST];
static weir_batch out = {.magic = WEIR_MAGIC, .version = WEIR_ABI, .column = outs};

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }

int32_t WEIR_EXPORT(weir_init)(const char *p, uint32_t n) {
	const char *end = p + n - 1;
	int k = 0, digits = 0;
	mode = n > 2 ? p[1] : 'e';
	for (; p < end && k < 2; p++) {
		if (*p >= '0' && *p <= '9') numbers[k] = numbers[k] * 10 + (*p - '0'), digits = 1;
		else if (digits) k++, digits = 0;
	}
	if (mode == 's') {
		if ((columns = numbers[0]) < 1 || columns > MOST) return weir_fail("1 to 64 columns"), 1;
		for (int side = 0; side < 2; side++) {
			weir_adds(&schema, side ? "],\"outputs\":[" : "{\"inputs\":[");
			for (uint32_t i = 0; i < columns; i++) {
				weir_adds(&schema, i ? ",{\"name\":\"c" : "{\"name\":\"c");
				weir_addu(&schema, i);
				weir_adds(&schema, "\",\"type\":\"float64\"}");
			}
		}
		weir_adds(&schema, "]}");
		if (!(values = weir_alloc(columns * WEIR_MAX_ROWS * 8))) return weir_out_of_memory(), 1;
	} else weir_adds(&schema, mode == 'o' ? none : all);
	return 0;
}

uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema.p, schema.len); }

const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) {
	if (mode != 's') return in;
	for (uint32_t c = 0; c < columns; c++) {
		const double *x = in->column[c].values;
		double *y = values + c * WEIR_MAX_ROWS;
		for (uint32_t i = 0; i < in->rows; i++) y[i] = (x[i] - 1.25) / 1.5;
		outs[c] = in->column[c];
		outs[c].values = y;
	}
	out.rows = in->rows;
	out.columns = columns;
	return &out;
}

const void *WEIR_EXPORT(weir_row)(const uint64_t *row) {
	switch (mode) {
	case 's':
		scaled.valid = row[0];
		for (uint32_t i = 0; i < columns; i++) scaled.value[i] = (((const double *)row)[i + 1] - 1.25) / 1.5;
		return &scaled;
	case 'b':
		__builtin_memcpy(copy, row, sizeof copy);
		((uint8_t *)copy)[numbers[0] % sizeof copy] = numbers[1];
		return copy;
	case 'f':
		__builtin_memcpy(copy, row, sizeof copy);
		copy[6] = (uint64_t)7 << 32 | 0xfffffff0u;
		return copy;
	case 'a':
		if (!numbers[0]) weir_fail("no row today");
		return (const void *)(uintptr_t)numbers[0];
	case 'l': for (;;) sink++;
	case 't': case 'o': __builtin_trap();
	}
	return row;
}
