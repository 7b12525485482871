package offline

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestImportCSVInfersTypes(t *testing.T) {
	e := open(t, Options{})
	src := csvSource(t, "flows", "id,amount,ok,when,day,label,mixed,nothing,with \"\" no\n"+
		"1,0.5,true,2024-01-02 03:04:05.000006,2024-02-01,alpha,1,,x\n"+
		"2,NA,false,2024-01-02T03:04:06Z,2024-02-02,\"a,b\",two,,\"y\"\n"+
		"9007199254740993,nan,NULL,,,\"line\nbreak \"\"q\"\"\",3,,\n")
	out := filepath.Join(t.TempDir(), "out.parquet")
	_, err := e.Import(context.Background(), src, out)
	wantKind(t, err, errs.Invalid) // a quote inside an unquoted name
	src = csvSource(t, "flows", "id,amount,ok,when,day,label,mixed,nothing\n"+
		"1,0.5,true,2024-01-02 03:04:05.000006,2024-02-01,alpha,1,\n"+
		"2,NA,false,2024-01-02 03:04:06,2024-02-02,\"a,b\",two,\n"+
		"9007199254740993,nan,NULL,,,\"line\nbreak \"\"q\"\"\",3,\n")
	got, err := e.Import(context.Background(), src, out)
	if err != nil {
		t.Fatal(err)
	}
	want := Table{Rows: 3, Columns: []abi.Field{
		{Name: "id", Type: abi.Int64}, {Name: "amount", Type: abi.Float64}, {Name: "ok", Type: abi.Bool}, {Name: "when", Type: abi.Timestamp},
		{Name: "day", Type: abi.Timestamp}, {Name: "label", Type: abi.UTF8}, {Name: "mixed", Type: abi.UTF8}, {Name: "nothing", Type: abi.UTF8},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	rows := texts(collect(t, e, Query{SQL: "FROM flows", Sources: []Source{{Name: "flows", Path: out, Format: Parquet}}}))
	if d := cmp.Diff([][]string{
		{"1", "0.5", "true", "1704164645000006", "1706745600000000", "alpha", "1", "null"},
		{"2", "null", "false", "1704164646000000", "1706832000000000", "a,b", "two", "null"},
		{"9007199254740993", "NaN", "null", "null", "null", "line\nbreak \"q\"", "3", "null"},
	}, rows); d != "" {
		t.Fatal(d)
	}
}

func TestImportInfersOverTheWholeFile(t *testing.T) {
	e := open(t, Options{})
	var b strings.Builder
	b.WriteString("x,y\n")
	for i := range 60_000 {
		fmt.Fprintf(&b, "%d,%d\n", i, i)
	}
	b.WriteString("0.5,last\n")
	got, err := e.Import(context.Background(), csvSource(t, "late", b.String()), filepath.Join(t.TempDir(), "o.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	want := Table{Rows: 60_001, Columns: []abi.Field{{Name: "x", Type: abi.Float64}, {Name: "y", Type: abi.UTF8}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestImportDialects(t *testing.T) {
	e := open(t, Options{})
	for name, content := range map[string]string{
		"semicolon":       "a;b\n1;x\n2;y\n",
		"tab":             "a\tb\n1\tx\n2\ty\n",
		"pipe":            "a|b\n1|x\n2|y\n",
		"crlf":            "a,b\r\n1,x\r\n2,y\r\n",
		"no last newline": "a,b\n1,x\n2,y",
		"bom":             "\xef\xbb\xbfa,b\n1,x\n2,y\n",
		"blank lines":     "a,b\n1,x\n\n2,y\n\n",
		"quoted header":   "\"a\",\"b\"\n1,\"x\"\n2,\"y\"\n",
		"cr only":         "a,b\r1,x\r2,y\r",
	} {
		t.Run(name, func(t *testing.T) {
			rows := texts(collect(t, e, Query{SQL: "SELECT a, b FROM s", Sources: []Source{csvSource(t, "s", content)}}))
			if d := cmp.Diff([][]string{{"1", "x"}, {"2", "y"}}, rows); d != "" {
				t.Fatal(d)
			}
		})
	}
	t.Run("one column", func(t *testing.T) {
		rows := texts(collect(t, e, Query{SQL: "FROM s", Sources: []Source{csvSource(t, "s", "a\n1\n\n3\n")}}))
		if d := cmp.Diff([][]string{{"1"}, {"null"}, {"3"}}, rows); d != "" {
			t.Fatal(d)
		}
	})
	t.Run("header that looks like data", func(t *testing.T) {
		rows := texts(collect(t, e, Query{SQL: "FROM s", Sources: []Source{csvSource(t, "s", "1,2\n3,4\n")}}))
		if d := cmp.Diff([][]string{{"3", "4"}}, rows); d != "" {
			t.Fatal(d)
		}
	})
}

func TestImportCSVErrors(t *testing.T) {
	e := open(t, Options{})
	for _, c := range []struct{ name, content, want string }{
		{"empty", "", "is empty"},
		{"header only", "a,b\n", "has a header and no rows"},
		{"too few fields", "a,b\n1,2\n3\n4,5\n", "line 3: 1 fields, the header has 2"},
		{"too many fields", "a,b\n1,2\n3,4,5\n", "line 3: 3 fields, the header has 2"},
		{"ragged after quoted lines", "a,b\n1,\"x\ny\"\n3\n", "line 4: 1 fields"},
		{"bad UTF-8", "a,city\n1,ok\n2,Z\xfcrich\n", `line 3: column 2 ("city") is not valid UTF-8`},
		{"cut UTF-8", "a,b\n1,\xe2\x82", "ends inside a UTF-8 character"},
		{"UTF-16", "a\x00,\x00b\x00\n\x00", "NUL byte"},
		{"NUL in data", "a,b\n1,2\n3,\x00\n", "NUL byte"},
		{"duplicate names", "a,b,a\n1,2,3\n", `two columns are named "a" and "a"`},
		{"names that differ in case", "a,b,A\n1,2,3\n", `two columns are named "a" and "A"`},
		{"empty name", ",a\n0,1\n", "column 1 has no name"},
		{"open quote", "a,b\n1,\"x\n2,y\n", `line 2: column 2 ("b") opens a quote that never closes`},
		{"text after quote", "a,b\n1,\"x\"y\n", "line 2: column 2 (\"b\") has text after its closing quote"},
		{"mixed line endings", "a,b\n1,2\r3,4\n", "line 2: it ends in \\r, the lines before in \\n"},
		{"lf after crlf", "a,b\r\n1,x\n2,y\r\n", "line 2: it ends in \\n, the lines before in \\r\\n"},
		{"last line ends in CR", "a,b\n1,2\r", "line 2: it ends in \\r"},
		{"spaces around quotes", "a,b\n1,\"x\" \n", "after its closing quote"},
		{"blank first line", "\na,b\n1,2\n", "line 1 is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "o.parquet")
			_, err := e.Import(context.Background(), csvSource(t, "s", c.content), out)
			wantKind(t, err, errs.Invalid)
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), os.TempDir()) {
				t.Fatalf("error %q, want it to hold %q and no folder", err, c.want)
			}
			if _, err := os.Stat(out); !os.IsNotExist(err) {
				t.Fatal("an output was left behind")
			}
		})
	}
	_, err := e.Import(context.Background(), Source{Name: "gone", Path: "/nowhere/x.csv", Format: CSV}, filepath.Join(t.TempDir(), "o"))
	wantKind(t, err, errs.NotFound)
	_, err = e.Import(context.Background(), Source{Name: "x", Path: "/nowhere/*.csv", Format: CSV}, filepath.Join(t.TempDir(), "o"))
	wantKind(t, err, errs.Invalid)
	_, err = e.Import(context.Background(), Source{Name: "x", Path: "/nowhere/x", Format: "xls"}, filepath.Join(t.TempDir(), "o"))
	wantKind(t, err, errs.Invalid)
	_, err = e.Import(context.Background(), Source{Name: "x", Path: write(t, "x.parquet", "PAR1 no parquet PAR1"), Format: Parquet}, filepath.Join(t.TempDir(), "o"))
	wantKind(t, err, errs.Invalid)
}

// foreign writes a Parquet file with types that batches do not have, as another tool would.
func foreign(t testing.TB, e *Engine, sql string) Source {
	t.Helper()
	p := filepath.Join(t.TempDir(), "foreign.parquet")
	err := e.with(context.Background(), opQuery, []string{p}, func(ctx context.Context, s *session) error {
		_, err := s.exec(ctx, "COPY ("+sql+") TO "+quoteText(p)+" (FORMAT parquet)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return Source{Name: "foreign", Path: p, Format: Parquet}
}

func TestImportParquetConvertsTypes(t *testing.T) {
	e := open(t, Options{})
	src := foreign(t, e, `SELECT 1::TINYINT i8, 2::USMALLINT u16, 3::UINTEGER u32, 4::UBIGINT u64, 5::HUGEINT h, 1.25::DECIMAL(9,2) d, DATE '1970-01-02' AS "day",
		TIMESTAMPTZ '1970-01-01 01:00:00+01' tz, TIMESTAMP_NS '1970-01-01 00:00:00.000001999' ns, 'a'::ENUM('a', 'b') en,
		'ab'::BLOB bl, [1.5, 2.5]::FLOAT[] v, [1, 2, 3]::DOUBLE[] v64, NULL::FLOAT n`)
	out := filepath.Join(t.TempDir(), "o.parquet")
	got, err := e.Import(context.Background(), src, out)
	if err != nil {
		t.Fatal(err)
	}
	want := []abi.Field{
		{Name: "i8", Type: abi.Int32}, {Name: "u16", Type: abi.Int32}, {Name: "u32", Type: abi.Int64}, {Name: "u64", Type: abi.Int64}, {Name: "h", Type: abi.Float64},
		{Name: "d", Type: abi.Float64}, {Name: "day", Type: abi.Timestamp}, {Name: "tz", Type: abi.Timestamp}, {Name: "ns", Type: abi.Timestamp}, {Name: "en", Type: abi.UTF8},
		{Name: "bl", Type: abi.Binary}, {Name: "v", Type: abi.FloatVector, ListSize: 2}, {Name: "v64", Type: abi.FloatVector, ListSize: 3}, {Name: "n", Type: abi.Float32},
	} // Parquet has no HUGEINT: DuckDB writes it as a double
	if d := cmp.Diff(want, got.Columns); d != "" {
		t.Fatal(d)
	}
	rows := texts(collect(t, e, Query{SQL: "FROM x", Sources: []Source{{Name: "x", Path: out, Format: Parquet}}}))
	if d := cmp.Diff([][]string{{"1", "2", "3", "4", "5", "1.25", "86400000000", "0", "1", "a", "ab", "[1.5 2.5]", "[1 2 3]", "null"}}, rows); d != "" {
		t.Fatal(d)
	}
	// The file says itself what its columns are: importing it again changes nothing.
	again := filepath.Join(t.TempDir(), "again.parquet")
	got2, err := e.Import(context.Background(), Source{Path: out, Format: Parquet}, again)
	if err != nil || cmp.Diff(got, got2) != "" {
		t.Fatal(err, cmp.Diff(got, got2))
	}
}

func TestImportParquetRefusesTypes(t *testing.T) {
	e := open(t, Options{})
	for _, c := range []struct{ sql, want string }{
		{"SELECT 1 a, INTERVAL 1 DAY iv", `column "iv" is INTERVAL`},
		{"SELECT {'a': 1} st", `column "st" is STRUCT`},
		{"SELECT [1, 2] ints", `column "ints" is INTEGER[]`},
		{"SELECT TIME '01:02:03' tm", `column "tm" is TIME`},
		{"SELECT [1.0::FLOAT] rag UNION ALL SELECT [1.0::FLOAT, 2]", `column "rag" is a list of 1 to 2 elements`},
		{"SELECT 18446744073709551615::UBIGINT big", "INT64"},
	} {
		_, err := e.Import(context.Background(), foreign(t, e, c.sql), filepath.Join(t.TempDir(), "o.parquet"))
		wantKind(t, err, errs.Invalid)
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q, want %q in it", c.sql, err, c.want)
		}
	}
}

func TestVectorsSurviveParquet(t *testing.T) {
	e := open(t, Options{})
	out := filepath.Join(t.TempDir(), "v.parquet")
	// Nulls, whole and in parts, and no row at all: the length comes from the file's metadata.
	for _, where := range []string{"true", "i = 1", "false"} {
		tab, err := e.Query(context.Background(), Query{SQL: `SELECT i, CAST(CASE i WHEN 0 THEN [1, 2] WHEN 2 THEN [NULL, 4] END AS FLOAT[2]) AS v FROM range(3) r(i) WHERE ` + where, Output: out})
		if err != nil {
			t.Fatal(err)
		}
		if f := tab.Columns[1]; f.ListSize != 2 || f.Type != abi.FloatVector {
			t.Fatal(tab)
		}
		b := collect(t, e, Query{SQL: "FROM x", Sources: []Source{{Name: "x", Path: out, Format: Parquet}}})
		if where == "true" {
			if d := cmp.Diff([][]string{{"0", "[1 2]"}, {"1", "null"}, {"2", "[NaN 4]"}}, texts(b)); d != "" {
				t.Fatal(d)
			}
		}
	}
}

func TestQuantiles(t *testing.T) {
	e := open(t, Options{})
	src := csvSource(t, "q", "x,n,s,empty\n1,4,a,\n2,3,b,\nnan,2,c,\ninf,1,d,\n,,e,\n4,0,f,\n")
	got, err := e.Quantiles(context.Background(), src, []string{"x", "n"}, []float64{1, 0, 0.5, 0.25})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]float64{"x": {4, 1, 2, 1.5}, "n": {4, 0, 2, 1}} // type 7 by hand
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	nothing, err := e.Quantiles(context.Background(), foreign(t, e, "SELECT 'nan'::DOUBLE x, NULL::BOOLEAN b"), []string{"x", "b"}, []float64{0.5})
	if err != nil || nothing["x"] != nil || len(nothing) != 2 {
		t.Fatal(nothing, err)
	}
	_, err = e.Quantiles(context.Background(), src, []string{"zz"}, []float64{0.5})
	wantKind(t, err, errs.NotFound)
	_, err = e.Quantiles(context.Background(), src, []string{"s"}, []float64{0.5})
	wantKind(t, err, errs.Invalid)
	for _, p := range []float64{-0.1, 1.1, math.NaN()} {
		_, err = e.Quantiles(context.Background(), src, []string{"x"}, []float64{p})
		wantKind(t, err, errs.Invalid)
	}
}

// TestCSVRoundTrip writes random cells with encoding/csv and reads them back.
func TestCSVRoundTrip(t *testing.T) {
	e := open(t, Options{})
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "Z", " ", ",", ";", "\"", "\n", "é", "🐙", "|", "#", "'", "\\", "0"}
	for n := range 40 {
		cols, rows := 2+r.IntN(4), 1+r.IntN(200)
		table := [][]string{make([]string, cols)}
		for c := range cols {
			table[0][c] = fmt.Sprintf("col %d", c)
		}
		for range rows {
			row := make([]string, cols)
			for c := range row {
				row[c] = "x" // text, and neither blank nor a null
				for range r.IntN(6) {
					row[c] += alphabet[r.IntN(len(alphabet))]
				}
			}
			table = append(table, row)
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		w.UseCRLF = n%2 == 0 && !strings.Contains(fmt.Sprint(table), "\n") // the writer would turn cells' \n into \r\n too
		if err := w.WriteAll(table); err != nil {
			t.Fatal(err)
		}
		got := texts(collect(t, e, Query{SQL: "FROM s", Sources: []Source{csvSource(t, "s", b.String())}}))
		if d := cmp.Diff(table[1:], got); d != "" {
			t.Fatalf("table %d:\n%s\n%s", n, b.String(), d)
		}
	}
}

func FuzzImportCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\n", "\"a\"\"b\",c\r\n\"x\ny\",\n", "a;b\n1;2;3\n", "\xef\xbb\xbfa\nnan\n", "a,b\n1,\"", "a\n2024-01-01\n", "é\nü\n"} {
		f.Add([]byte(s))
	}
	e := open(f, Options{Threads: 1})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		in, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.parquet")
		if err := os.WriteFile(in, b, 0o600); err != nil {
			t.Fatal(err)
		}
		tab, err := e.Import(context.Background(), Source{Name: "f", Path: in, Format: CSV}, out)
		if err != nil {
			if errs.KindOf(err) != errs.Invalid {
				t.Fatalf("%q: %v (%v)", b, err, errs.KindOf(err))
			}
			return
		}
		shape, err := scanCSV("f", strings.NewReader(string(b)))
		if err != nil || len(shape.names) != len(tab.Columns) || shape.records != tab.Rows {
			t.Fatalf("%q: the scan found %d columns and %d rows (%v), the import %d and %d", b, len(shape.names), shape.records, err, len(tab.Columns), tab.Rows)
		}
	})
}
