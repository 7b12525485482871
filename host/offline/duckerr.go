package offline

import (
	"regexp"
	"strings"

	"github.com/weir-ml/weir/host/errs"
)

// duckKinds maps the word that opens a DuckDB message to a kind; what is not listed is the query's own fault (parser,
// binder, catalog, conversion, …).
var duckKinds = []struct {
	prefix string
	kind   errs.Kind
}{
	{"Permission Error", errs.Forbidden},
	{"Out of Memory Error", errs.Exhausted},
	{"INTERRUPT Error", errs.Unavailable},
	{"Interrupt Error", errs.Unavailable},
	{"INTERNAL Error", errs.Internal},
	{"FATAL Error", errs.Internal},
	{"IO Error", errs.Internal},
}

var duckPath = regexp.MustCompile(`(?i)(file|path|directory) "(/[^"]*/)([^"/]+)"`)

// duckError turns a DuckDB message into a kinded error. The message keeps DuckDB's own position ("LINE 2: … ^"); folders
// are cut from paths, which are the host's business.
func duckError(msg string) error {
	kind := errs.Invalid
	for _, k := range duckKinds {
		if strings.HasPrefix(msg, k.prefix) {
			kind = k.kind
			break
		}
	}
	if kind != errs.Forbidden { // what a query asked for itself may be told back to it
		msg = duckPath.ReplaceAllString(msg, `$1 "$3"`)
	}
	return errs.New(kind, "%s", strings.TrimSpace(msg))
}

// duckReason cuts DuckDB's position from an error about a statement that wraps the user's: it would point into the wrapping.
func duckReason(err error) error {
	if err == nil {
		return nil
	}
	text, _, cut := strings.Cut(err.Error(), "\n\nLINE ")
	if !cut {
		return err
	}
	return errs.New(errs.KindOf(err), "%s", text)
}
