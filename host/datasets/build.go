package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/weir-ml/weir/host/errs"
)

// BuildRequest makes a dataset out of others.
type BuildRequest struct {
	Name      string        `json:"name"`
	SQL       string        `json:"sql"`                 // one SELECT; each input is a view of its dataset's name
	Inputs    []string      `json:"inputs"`              // references; "name" is the latest version as of now
	Functions []FunctionRef `json:"functions,omitempty"` // plugins that the SQL calls
}

// FunctionRef makes a plugin callable under an SQL name.
type FunctionRef struct {
	Name       string          `json:"name"`
	Plugin     string          `json:"plugin"`               // name or digest
	Parameters json.RawMessage `json:"parameters,omitempty"` // an object, or a string: the name of a fitted parameter document
}

// Build runs SQL over other datasets and makes the result the dataset's next version, with its lineage. A result identical
// to the latest version in content and in lineage makes no new one. Errors: Invalid with the position for bad SQL, Forbidden
// for SQL that reaches beyond the inputs, NotFound for an input or a plugin, a function's own kind when it fails.
func (s *Service) Build(ctx context.Context, r BuildRequest) (Version, error) {
	if err := CheckName(r.Name); err != nil {
		return Version{}, err
	}
	lineage := &Lineage{SQL: r.SQL, Inputs: []string{}, InputDigests: map[string]string{}}
	q := Query{SQL: r.SQL}
	names := map[string]bool{}
	for _, ref := range r.Inputs {
		v, err := s.Get(ctx, ref)
		if err != nil {
			return Version{}, fmt.Errorf("build dataset %q: input %q: %w", r.Name, ref, err)
		}
		if names[v.Name] {
			return Version{}, errs.New(errs.Invalid, "build dataset %q: %q is an input twice, and a view has one version", r.Name, v.Name)
		}
		names[v.Name] = true
		src, err := s.source(v)
		if err != nil {
			return Version{}, err
		}
		q.Sources = append(q.Sources, src)
		lineage.Inputs = append(lineage.Inputs, v.Ref())
		lineage.InputDigests[v.Ref()] = v.Digest
	}
	closeAll, err := s.openFunctions(ctx, r, &q, lineage)
	defer closeAll()
	if err != nil {
		return Version{}, err
	}
	return s.make(ctx, r.Name, func(dir string) (Version, error) {
		q.Output = filepath.Join(dir, outName)
		t, err := s.o.Engine.Query(ctx, q)
		if err != nil {
			err = fmt.Errorf("build dataset %q: %w", r.Name, err)
		}
		return Version{Rows: t.Rows, Columns: t.Columns, Source: BuildSource, Lineage: lineage}, err
	})
}

// openFunctions opens the plugins of a build. The function it returns closes them and is never nil.
func (s *Service) openFunctions(ctx context.Context, r BuildRequest, q *Query, lineage *Lineage) (closeAll func(), err error) {
	closeAll = func() {
		for _, f := range q.Functions {
			if err := f.T.Close(); err != nil {
				s.log.Warn("plugin did not close", "function", f.Name, "error", err)
			}
		}
	}
	if len(r.Functions) > 0 && s.o.Plugins == nil {
		return closeAll, errs.New(errs.Unimplemented, "build dataset %q: there are no plugins here, so SQL cannot call functions", r.Name)
	}
	for _, f := range r.Functions {
		t, err := s.o.Plugins.OpenTransformer(ctx, f.Plugin, f.Parameters)
		if err != nil {
			return closeAll, fmt.Errorf("build dataset %q: function %q: %w", r.Name, f.Name, err)
		}
		q.Functions = append(q.Functions, Function{Name: f.Name, T: t})
		from := FunctionLineage{Name: f.Name, Plugin: f.Plugin, Digest: t.Digest(), Parameters: f.Parameters}
		if json.Unmarshal(f.Parameters, &from.Fitted) == nil && from.Fitted != "" {
			from.Parameters = t.Parameters()
		}
		lineage.Functions = append(lineage.Functions, from)
	}
	return closeAll, nil
}
