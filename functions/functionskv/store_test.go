package functionskv_test

import (
	"testing"

	"github.com/weir-ml/weir/functions/functionskv"
	"github.com/weir-ml/weir/functions/runtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func results(t *testing.T, s *kv.Store, function, subject string) []runtest.Message {
	t.Helper()
	st, err := s.OpenStream(t.Context(), functionskv.StreamName(function))
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []runtest.Message
	for from := uint64(0); ; {
		ms, err := st.Read(t.Context(), kv.ReadOptions{From: from, Filter: subject})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			out = append(out, runtest.Message{Data: m.Data, Header: m.Header})
			from = m.Sequence + 1
		}
		if len(ms) < 1000 {
			return out
		}
	}
}

func TestEvents(t *testing.T) {
	runtest.TestEvents(t, func(t *testing.T) runtest.Harness {
		s := kvtest.Open(t)
		return runtest.Harness{
			Events: functionskv.New(functionskv.Options{KV: s}),
			Publish: func(t *testing.T, stream, subject string, h map[string]string, data []byte) uint64 {
				st, err := s.OpenStream(t.Context(), stream)
				if err != nil {
					t.Fatal(err)
				}
				seq, err := st.Publish(t.Context(), kv.Publish{Subject: subject, Header: h, Data: data})
				if err != nil {
					t.Fatal(err)
				}
				return seq
			},
			Results: func(t *testing.T, function string) []runtest.Message { return results(t, s, function, "out."+function) },
		}
	})
}
