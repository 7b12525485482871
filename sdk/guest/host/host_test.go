package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/weir-ml/weir/sdk/abi"
)

// The functions against a real host are tested in sdk/guest/module_test.go.

func TestNativeCallsFail(t *testing.T) {
	_, clock := Clock()
	_, get := KVGet("k")
	_, features := FeaturesRead("v", []map[string]any{{"user": "u"}})
	_, infer := Infer("m", nil)
	_, http := HTTP(abi.HTTPRequest{URL: "http://example.org"})
	for name, err := range map[string]error{
		"log": Log(abi.LogInfo, "text"), "clock": clock, "random": Random(make([]byte, 4)), "kv_get": get, "kv_put": KVPut("k", nil), "kv_delete": KVDelete("k"),
		"features_read": features, "model_infer": infer, "http_request": http,
	} {
		var e *Error
		if !errors.Is(err, ErrFailed) || !errors.As(err, &e) || e.Call != name || !strings.Contains(err.Error(), name+": there is no host") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Random(nil); err != nil {
		t.Errorf("no random bytes at all: %v", err)
	}
}

func TestErrorKinds(t *testing.T) {
	for status, kind := range map[abi.Status]error{abi.StatusAbsent: ErrAbsent, abi.StatusRefused: ErrRefused, abi.StatusLimit: ErrLimit, abi.StatusFailed: ErrFailed, 99: ErrFailed} {
		if err := error(&Error{Call: "f", Status: status}); !errors.Is(err, kind) || err.Error() != "f: "+status.String() {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	_, response := parseResponse([]byte(`{"status":200,"body":"="}`))
	_, predictions := parsePredictions([]byte(`{"predictions":1}`))
	_, rows := parseRows([]byte(`{"rows":[1]}`))
	_, cut := parseRows([]byte(`{"rows":[`))
	for name, err := range map[string]error{"http_request": response, "model_infer": predictions, "features_read": rows, "features_read: the answer": cut} {
		if err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := parseResponse([]byte(`{"headers":{"A":["b"]},"body":null,"more":1}`))
	if err != nil || r.Status != 200 || r.Headers["A"][0] != "b" {
		t.Errorf("%+v, %v", r, err)
	}
}
