package monitor

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Current is what a run compares with the reference: a data set, or rows.
type Current struct {
	Dataset string // "name" or "name@3"; "" when Rows are given
	Rows    *abi.Batch
	Label   string // what the report calls the rows; default "rows"
}

// Run compares current with the monitor's reference, stores the report and returns it. Errors: NotFound for an unknown
// monitor or data set; Invalid when columns are missing or not numbers; otherwise what the plugin or the store answered.
// A report that could not be stored is not returned.
func (s *Service) Run(ctx context.Context, name string, current Current) (Report, error) {
	spec, err := s.spec(name)
	if err != nil {
		return Report{}, err
	}
	r, err := s.run(ctx, name, spec, current)
	if err != nil {
		s.meters.runs.WithLabelValues("error").Inc()
		return Report{}, errs.New(errs.KindOf(err), "monitor %q: %w", name, err)
	}
	s.meters.runs.WithLabelValues(label(r.Verdict)).Inc()
	s.meters.seconds.Observe(r.DurationMS / 1000)
	return r, nil
}

func (s *Service) run(ctx context.Context, name string, spec Spec, current Current) (Report, error) {
	started := s.o.Now()
	r := Report{
		ID: newID(name, started), Monitor: name, Plugin: spec.Metric.Plugin, Started: started.UTC(), DriftedColumns: []string{},
		Threshold: spec.Threshold, DatasetThreshold: spec.DatasetThreshold, MinRows: spec.MinRows,
	}
	ref, err := s.o.Datasets.Get(ctx, spec.Reference)
	if err != nil {
		return r, fmt.Errorf("reference: %w", err)
	}
	columns, err := spec.columns(ref)
	if err != nil {
		return r, err
	}
	profile, err := s.profile(ctx, ref, columns, spec.Bins)
	if err != nil {
		return r, err
	}
	params, err := spec.parameters(profile)
	if err != nil {
		return r, err
	}
	r.ParametersDigest = schema.DigestOf(params)
	plugin, err := s.o.Metrics.Open(ctx, spec.Metric.Plugin, params)
	if err != nil {
		return r, errs.New(errs.KindOf(err), "plugin %q: %w", spec.Metric.Plugin, err)
	}
	defer plugin.Close()
	r.PluginDigest = plugin.Digest()
	state, cached, err := s.reference(ctx, plugin, ref, columns, params)
	if err != nil {
		return r, fmt.Errorf("reference %s: %w", ref.Ref, err)
	}
	r.Reference, r.ReferenceCached = Sample{Ref: ref.Ref, Digest: ref.Digest, Rows: state.Rows}, cached
	m, err := plugin.Metric(ctx)
	if err != nil {
		return r, err
	}
	defer m.Close()
	if err := m.Merge(ctx, state.State); err != nil {
		return r, fmt.Errorf("merge the reference's state: %w", err)
	}
	values := map[string]int64{}
	if r.Current, err = s.current(ctx, m, current, columns, values); err != nil {
		return r, err
	}
	scores, err := m.Finish(ctx)
	if err != nil {
		return r, fmt.Errorf("finish: %w", err)
	}
	judge(&r, spec, profile, scores, state.Values, values)
	r.DurationMS = float64(s.o.Now().Sub(started)) / float64(time.Millisecond)
	if err := s.o.Reports.PutReport(ctx, r); err != nil {
		return r, fmt.Errorf("store report %s: %w", r.ID, err)
	}
	return r, nil
}

// current feeds the current side.
func (s *Service) current(ctx context.Context, m Metric, c Current, columns []string, values map[string]int64) (Sample, error) {
	var sample Sample
	update := func(b *abi.Batch) error {
		sample.Rows += int64(b.Rows)
		countValues(values, b, columns)
		return m.Update(ctx, abi.Current, b)
	}
	switch {
	case (c.Dataset == "") == (c.Rows == nil):
		return sample, invalid("current: give a data set or rows, one of them")
	case c.Rows != nil:
		if err := checkColumns("current rows", c.Rows.Fields(), columns); err != nil {
			return sample, err
		}
		if err := c.Rows.Validate(); err != nil {
			return sample, invalid("current rows: %w", err)
		}
		b := &abi.Batch{Rows: c.Rows.Rows}
		for _, n := range columns {
			b.Columns = append(b.Columns, *c.Rows.Column(n))
		}
		sample.Ref, sample.Digest = c.Label, batchDigest(b)
		if sample.Ref == "" {
			sample.Ref = "rows"
		}
		if b.Rows == 0 {
			return sample, nil
		}
		return sample, update(b)
	}
	d, err := s.o.Datasets.Get(ctx, c.Dataset)
	if err != nil {
		return sample, fmt.Errorf("current: %w", err)
	}
	sample.Ref, sample.Digest = d.Ref, d.Digest
	if err := checkColumns("current data set "+d.Ref, d.Columns, columns); err != nil {
		return sample, err
	}
	if err := s.o.Datasets.Batches(ctx, d.Ref, columns, update); err != nil {
		return sample, fmt.Errorf("current %s: %w", d.Ref, err)
	}
	return sample, nil
}

