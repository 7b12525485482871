package offline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestQueryWritesParquet(t *testing.T) {
	e := open(t, Options{})
	people := csvSource(t, "people", "id,name\n1,ada\n2,bob\n3,cyd\n")
	score := csvSource(t, "my-scores", "id,score\n3,0.5\n1,0.25\n")
	out := filepath.Join(t.TempDir(), "o.parquet")
	tab, err := e.Query(context.Background(), Query{SQL: `-- the trained ones
		SELECT p.name, s.score, p.id + 1 AS next FROM people p JOIN "my-scores" s USING (id) ORDER BY p.id DESC; -- done`,
		Sources: []Source{people, score}, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	want := Table{Rows: 2, Columns: []abi.Field{{Name: "name", Type: abi.UTF8}, {Name: "score", Type: abi.Float64}, {Name: "next", Type: abi.Int64}}}
	if d := cmp.Diff(want, tab); d != "" {
		t.Fatal(d)
	}
	rows := texts(collect(t, e, Query{SQL: "FROM o", Sources: []Source{{Name: "o", Path: out, Format: Parquet}}}))
	if d := cmp.Diff([][]string{{"cyd", "0.5", "4"}, {"ada", "0.25", "2"}}, rows); d != "" {
		t.Fatal(d)
	}
}

func TestQueryIsConfined(t *testing.T) {
	e := open(t, Options{})
	secret := write(t, "secret.csv", "a\n1\n")
	src := csvSource(t, "s", "a\n1\n")
	out := filepath.Join(t.TempDir(), "o.parquet")
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.parquet")
	for _, c := range []struct {
		sql  string
		kind errs.Kind
	}{
		{"FROM read_csv('/etc/passwd')", errs.Forbidden},
		{"FROM read_csv('" + secret + "')", errs.Forbidden},
		{"FROM '" + secret + "'", errs.Forbidden},
		{"FROM read_text('/etc/passwd')", errs.Forbidden},
		{"FROM read_blob('/etc/hostname')", errs.Forbidden},
		{"FROM glob('/etc/*')", errs.Forbidden},
		{"FROM read_parquet('" + filepath.Dir(src.Path) + "/../../*/*')", errs.Forbidden},
		{"FROM read_csv('" + src.Path + "/../" + filepath.Base(secret) + "')", errs.Forbidden},
		{"FROM read_parquet('https://example.invalid/x.parquet')", errs.Forbidden},
		{"SELECT Prompt FROM sniff_csv('/etc/passwd')", errs.Forbidden},
		{"FROM parquet_metadata('/etc/passwd')", errs.Forbidden},
		{"FROM query('FROM read_csv(''/etc/passwd'')')", errs.Forbidden},
		{"FROM query_table('/etc/passwd')", errs.Invalid},
		{"COPY (SELECT 1) TO '" + elsewhere + "'", errs.Forbidden},
		{"COPY (SELECT 1) TO '" + out + "'", errs.Forbidden},
		{"EXPORT DATABASE '" + elsewhere + "'", errs.Forbidden},
		{"ATTACH '" + elsewhere + "' AS x", errs.Forbidden},
		{"INSTALL httpfs", errs.Forbidden},
		{"LOAD httpfs", errs.Forbidden},
		{"SET threads = 64", errs.Forbidden},
		{"RESET memory_limit", errs.Forbidden},
		{"PRAGMA enable_profiling", errs.Forbidden},
		{"CREATE TABLE t AS SELECT 1", errs.Forbidden},
		{"DROP VIEW s", errs.Forbidden},
		{"CREATE SECRET x (TYPE s3)", errs.Invalid},
		{"CALL pragma_version()", errs.Forbidden},
		{"SELECT 1) TO '" + elsewhere + "'; --", errs.Invalid},
		{"SELECT 1; SELECT 2", errs.Invalid},
		{"SELECT 1') TO '" + elsewhere + "' --", errs.Invalid},
		{"SELECT ?", errs.Invalid},
		{"SELECT $name", errs.Invalid},
		{"", errs.Invalid},
		{" ; -- nothing", errs.Invalid},
		{"SELECT 1\x00", errs.Invalid},
		{"\xff", errs.Invalid},
		{"SELECT 1 AS a --" + strings.Repeat("x", MaxSQL), errs.Invalid},
		{"SELECT " + strings.Repeat("(", 60_000) + "1" + strings.Repeat(")", 60_000) + " AS a", errs.Invalid},
		{strings.Repeat("SELECT * FROM (", 8_000) + "SELECT 1 AS a" + strings.Repeat(")", 8000-1), errs.Invalid},
	} {
		_, err := e.Query(context.Background(), Query{SQL: c.sql, Sources: []Source{src}, Output: out})
		if err == nil || errs.KindOf(err) != c.kind {
			t.Errorf("%s\n\t%v (%v), want %v", c.sql, err, errs.KindOf(err), c.kind)
		}
		if err := e.Batches(context.Background(), Query{SQL: c.sql, Sources: []Source{src}}, func(*abi.Batch) error { return nil }); err == nil {
			t.Errorf("%s: Batches accepted it", c.sql)
		}
	}
	for _, p := range []string{out, elsewhere} {
		if _, err := os.Stat(p); !os.IsNotExist(err) {
			t.Errorf("%s was written", filepath.Base(p))
		}
	}
	if err := os.Symlink(secret, filepath.Join(filepath.Dir(src.Path), "link.csv")); err != nil {
		t.Fatal(err)
	}
	_, err := e.Query(context.Background(), Query{SQL: "FROM read_csv('" + filepath.Join(filepath.Dir(src.Path), "link.csv") + "')", Sources: []Source{src}, Output: out})
	wantKind(t, err, errs.Forbidden)
}

func TestQueryErrorsSayWhere(t *testing.T) {
	e := open(t, Options{})
	src := csvSource(t, "s", "a,b\n1,x\n2,y\n")
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"SELECT a,\n  nope\nFROM s", []string{`"nope"`, "LINE 2:", "^"}},
		{"SELECT a\nFRM s WHERE", []string{"LINE 2:"}},
		{"SELECT b::INTEGER AS n FROM s", []string{"Could not convert string 'x' to INT32"}},
		{"SELECT a, a FROM s", []string{`two columns are named "a" and "a"`}},
		{"SELECT a, b AS A FROM s", []string{`"a" and "A"`}},
		{"SELECT [1, 2] AS l", []string{`column "l" is INTEGER[]`}},
		{"SELECT [1.5::FLOAT] AS l", []string{"FLOAT[3]"}},
		{"SELECT a FROM missing", []string{"missing"}},
		{"SELECT sum(a) FROM (SELECT 9223372036854775807 AS a UNION ALL SELECT 1)", []string{"INT64"}},
	} {
		_, err := e.Query(context.Background(), Query{SQL: c.sql, Sources: []Source{src}, Output: filepath.Join(t.TempDir(), "o")})
		wantKind(t, err, errs.Invalid)
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q, want %q in it", c.sql, err, w)
			}
		}
	}
	twice := []Source{src, {Name: "S", Path: src.Path, Format: CSV}}
	_, err := e.Query(context.Background(), Query{SQL: "FROM s", Sources: twice, Output: "o"})
	wantKind(t, err, errs.Invalid)
}

