package offline

import (
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/weir-ml/weir/host/errs"
)

// FuzzScanCSV compares the scan with encoding/csv: what both accept has the same names and as many records. Reading byte by
// byte must not change the answer.
func FuzzScanCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"a\"\"b\",c\n\"x\ny\",\n", "a;b\n1;2;3\n", "\xef\xbb\xbfa,b\nn,\n\n1,2", "a,b\r\n1,\"x\"\r\n", "é,ü\n🐙,\xff\n", "a,b\n\"\",\"\"\"\"\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := scanCSV("f", bytes.NewReader(b))
		slow, err2 := scanCSV("f", iotest.OneByteReader(bytes.NewReader(b)))
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || got.records != slow.records || !slices.Equal(got.names, slow.names) {
			t.Fatalf("in one piece %v (%v), byte by byte %v (%v)", got, err, slow, err2)
		}
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if len(got.names) == 1 || bytes.ContainsRune(b, '\r') {
			return // encoding/csv knows neither rows that are blank nor a carriage return alone
		}
		r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
		r.Comma = rune(got.delim)
		names, err := r.Read()
		if err != nil {
			return
		}
		var n int64
		for {
			if _, err := r.Read(); err == io.EOF {
				break
			} else if err != nil {
				return
			}
			n++
		}
		if n != got.records || !slices.Equal(names, got.names) {
			t.Fatalf("%d records of %q; encoding/csv has %d of %q", got.records, got.names, n, names)
		}
	})
}

func BenchmarkScanCSV(b *testing.B) {
	data := append([]byte("id,a,b,label\n"), bytes.Repeat([]byte("123456,0.142857142857,99,\"label, 7\"\n"), 100_000)...)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := scanCSV("b", bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