func checkColumns(what string, have []abi.Field, want []string) error {
	types := map[string]abi.Type{}
	for _, f := range have {
		types[f.Name] = f.Type
	}
	var missing []string
	for _, n := range want {
		t, ok := types[n]
		switch {
		case !ok:
			missing = append(missing, n)
		case !numeric(t):
			return invalid("%s: column %q is %s, and a number in the reference", what, n, t)
		}
	}
	if len(missing) > 0 {
		return invalid("%s lacks columns of the monitor: %s", what, strings.Join(missing, ", "))
	}
	return nil
}

// batchDigest names the rows' content: fields as JSON, the row count, then each column's validity and values.
func batchDigest(b *abi.Batch) schema.Digest {
	h := sha256.New()
	fields, _ := json.Marshal(b.Fields()) // valid types only: never fails
	h.Write(fields)
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(b.Rows))
	h.Write(n[:])
	for i := range b.Columns {
		c := &b.Columns[i]
		w := c.ValueBytes(1)
		for r := range b.Rows {
			if c.IsNull(r) {
				h.Write([]byte{0})
				continue
			}
			h.Write([]byte{1})
			h.Write(c.Values[r*w : r*w+w])
		}
	}
	return schema.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// judge turns scores into verdicts.
func judge(r *Report, spec Spec, p Profile, scores []abi.Score, ref, cur map[string]int64) {
	judged := 0
	for _, bins := range p.Columns {
		c := ColumnReport{Column: bins.Name, Verdict: Insufficient, ReferenceValues: ref[bins.Name], CurrentValues: cur[bins.Name]}
		i := slices.IndexFunc(scores, func(s abi.Score) bool {
			return s.Column == bins.Name && (spec.Score == "" || s.Name == spec.Score)
		})
		if i >= 0 {
			s := scores[i]
			c.Score, c.Value, c.Note, c.Detail = s.Name, s.Value, s.Note, s.Detail
		}
		few := min(c.ReferenceValues, c.CurrentValues) < spec.MinRows
		switch {
		case len(bins.Edges) == 0:
			c.Note = "the reference has no value in this column"
		case i < 0 && spec.Score != "":
			c.Note = fmt.Sprintf("the metric answered no score %q for this column", spec.Score)
		case i < 0:
			c.Note = "the metric answered no score for this column"
		case c.Value == nil:
		case few:
			c.Note = join(c.Note, fmt.Sprintf("not judged: %d reference and %d current values, spec.min_rows asks for %d a side", c.ReferenceValues, c.CurrentValues, spec.MinRows))
		case *c.Value >= spec.Threshold:
			c.Verdict, c.Drifted = Drift, true
		case *c.Value >= spec.Threshold/2:
			c.Verdict = Watch
		default:
			c.Verdict = Stable
		}
		if c.Verdict != Insufficient {
			judged++
		}
		if c.Drifted {
			r.DriftedColumns = append(r.DriftedColumns, c.Column)
		}
		r.Columns = append(r.Columns, c)
	}
	slices.Sort(r.DriftedColumns)
	if judged == 0 {
		r.Verdict = Insufficient
		r.Note = fmt.Sprintf("no column could be judged: %d reference and %d current rows, spec.min_rows asks for %d values a side", r.Reference.Rows, r.Current.Rows, r.MinRows)
		return
	}
	r.Share, r.Verdict = float64(len(r.DriftedColumns))/float64(judged), Stable
	if r.Share >= spec.DatasetThreshold {
		r.Verdict, r.Drifted = Drift, true
	}
	r.Note = fmt.Sprintf("%d of %d judged columns drifted (share %.3g, spec.dataset_threshold %g)", len(r.DriftedColumns), judged, r.Share, spec.DatasetThreshold)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
