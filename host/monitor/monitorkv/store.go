// Package monitorkv keeps drift reports and cached references in weir's key-value store: bucket "monitor", key report.<id>
// with the report as JSON, and cache.<hex> with what docs/formats/monitor.md describes. Reports never change or go; a cache
// entry may be deleted at any time.
package monitorkv

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/kv"
)

// Interface guards.
var (
	_ monitor.Reports = (*Store)(nil)
	_ monitor.Cache   = (*Store)(nil)
)

// Store implements monitor.Reports and monitor.Cache. Safe for concurrent use.
type Store struct {
	bucket  *kv.Bucket
	reports kv.Typed[monitor.Report]
}

const (
	reportPrefix = "report."
	cachePrefix  = "cache."
)

// Open makes the bucket at the first call.
func Open(ctx context.Context, s *kv.Store) (*Store, error) {
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: "monitor"})
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	return &Store{bucket: b, reports: kv.NewTyped[monitor.Report](b, reportPrefix)}, nil
}

// PutReport implements monitor.Reports.
func (s *Store) PutReport(ctx context.Context, r monitor.Report) error {
	_, err := s.reports.Create(ctx, r.ID, r)
	return err
}

// Report implements monitor.Reports.
func (s *Store) Report(ctx context.Context, id string) (monitor.Report, error) {
	if kv.CheckKey(reportPrefix+id) != nil { // no report was ever stored under such a name
		return monitor.Report{}, errs.New(errs.NotFound, "report %q not found", id)
	}
	r, _, err := s.reports.Get(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return r, errs.New(errs.NotFound, "report %q not found", id)
	}
	return r, err
}

// Reports implements monitor.Reports. Keys sort by time within a monitor.
func (s *Store) Reports(ctx context.Context, name string, limit int) ([]monitor.Report, error) {
	if strings.Contains(name, ".") || kv.CheckKey(reportPrefix+name) != nil {
		return nil, nil
	}
	items, err := kv.NewTyped[monitor.Report](s.bucket, reportPrefix+name+".").List(ctx)
	if err != nil {
		return nil, err
	}
	if limit > 0 && len(items) > limit {
		items = items[len(items)-limit:]
	}
	out := make([]monitor.Report, len(items))
	for i, it := range items {
		out[i] = it.Value
	}
	slices.Reverse(out)
	return out, nil
}

// Load implements monitor.Cache.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	e, err := s.bucket.Get(ctx, cachePrefix+key)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	return e.Value, err
}

// Save implements monitor.Cache.
func (s *Store) Save(ctx context.Context, key string, value []byte) error {
	_, err := s.bucket.Put(ctx, cachePrefix+key, value)
	return err
}
