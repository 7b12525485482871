package rest

import (
	"strconv"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
)

// Replayed says where a replayed event is now.
type Replayed struct {
	Sequence uint64 `json:"sequence" jsonschema:"description=Of the new message in the function's input stream"`
}

func (a *api) listFunctions(c *httpd.Call) error {
	var all []functions.Status
	for _, n := range a.d.Functions.Names() {
		st, err := a.d.Functions.Status(c.Context(), n)
		if errs.Is(err, errs.NotFound) {
			continue // removed between the two calls
		}
		if err != nil {
			return err
		}
		all = append(all, st)
	}
	v, err := list(all, nil)
	return answer(c, 200, v, err)
}

func (a *api) getFunction(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	st, err := a.d.Functions.Status(c.Context(), name)
	return answer(c, 200, st, err)
}

func (a *api) deadLetters(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	from, err := number(c, "from", 0)
	if err != nil {
		return err
	}
	n, err := limit(c, 100, 10_000)
	if err != nil {
		return err
	}
	v, err := list(a.d.Functions.DeadLetters(c.Context(), name, from, n))
	return answer(c, 200, v, err)
}

func (a *api) replay(c *httpd.Call) error {
	name, seq, err := two(c, "name", "seq")
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return errs.New(errs.Invalid, "dead letter %q: want its sequence, a whole number", seq)
	}
	at, err := a.d.Functions.Replay(c.Context(), name, n)
	return answer(c, 200, Replayed{at}, err)
}
