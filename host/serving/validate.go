package serving

import "github.com/weir-ml/weir/host/errs"

// Validate checks the spec alone, without the model. Errors are errs.Invalid and begin with the field's path.
func (m ModelSpec) Validate() error {
	if _, err := m.WithDefaults(); err != nil {
		return errs.New(errs.KindOf(err), "spec.%w", err)
	}
	return nil
}
