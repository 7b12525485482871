package abi

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestWorkedExample keeps ABI.md's example true.
func TestWorkedExample(t *testing.T) {
	page, err := os.ReadFile("ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, line := range regexp.MustCompile(`(?m)^10[0-9a-f]{2}  ((?:[0-9a-f]{2} ){8,16})`).FindAllSubmatch(page, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(string(line[1]), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	got := encode(t, &Batch{Rows: 3, Columns: []Column{
		Float64Column("x", []float64{1.5, 0, -2}).WithNulls(3, 1), UTF8Column("s", []string{"a", "", "bc"}),
	}}, 0, 3, 0x1000)[0x1000:]
	if !bytes.Equal(got, want) {
		t.Fatalf("ABI.md shows\n%s\nthe host writes\n%s", hex.Dump(want), hex.Dump(got))
	}
}