// TestOutputIsDeterministic: several row groups, several threads, and each time the same bytes.
func TestOutputIsDeterministic(t *testing.T) {
	const sql = "SELECT i, sin(i) AS x, 'label ' || (i * 7919 % 1000) AS s, CASE WHEN i % 3 = 0 THEN i END AS n FROM range(700000) r(i)"
	digest := func(threads int) string {
		e := open(t, Options{Threads: threads})
		out := filepath.Join(t.TempDir(), "o.parquet")
		tab, err := e.Query(context.Background(), Query{SQL: sql, Output: out})
		if err != nil || tab.Rows != 700_000 {
			t.Fatal(tab, err)
		}
		again := filepath.Join(t.TempDir(), "again.parquet")
		if _, err := e.Import(context.Background(), Source{Path: out, Format: Parquet}, again); err != nil {
			t.Fatal(err)
		}
		a, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(again)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x %x", sha256.Sum256(a), sha256.Sum256(b))
	}
	first := digest(1)
	for _, threads := range []int{2, 4, 4, 7} {
		if d := digest(threads); d != first {
			t.Errorf("%d threads wrote %s, one wrote %s", threads, d, first)
		}
	}
}

func TestBatchesKeepOrderAndTypes(t *testing.T) {
	e := open(t, Options{Threads: 4})
	const rows = 50_003
	b := collect(t, e, Query{SQL: fmt.Sprintf(`SELECT i, CASE WHEN i %% 5 <> 0 THEN i::DOUBLE / 4 END AS d, i %% 3 = 0 AS b, CASE WHEN i %% 7 <> 0 THEN repeat('x', (i %% 20)::INTEGER) END AS s,
		i::FLOAT AS f, make_timestamp(i) AS t, [i, -i]::FLOAT[2] AS v, 42 AS const FROM range(%d) r(i) WHERE i %% 11 <> 0`, rows)})
	n := 0
	for i := range rows {
		if i%11 == 0 {
			continue
		}
		ok := b.Columns[0].Int64s()[n] == int64(i) &&
			b.Columns[1].IsNull(n) == (i%5 == 0) && (i%5 == 0 || b.Columns[1].Float64s()[n] == float64(i)/4) &&
			b.Columns[2].BoolAt(n) == (i%3 == 0) &&
			b.Columns[3].IsNull(n) == (i%7 == 0) && (i%7 == 0 || b.Columns[3].TextAt(n) == strings.Repeat("x", i%20)) &&
			b.Columns[4].Float32s()[n] == float32(i) && b.Columns[5].Int64s()[n] == int64(i) &&
			b.Columns[6].Float32s()[2*n+1] == -float32(i) && b.Columns[7].Int32s()[n] == 42
		if !ok {
			t.Fatalf("row %d (%d) differs", n, i)
		}
		n++
	}
	if n != b.Rows {
		t.Fatalf("%d rows, want %d", b.Rows, n)
	}
}

