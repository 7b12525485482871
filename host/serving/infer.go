package serving

import (
	"context"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// InferRequest is raw tensors for a model: no pre- or post-processing. Version "" is the serving one; Outputs empty is all.
// The tensors' memory is the caller's again when Infer returns.
type InferRequest struct {
	Model, Version string
	Inputs         []schema.Tensor
	Outputs        []string
}

// InferResponse is a model's answer. BatchSize is the rows of the run that the request was part of.
type InferResponse struct {
	Version        string
	Outputs        []schema.Tensor
	BatchSize      int
	Queue, Compute time.Duration
}

// Infer runs a model. Errors: errs.NotFound for an unknown model or version, errs.Invalid for tensors that do not fit,
// errs.Exhausted when the queue is full, errs.Unavailable when the model is not loaded, and the context's own.
func (s *Service) Infer(ctx context.Context, req InferRequest) (InferResponse, error) {
	m, err := s.acquire(req.Model, req.Version)
	if err != nil {
		return InferResponse{}, err
	}
	defer m.release()
	for _, o := range req.Outputs {
		if find(m.outputs, o) < 0 {
			err := errs.New(errs.Invalid, "unknown output %q: model %q gives %s", o, req.Model, describe(m.outputs))
			m.meters.answered(0, err)
			return InferResponse{}, err
		}
	}
	res, err := m.infer(ctx, req.Inputs, nil)
	m.meters.answered(res.queue, err)
	if err != nil {
		return InferResponse{}, err
	}
	return InferResponse{Version: m.spec.Version, Outputs: selectOutputs(res.out, req.Outputs), BatchSize: res.batch, Queue: res.queue, Compute: res.compute}, nil
}
