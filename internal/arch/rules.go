package arch

// Libraries, each owned by one room.
var (
	nats  = []string{"!github.com/nats-io/..."}
	duck  = []string{"!github.com/duckdb/...", "!github.com/marcboeker/..."}
	wasm  = []string{"!github.com/tetratelabs/...", "!github.com/extism/..."}
	ort   = []string{"!github.com/yalue/onnxruntime_go/...", "!github.com/NVIDIA/..."}
	fiber = []string{"!github.com/gofiber/...", "!github.com/valyala/..."}
	grpc  = []string{"!google.golang.org/grpc/...", "!google.golang.org/protobuf/..."}
)

// domains are the rooms of the product's nouns, without their adapters.
var domains = []string{"functions", "host/serving", "host/monitor", "host/gates", "host/datasets", "host/fit", "host/resource", "host/catalog"}

// engines know their library and nothing of the domain.
var engines = []string{"host/plugin/...", "host/onnx", "host/offline"}

// vocabulary is what every room may share.
var vocabulary = []string{"host/errs", "host/schema", "sdk/abi"}

func join(lists ...[]string) []string {
	var out []string
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// Rules are all import rules of the tree.
var Rules = append([]Rule{
	{From: []string{"..."}, Except: []string{"cmd/...", "internal/...", "bench/..."}, To: []string{"host/app"},
		Why: "host/app knows every room; who imports it is tied to all of them"},
	{From: []string{"cmd/..."}, To: []string{"host/...", "kv/...", "functions/..."}, Allow: []string{"host/app", "host/config", "host/telemetry", "host/errs", "host/plugin", "host/plugin/plugintest"},
		Why: "a command runs host/app or talks to a server by sdk/client; only `plugin inspect, test, bench` need an engine"},
	{From: []string{"..."}, Except: []string{"cmd/...", "internal/..."}, To: []string{"cmd/..."}, Why: "cmd is the top: nothing builds on a command"},

	{From: domains, To: join(nats, duck, wasm, ort, fiber, grpc),
		Why: "a domain room is rules, not machinery: it declares a small interface, host/app fills it"},
	{From: domains, To: []string{"kv/...", "host/plugin/...", "host/onnx", "host/offline", "host/edge/...", "host/app", "host/config", "host/telemetry"},
		Why: "a domain room knows no storage, engine, wire format or wiring"},
	{From: []string{"host/*/*kv", "host/*/*duck", "functions/*kv"}, To: join(fiber, grpc, wasm, ort, []string{"host/edge/...", "host/plugin/...", "host/onnx", "host/app"}),
		Why: "an adapter joins its room to one storage"},
	{From: []string{"host/edge/..."}, To: join(nats, duck, wasm, ort, []string{"host/plugin/...", "host/onnx", "host/offline"}),
		Why: "an edge is decode, one domain call, encode"},
	{From: []string{"host/edge/..."}, Except: []string{"host/edge/*/*kv"}, To: []string{"kv/..."}, Why: "an edge reaches storage through a domain room or its adapter"},
	{From: engines, To: []string{"..."}, Allow: join(vocabulary, []string{"host/plugin/...", "plugins/..."}), Why: "an engine room knows its library and nothing of the domain"},
	{From: []string{"kv/..."}, To: []string{"..."}, Allow: []string{"host/errs", "kv/..."}, Why: "kv is NATS for everybody: it knows no room"},
	{From: []string{"kv/..."}, To: join(duck, wasm, ort, fiber, grpc), Why: "kv imports NATS only"},
	{From: []string{"host/errs"}, To: []string{"...", "!..."}, Why: "every room imports errs: it is standard library only"},
	{From: []string{"host/schema"}, To: []string{"...", "!..."}, Allow: vocabulary, Why: "every room imports schema: value types only"},
	{From: []string{"sdk/..."}, To: []string{"...", "!..."}, Allow: []string{"sdk/..."}, Why: "plugin authors and clients import sdk: standard library only"},
	{From: []string{"plugins/..."}, To: []string{"...", "!..."}, Allow: []string{"sdk/...", "plugins/..."}, Why: "guests compile to wasm with the standard library and sdk"},
	{From: []string{"examples/..."}, To: []string{"host/...", "kv/...", "functions/..."}, Why: "an example uses what a user has"},

	{From: []string{"..."}, Except: []string{"kv/..."}, To: nats, Why: "only kv speaks NATS"},
	{From: []string{"..."}, Except: []string{"host/offline/...", "bench/..."}, To: duck, Why: "only host/offline holds the DuckDB driver and its cgo"},
	{From: []string{"..."}, Except: []string{"host/plugin/...", "plugins/internal/...", "bench/..."}, To: wasm, Why: "only host/plugin runs wasm"},
	{From: []string{"..."}, Except: []string{"host/onnx"}, To: ort, Why: "only host/onnx holds ONNX Runtime, NVML and their cgo"},
	{From: []string{"..."}, Except: []string{"host/edge/..."}, To: fiber, Why: "fiber stays behind httpd, so that it can be replaced there"},
	{From: []string{"..."}, Except: []string{"host/edge/..."}, To: grpc, Why: "gRPC is a wire protocol: edges only"},
	{From: []string{"..."}, Except: []string{"cmd/..."}, To: []string{"!github.com/spf13/..."}, Why: "flags are the command line's"},
	{From: []string{"..."}, To: []string{"!github.com/stretchr/..."}, Except: nil, Why: "std testing and go-cmp are enough"},
}, siblings()...)

// siblings forbids each domain room the others, and each edge room the others but httpd.
func siblings() []Rule {
	var out []Rule
	for _, d := range domains {
		var others []string
		for _, o := range domains {
			if o != d {
				others = append(others, o+"/...")
			}
		}
		out = append(out, Rule{From: []string{d + "/..."}, To: others, Why: "a domain room that needs another declares an interface and host/app plugs it in"})
	}
	for _, e := range []string{"rest", "predict", "fn", "probe", "grpcd", "httpd"} {
		room := "host/edge/" + e + "/..."
		out = append(out, Rule{From: []string{room}, To: []string{"host/edge/..."}, Allow: []string{room, "host/edge/httpd/...", "host/edge/grpcd"},
			Why: "one room a wire protocol: they share only the servers"})
	}
	return out
}