func TestBatchesReturnsTheCallersError(t *testing.T) {
	e := open(t, Options{})
	mine := errors.New("enough")
	calls := 0
	err := e.Batches(context.Background(), Query{SQL: "SELECT i FROM range(10000000) r(i)"}, func(*abi.Batch) error { calls++; return mine })
	if !errors.Is(err, mine) || calls != 1 {
		t.Fatal(err, calls)
	}
	if err := e.Batches(context.Background(), Query{SQL: "SELECT 1 AS a WHERE false"}, func(*abi.Batch) error { return mine }); err != nil {
		t.Fatal(err)
	}
}

// endless takes far longer than any test waits.
const endless = "SELECT count(*) AS n FROM range(1000000000) a(i), range(1000000000) b(j) WHERE i * j % 7 = 8"

func TestCancelAndCloseInterrupt(t *testing.T) {
	e := open(t, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := e.Query(ctx, Query{SQL: endless, Output: filepath.Join(t.TempDir(), "o")})
	if !errors.Is(err, context.DeadlineExceeded) || errs.KindOf(err) != errs.Timeout {
		t.Fatal(err)
	}
	cancelled, stop := context.WithCancel(context.Background())
	stop()
	if err := e.Batches(cancelled, Query{SQL: "SELECT 1 AS a"}, func(*abi.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	failed := make(chan error)
	started := make(chan struct{})
	go func() {
		_, err := e.Query(context.Background(), Query{SQL: "SELECT f(i) AS n FROM range(1000000000) r(i)", Output: filepath.Join(t.TempDir(), "o"),
			Functions: []Function{{Name: "f", T: &announce{identity: identity{abi.Int64}, started: started}}}})
		failed <- err
	}()
	<-started
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	wantKind(t, <-failed, errs.Unavailable)
	wantKind(t, e.Batches(context.Background(), Query{SQL: "SELECT 1"}, nil), errs.Unavailable)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSlotsAreBounded(t *testing.T) {
	e := open(t, Options{MaxQueries: 1})
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		if err := e.Batches(context.Background(), Query{SQL: "SELECT 1 AS a"}, func(*abi.Batch) error { close(started); <-release; return nil }); err != nil {
			t.Error(err)
		}
	}()
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := e.Batches(ctx, Query{SQL: "SELECT 1 AS a"}, func(*abi.Batch) error { return nil })
	wantKind(t, err, errs.Timeout)
	close(release)
	wg.Wait()
}

func TestSpillsAndCleansUp(t *testing.T) {
	dir := t.TempDir()
	e := open(t, Options{TempDir: dir, MemoryLimit: "100MB", Threads: 2})
	spilled := false
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			if m, _ := filepath.Glob(filepath.Join(dir, "query-*", "*")); len(m) > 0 {
				spilled = true
			}
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	// 8M rows of 24 bytes to sort do not fit into 100 MB.
	_, err := e.Query(context.Background(), Query{SQL: "SELECT hash(i) % 1000003 AS h, i, i * 2 AS j FROM range(8000000) r(i) ORDER BY h, i", Output: filepath.Join(t.TempDir(), "o")})
	close(stop)
	<-stopped
	if err != nil {
		t.Fatal(err)
	}
	if !spilled {
		t.Error("nothing was spilled: the test no longer tests it")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	tiny := open(t, Options{MemoryLimit: "2MB", Threads: 1})
	_, err = tiny.Query(context.Background(), Query{SQL: "SELECT list(i)::VARCHAR AS l FROM range(5000000) r(i)", Output: filepath.Join(t.TempDir(), "o")})
	wantKind(t, err, errs.Exhausted)
	_, err = Open(Options{Threads: -1})
	wantKind(t, err, errs.Invalid)
	bad := open(t, Options{MemoryLimit: "a lot"})
	_, err = bad.Query(context.Background(), Query{SQL: "SELECT 1 AS a", Output: filepath.Join(t.TempDir(), "o")})
	wantKind(t, err, errs.Invalid)
}
