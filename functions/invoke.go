package functions

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Sentinels that an edge has its own status codes for. Both are of kind Invalid.
var (
	ErrMethodNotAllowed = errs.New(errs.Invalid, "method not allowed")
	ErrBodyTooLarge     = errs.New(errs.Invalid, "request body too large")
)

// InvokeInfo is what an invocation cost.
type InvokeInfo struct {
	ColdStart    time.Duration // of an instance that was started during the call; 0 when the pool was warm
	Compute      time.Duration // decoding, plugin, model, encoding
	Instances    int           // live instances of the function's pool after the call
	Rows         int           // 0 for a handler
	BatchSize    int           // rows of the batch the model ran
	PluginDigest string
	Model        string // name@version, "" without a model
}

// Invoke answers one HTTP request. A handler gets it raw. Functions of rows take {"rows":[{…}]} or {"columns":{…}} and
// answer in the same form. Path is what follows the function's name.
//
// Errors: NotFound for an unknown function (naming those there are) and for one without an HTTP trigger; Invalid for a bad
// body (with its position), ErrMethodNotAllowed and ErrBodyTooLarge; otherwise what the plugin or the model answered.
func (s *Service) Invoke(ctx context.Context, name string, r abi.Request) (resp abi.Response, info InvokeInfo, err error) {
	f, err := s.acquire(name)
	if err != nil {
		return abi.Response{}, InvokeInfo{}, err
	}
	defer f.calls.Done()
	started := time.Now()
	before := f.steps.stats()
	resp, info, err = f.invoke(ctx, r)
	after := f.steps.stats()
	if after.ColdStarts > before.ColdStarts {
		info.ColdStart = after.LastColdStart
	}
	info.Compute, info.Instances, info.PluginDigest = time.Since(started), after.Live, f.steps.digest()
	s.meters.invoked(err, info.Compute, info.ColdStart > 0)
	f.invocations.Add(1)
	if err != nil {
		f.invokeErrors.Add(1)
		return abi.Response{}, info, errs.New(errs.KindOf(err), "function %q: %w", name, err)
	}
	return resp, info, nil
}

func (f *function) invoke(ctx context.Context, r abi.Request) (abi.Response, InvokeInfo, error) {
	var info InvokeInfo
	if f.spec.HTTP == nil {
		return abi.Response{}, info, errs.New(errs.NotFound, "it has no HTTP trigger; it takes events from stream %q", f.spec.Event.Stream)
	}
	if ms := f.spec.HTTP.Methods; len(ms) > 0 && !slices.Contains(ms, r.Method) {
		return abi.Response{}, info, errs.New(errs.Invalid, "%w: %s (allowed: %s)", ErrMethodNotAllowed, r.Method, strings.Join(ms, ", "))
	}
	if int64(len(r.Body)) > f.spec.MaxBodyBytes {
		return abi.Response{}, info, errs.New(errs.Invalid, "%w: %d bytes, spec.max_body_bytes allows %d", ErrBodyTooLarge, len(r.Body), f.spec.MaxBodyBytes)
	}
	if f.steps.handler {
		r.Kind = "http"
		resp, err := f.steps.handle(ctx, r)
		if err == nil && resp.Status == 0 {
			resp.Status = 200
		}
		return resp, info, err
	}
	in, form, err := schema.DecodeRows(r.Body, f.steps.fields)
	if err != nil {
		return abi.Response{}, info, err
	}
	info.Rows = in.Rows
	c := computed{out: &abi.Batch{}}
	if in.Rows > 0 {
		if c, err = f.steps.rows(ctx, in); err != nil {
			return abi.Response{}, info, err
		}
	}
	info.BatchSize, info.Model = c.batchSize, c.model
	resp := abi.Response{Status: 200, Headers: map[string][]string{"Content-Type": {"application/json"}}, Body: schema.EncodeRows(c.out, form)}
	if d := f.steps.digest(); d != "" {
		resp.Headers[HeaderPlugin] = []string{d}
	}
	if c.model != "" {
		resp.Headers[HeaderModel] = []string{c.model}
		resp.Headers[HeaderBatchSize] = []string{strconv.Itoa(c.batchSize)}
	}
	return resp, info, nil
}

// Headers of results (messages and HTTP answers).
const (
	HeaderFunction      = "Weir-Function"
	HeaderInputStream   = "Weir-Input-Stream"
	HeaderInputSequence = "Weir-Input-Sequence"
	HeaderBatchSize     = "Weir-Batch-Size"
	HeaderPlugin        = "Weir-Plugin"
	HeaderModel         = "Weir-Model"
)
