package functions

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

func FuzzEventPayload(f *testing.F) {
	for _, s := range []string{`{"x":1,"id":"a"}`, `{"x":null}`, `[]`, `null`, `{"x":1e400}`, `{"x":"NaN","id":{"deep":[1]}}`, "{\"x\":1}\n", `{"x":1}{`} {
		f.Add([]byte(s))
	}
	fields := []abi.Field{{Name: "x", Type: abi.Float64}}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRow(data)
		if err != nil {
			return
		}
		b, err := schema.RowsToBatch([]row{r}, fields)
		if err != nil {
			return
		}
		out, err := resultObject([]string{"id", "x"}, r, b, 0)
		if err != nil || !json.Valid(out) {
			t.Fatalf("result %q of %q: %v", out, data, err)
		}
		var back map[string]json.RawMessage
		if err := json.Unmarshal(out, &back); err != nil || string(back["id"]) != string(r["id"]) {
			t.Fatalf("id %q became %q (%v)", r["id"], back["id"], err)
		}
	})
}

func TestBackoff(t *testing.T) {
	const base, ceiling = 100 * time.Millisecond, 2 * time.Second
	for n, want := range []time.Duration{100, 200, 400, 800, 1600, 2000, 2000} {
		want *= time.Millisecond
		for range 100 {
			if d := backoff(base, ceiling, n); d < want/2 || d > want {
				t.Fatalf("backoff %d is %v, want %v to %v", n, d, want/2, want)
			}
		}
	}
	if d := backoff(base, ceiling, 1000); d > ceiling {
		t.Errorf("far out: %v", d)
	}
}

func TestClip(t *testing.T) {
	if got := clip(" a\nb\x00c\xff "); got != "a b c�" {
		t.Errorf("clip = %q", got)
	}
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 'x'
	}
	if got := clip(string(long)); len(got) > 1024 {
		t.Errorf("clip left %d bytes", len(got))
	}
}
