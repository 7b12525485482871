// Command everything is a guest of guest's own tests: as a transform it answers what it is given, in batches and in rows of all types;
// as a gate it asks the host for everything that there is.
package main

import (
	"errors"
	"strconv"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/host"
	"github.com/weir-ml/weir/sdk/guest/json"
	"github.com/weir-ml/weir/sdk/guest/row"
)

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{Name: "everything", Version: "1", Worlds: []abi.World{abi.WorldTransform, abi.WorldGate}},
		Schema:      func() abi.Schema { return abi.Schema{Inputs: fields, Outputs: fields} },
		Transform:   func(in *abi.Batch) (*abi.Batch, error) { return in, host.Log(abi.LogInfo, "a batch") },
		Gate:        ask,
	})
	row.Register(copyRow)
}

func main() {}

// fields has every type, and more columns than a word of validity has bits.
var fields = func() (f []abi.Field) {
	for i := range 70 {
		t := abi.Type(1 + i%9)
		list := 0
		if t == abi.FloatVector {
			list = 3
		}
		f = append(f, abi.Field{Name: "c" + strconv.Itoa(i), Type: t, ListSize: list})
	}
	return f
}()

func copyRow(in *row.In, out *row.Out) error {
	for i, f := range fields {
		if in.Null(i) {
			continue
		}
		switch f.Type {
		case abi.Bool:
			out.SetBool(i, in.Bool(i))
		case abi.Int32, abi.Int64, abi.Timestamp:
			out.SetInt64(i, in.Int64(i))
		case abi.Float32:
			out.SetFloat32(i, in.Float32(i))
		case abi.Float64:
			out.SetFloat64(i, in.Float64(i))
		case abi.UTF8:
			if text := string(in.Bytes(i)); text == "fail" {
				return guest.Errorf("row: column %d asked to fail", i)
			} else {
				out.SetText(i, text)
			}
		case abi.Binary:
			out.SetBytes(i, append([]byte(nil), in.Bytes(i)...))
		case abi.FloatVector:
			copy(out.Vector(i), in.Vector(i))
		}
	}
	return nil
}

// ask calls every function of package host and tells what came of it, one reason each.
func ask([]byte) (abi.Verdict, error) {
	v := abi.Verdict{Outcome: abi.Review}
	say := func(what string, answer any, err error) {
		text := what + ": "
		for kind, is := range map[string]error{"absent": host.ErrAbsent, "refused": host.ErrRefused, "limit": host.ErrLimit, "failed": host.ErrFailed} {
			if errors.Is(err, is) {
				text += kind + " "
			}
		}
		if err == nil {
			doc, err := json.Append(nil, answer)
			if err != nil {
				doc = []byte(err.Error())
			}
			text += string(doc)
		}
		v.Reasons = append(v.Reasons, text)
	}
	say("log", nil, host.Log(abi.LogWarning, "asked"))
	now, err := host.Clock()
	say("clock", now > 1_600_000_000_000_000, err)
	random := make([]byte, 64)
	err = host.Random(random)
	sum := 0
	for _, b := range random {
		sum += int(b)
	}
	say("random", sum > 0, err)
	say("kv_put", nil, host.KVPut("a/key", []byte("a value")))
	value, err := host.KVGet("a/key")
	say("kv_get", string(value), err)
	say("kv_delete", nil, host.KVDelete("a/key"))
	_, err = host.KVGet("a/key")
	say("kv_get again", nil, err)
	_, err = host.KVGet("another/key")
	say("kv_get beyond the scope", nil, err)
	rows, err := host.FeaturesRead("clicks", []map[string]any{{"user": "u1"}, {"user": "u2"}}, "n")
	answer := []any{}
	for _, r := range rows {
		answer = append(answer, r)
	}
	say("features_read", answer, err)
	p, err := host.Infer("iris", []map[string]any{{"x": 1.5}})
	say("model_infer", map[string]any{"predictions": p.Predictions, "version": p.ModelVersion}, err)
	r, err := host.HTTP(abi.HTTPRequest{Method: "POST", URL: "http://example.org/path", Headers: map[string][]string{"Accept": {"a", "b"}}, Body: []byte("ping")})
	say("http_request", map[string]any{"status": r.Status, "body": string(r.Body), "headers": r.Headers}, err)
	_, err = host.HTTP(abi.HTTPRequest{Method: "GET", URL: "http://other.example/"})
	say("http_request beyond the scope", nil, err)
	return v, nil
}
