package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *Engine {
	t.Helper()
	if o.TempDir == "" {
		o.TempDir = t.TempDir()
	}
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func write(t testing.TB, name, content string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func csvSource(t testing.TB, name, content string) Source {
	return Source{Name: name, Path: write(t, name+".csv", content), Format: CSV}
}

// collect runs a query and returns all its rows as one batch (nil: none).
func collect(t testing.TB, e *Engine, q Query) *abi.Batch {
	t.Helper()
	var all *abi.Batch
	err := e.Batches(context.Background(), q, func(b *abi.Batch) error {
		if err := b.Validate(); err != nil {
			return err
		}
		if b.Rows < 1 || b.Rows > abi.MaxRows {
			return fmt.Errorf("a batch of %d rows", b.Rows)
		}
		if all == nil {
			all = b
			return nil
		}
		for i := range all.Columns {
			appendColumn(&all.Columns[i], &b.Columns[i], all.Rows, b.Rows)
		}
		all.Rows += b.Rows
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// texts is a batch as rows of text, for small expectations.
func texts(b *abi.Batch) [][]string {
	if b == nil {
		return nil
	}
	out := make([][]string, b.Rows)
	for i := range out {
		for j := range b.Columns {
			c := &b.Columns[j]
			s := ""
			switch {
			case c.IsNull(i):
				s = "null"
			case c.Type.Variable():
				s = c.TextAt(i)
			case c.Type == abi.FloatVector:
				s = fmt.Sprint(c.Float32s()[i*c.ListSize : (i+1)*c.ListSize])
			case c.Type == abi.Bool:
				s = fmt.Sprint(c.BoolAt(i))
			case c.Type == abi.Int64 || c.Type == abi.Timestamp:
				s = fmt.Sprint(c.Int64s()[i])
			default:
				v, _ := c.Float64At(i)
				s = fmt.Sprint(v)
			}
			out[i] = append(out[i], s)
		}
	}
	return out
}

func wantKind(t testing.TB, err error, kind errs.Kind) {
	t.Helper()
	if err == nil || errs.KindOf(err) != kind {
		t.Fatalf("error %v, want the kind %v", err, kind)
	}
}
