package rest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestImportFormat(t *testing.T) {
	cases := []struct{ query, contentType, want string }{
		{"csv", "", "csv"}, {"parquet", "text/csv", "parquet"}, {"", "text/csv; charset=utf-8", "csv"}, {"", parquetType, "parquet"},
		{"", "application/x-parquet", "parquet"}, {"xml", "", ""}, {"", "", ""}, {"", "application/octet-stream", ""}, {"", "a;;b", ""},
	}
	for _, c := range cases {
		got, err := importFormat(c.query, c.contentType)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && !errs.Is(err, errs.Invalid) {
			t.Errorf("%q %q: %q %v", c.query, c.contentType, got, err)
		}
	}
}

func TestCSV(t *testing.T) {
	b := &abi.Batch{Rows: 2, Columns: []abi.Column{
		abi.UTF8Column("s", []string{"a,\"b\"\n", ""}).WithNulls(2, 1), abi.Float64Column("f", []float64{0.1, math.NaN()}),
		abi.TimestampColumn("t", []int64{0, 1}), abi.FloatVectorColumn("v", 2, []float32{1, 2, 3, 4}), abi.BoolColumn("b", []bool{true, false}),
	}}
	text, err := csvOf(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"s", "f", "t", "v", "b"}, {"a,\"b\"\n", "0.1", "1970-01-01T00:00:00Z", "[1,2]", "true"},
		{"", "NaN", "1970-01-01T00:00:00.000001Z", "[3,4]", "false"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzSplitLines(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\n[2]\r\n3"))
	f.Add([]byte("{\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := splitLines(body, nil)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		for _, e := range events {
			if !json.Valid(e.Data) || bytes.ContainsAny(e.Data, "\n") {
				t.Fatalf("%q", e.Data)
			}
			if toEventJSON(StoredEvent{Data: e.Data}).Data == nil {
				t.Fatalf("%q is not shown as JSON", e.Data)
			}
		}
	})
}
