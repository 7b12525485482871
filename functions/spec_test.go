package functions_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

func spec(t testing.TB, doc string) functions.Spec {
	t.Helper()
	var s functions.Spec
	if err := schema.Strict([]byte(doc), &s); err != nil {
		t.Fatalf("spec %s: %v", doc, err)
	}
	return s
}

func TestSpecValidate(t *testing.T) {
	const ev = `"event":{"stream":"IN","subject":"in.>"}`
	cases := []struct{ name, doc, want string }{
		{"http transform", `{"http":{},"transform":{"plugin":"p"}}`, ""},
		{"http handler with methods", `{"http":{"methods":["GET","PUT"]},"handler":{"plugin":"p","parameters":{"a":1}}}`, ""},
		{"event model", `{` + ev + `,"model":"m","output":{"subject":"out.x"}}`, ""},
		{"event handler without output", `{` + ev + `,"handler":{"plugin":"p"},"timeout":"2s","retry":{"max_attempts":3,"backoff":"1s"}}`, ""},
		{"no trigger", `{"transform":{"plugin":"p"}}`, "no trigger"},
		{"no step", `{"http":{}}`, "no step"},
		{"handler and model", `{"http":{},"handler":{"plugin":"p"},"model":"m"}`, "spec.handler"},
		{"no plugin name", `{"http":{},"transform":{}}`, "spec.transform.plugin"},
		{"parameters no object", `{"http":{},"transform":{"plugin":"p","parameters":[1]}}`, "spec.transform.parameters"},
		{"method in lower case", `{"http":{"methods":["GET","post"]},"handler":{"plugin":"p"}}`, "spec.http.methods[1]"},
		{"rows without output", `{` + ev + `,"transform":{"plugin":"p"}}`, "spec.output is missing"},
		{"output without event", `{"http":{},"transform":{"plugin":"p"},"output":{"subject":"o"}}`, "spec.output"},
		{"output wildcard", `{` + ev + `,"model":"m","output":{"subject":"out.*"}}`, "spec.output.subject"},
		{"output reserved", `{` + ev + `,"model":"m","output":{"subject":"weir.x"}}`, "reserved"},
		{"output feeds itself", `{` + ev + `,"model":"m","output":{"subject":"in.result"}}`, "feed itself"},
		{"empty keep", `{` + ev + `,"model":"m","output":{"subject":"o","keep":["a",""]}}`, "spec.output.keep[1]"},
		{"stream name", `{"event":{"stream":"a.b","subject":"x"},"handler":{"plugin":"p"}}`, "spec.event.stream"},
		{"subject token", `{"event":{"stream":"a","subject":"x..y"},"handler":{"plugin":"p"}}`, "spec.event.subject"},
		{"subject wildcard inside", `{"event":{"stream":"a","subject":"x.>.y"},"handler":{"plugin":"p"}}`, "spec.event.subject"},
		{"server's subject", `{"event":{"stream":"a","subject":"$JS.x"},"handler":{"plugin":"p"}}`, "reserved"},
		{"batch too large", `{"event":{"stream":"a","subject":"x","batch_size":401},"handler":{"plugin":"p"}}`, "spec.event.batch_size"},
		{"wait too long", `{"event":{"stream":"a","subject":"x","max_wait":"1m"},"handler":{"plugin":"p"}}`, "spec.event.max_wait"},
		{"ack wait too short", `{"event":{"stream":"a","subject":"x","ack_wait":"1ms"},"handler":{"plugin":"p"}}`, "spec.event.ack_wait"},
		{"negative memory", `{"http":{},"model":"m","memory_bytes":-1}`, "spec.memory_bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := spec(t, c.doc).Validate()
			if c.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want an Invalid one with %q", err, c.want)
			}
		})
	}
}

func TestSpecText(t *testing.T) {
	const doc = `{"event":{"stream":"IN","subject":"in.x","batch_size":10,"max_wait":"2s"},"transform":{"plugin":"p"},"output":{"subject":"o"},"retry":{"backoff":"1.5s"}}`
	s := spec(t, doc)
	if s.Event.MaxWait.Std() != 2*time.Second || s.Retry.Backoff.Std() != 1500*time.Millisecond {
		t.Errorf("durations %v, %v", s.Event.MaxWait.Std(), s.Retry.Backoff.Std())
	}
	back, err := json.Marshal(s)
	if err != nil || string(back) != doc {
		t.Errorf("written back as %s (%v), want %s", back, err, doc)
	}
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"event":{"stream":"IN","subject":"in.*.x","max_wait":"2s"},"transform":{"plugin":"p"},"output":{"subject":"o"}}`))
	f.Add([]byte(`{"http":{"methods":["GET"]},"handler":{"plugin":"p","parameters":{}}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s functions.Spec
		if schema.Strict(doc, &s) != nil || s.Validate() != nil {
			return
		}
		back, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("a valid spec cannot be written: %v", err)
		}
		var again functions.Spec
		if err := schema.Strict(back, &again); err != nil {
			t.Fatalf("%s does not read back: %v", back, err)
		}
		if err := again.Validate(); err != nil {
			t.Fatalf("%s was valid before it was written: %v", back, err)
		}
	})
}
