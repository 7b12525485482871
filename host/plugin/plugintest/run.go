package plugintest

import (
	"context"
	"fmt"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
)

// Run gives every case to the module and compares what it answers; the Report has one Result a case, its Check "vectors".
// An error means that the module cannot be tested at all: it is no plugin, or ctx ended.
func Run(ctx context.Context, h *plugin.Host, wasm []byte, cases []Case) (Report, error) {
	var r Report
	if _, err := h.Inspect(ctx, wasm); err != nil {
		return r, err
	}
	for i := range cases {
		c := &cases[i]
		wrong := runCase(ctx, h, wasm, c)
		if err := ctx.Err(); err != nil {
			return r, err
		}
		r.add(c, "vectors", wrong, "")
	}
	return r, nil
}

// runCase answers what is wrong, or "".
func runCase(ctx context.Context, h *plugin.Host, wasm []byte, c *Case) string {
	wrong, err := "", error(nil)
	p, err := h.Open(ctx, wasm, c.Parameters, plugin.Limits{})
	if err == nil {
		defer p.Close()
		wrong, err = answer(ctx, p, c)
	}
	switch {
	case c.Error == "" && err != nil:
		return err.Error()
	case c.Error == "":
		return wrong
	case err == nil:
		return fmt.Sprintf("got an answer, want an error that holds %q", c.Error)
	case !errs.Is(err, errs.Invalid):
		return fmt.Sprintf("got a failure of another kind (%s), want a refusal that holds %q: %v", errs.KindOf(err), c.Error, err)
	case !strings.Contains(err.Error(), c.Error):
		return fmt.Sprintf("got the error %q, want one that holds %q", err, c.Error)
	}
	return ""
}

// answer asks the plugin; with an expected error only the asking counts.
func answer(ctx context.Context, p *plugin.Plugin, c *Case) (wrong string, err error) {
	switch c.World {
	case abi.WorldTransform:
		got, err := p.Transform(ctx, c.Input)
		if err != nil || c.Error != "" {
			return "", err
		}
		return differ(got, c.Output, c.Tolerance), nil
	case abi.WorldMetric:
		got, err := finish(ctx, p, c)
		if err != nil || c.Error != "" {
			return "", err
		}
		return differScores(got, c.Scores, c.Tolerance), nil
	case abi.WorldGate:
		got, err := p.Gate(ctx, c.Context)
		if err != nil || c.Error != "" {
			return "", err
		}
		return differVerdict(got, c), nil
	case abi.WorldHandler:
		got, err := p.Handle(ctx, c.Request)
		if err != nil || c.Error != "" {
			return "", err
		}
		return differResponse(got, c.Response), nil
	}
	return "", nil // parameters alone were to be refused
}

func finish(ctx context.Context, p *plugin.Plugin, c *Case) ([]abi.Score, error) {
	m, err := p.Metric(ctx)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := m.Update(ctx, abi.Reference, c.Reference); err != nil {
		return nil, err
	}
	if err := m.Update(ctx, abi.Current, c.Current); err != nil {
		return nil, err
	}
	return m.Finish(ctx)
}
