/* identity answers every batch with the very header it was given: the cheapest transform there is, for measuring the
 * boundary and for proving that each type survives the way there and back. */
#include "weir.h"

static const char description[] =
	"{\"name\":\"identity\",\"version\":\"1.0.0\",\"summary\":\"Returns every batch unchanged.\",\"worlds\":[\"transform\"],"
	"\"parameters\":{\"type\":\"object\"}}";
static const char schema[] = "{\"inputs\":[],\"outputs\":[]}";

uint64_t WEIR_EXPORT(weir_describe)(void) { return weir_pack(description, sizeof description - 1); }
int32_t WEIR_EXPORT(weir_init)(const char *json, uint32_t len) { return 0; }
uint64_t WEIR_EXPORT(weir_schema)(void) { return weir_pack(schema, sizeof schema - 1); }
const weir_batch *WEIR_EXPORT(weir_transform)(const weir_batch *in) { return in; }
