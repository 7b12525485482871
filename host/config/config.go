// Package config is weir's configuration: one flat struct, read in the order defaults < file < WEIR_* environment < flags.
// The struct's tags carry each knob's text, so that the reference page, the JSON Schema and the flags cannot drift from it.
//
// It is not for what users apply at run time (host/resource), nor for a client's settings (cmd/weir).
// Read this file for the knobs, load.go for the order and reference.go for the generated pages.
package config

import (
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// Config is everything that an operator can set. Sizes are bytes; durations are text with a unit in every source.
// Tags: yaml is the key; doc, unit and example feed the reference; flag names the command-line flag of those few that have one.
type Config struct {
	Data          string   `yaml:"data" flag:"data" doc:"Folder of all state. It is made when it is not there, and held by one process at a time." example:"/var/lib/weir"`
	DataRoot      string   `yaml:"data_root" flag:"data-root" doc:"Folder below which manifests and API calls may name files of the server's machine. Empty: they may name none." example:"/srv/datasets"`
	HTTP          string   `yaml:"http" flag:"http" doc:"Address of the HTTP port; port 0 picks a free one." example:"127.0.0.1:0"`
	GRPC          string   `yaml:"grpc" flag:"grpc" doc:"Address of the gRPC port; port 0 picks a free one." example:"127.0.0.1:0"`
	Models        []string `yaml:"models" flag:"models" doc:"Model repositories to serve from, beside applied models; may be given several times. In the environment, separate folders with a colon." example:"/srv/models"`
	StrictDevices bool     `yaml:"strict_devices" flag:"strict-devices" doc:"Refuse a model that asks for a GPU on a machine without one, instead of serving it on the CPU with a warning." example:"true"`
	Log           string   `yaml:"log" flag:"log" doc:"Least level that is logged: debug, info, warn or error." example:"debug"`
	LogFormat     string   `yaml:"log_format" doc:"json, text, or auto: text on a terminal and JSON elsewhere." example:"json"`

	BodyLimitBytes   int64           `yaml:"body_limit_bytes" doc:"Largest request body that is held in memory: predictions, functions, events, manifests." unit:"bytes" example:"134217728"`
	UploadLimitBytes int64           `yaml:"upload_limit_bytes" doc:"Largest uploaded file: plugins, models, data sets. Uploads are streamed to disk." unit:"bytes" example:"10737418240"`
	MaxConnections   int             `yaml:"max_connections" doc:"Most HTTP connections open at once." unit:"connections" example:"10000"`
	ReadTimeout      schema.Duration `yaml:"read_timeout" doc:"Time in which a client must have sent its whole request, and in which it must have taken the whole answer." example:"5m"`
	IdleTimeout      schema.Duration `yaml:"idle_timeout" doc:"Time after which an idle connection is closed." example:"30s"`
	RequestTimeout   schema.Duration `yaml:"request_timeout" doc:"Longest work on one request; a longer one is answered as a timeout. Builds of data sets and monitor runs count, too." example:"1m"`
	DrainTimeout     schema.Duration `yaml:"drain_timeout" doc:"Time that requests in flight are given after SIGTERM." example:"1m"`
	GRPCMessageBytes int64           `yaml:"grpc_message_bytes" doc:"Largest gRPC message in either direction." unit:"bytes" example:"268435456"`

	PluginMemoryBytes     int64           `yaml:"plugin_memory_bytes" doc:"Ceiling of a plugin instance's memory; a manifest that asks for more is refused." unit:"bytes" example:"268435456"`
	PluginTimeout         schema.Duration `yaml:"plugin_timeout" doc:"Ceiling of one call into a plugin." example:"10s"`
	PluginMaxInstances    int             `yaml:"plugin_max_instances" doc:"Ceiling of one plugin's live instances. 0: twice the processors." unit:"instances" example:"8"`
	PluginFuelPerCall     int64           `yaml:"plugin_fuel_per_call" doc:"Ceiling of the fuel that one call into a plugin may burn; a unit is about one simple instruction, and plugins that say nothing get 10000000000." unit:"units" example:"100000000000"`
	PluginFuelPerSecond   int64           `yaml:"plugin_fuel_per_second" doc:"Ceiling of the fuel that one plugin may burn a second, on average over all of its instances; it holds for plugins that ask for no limit, too. 0: none." unit:"units" example:"2000000000"`
	PluginOutputBytes     int64           `yaml:"plugin_output_bytes" doc:"Ceiling of one answer of a plugin; plugins that say nothing may answer as many bytes as their memory limit." unit:"bytes" example:"67108864"`
	PluginLogPerSecond    int             `yaml:"plugin_log_per_second" doc:"Ceiling of the records a second that one plugin may log." unit:"records" example:"100"`
	PluginHostCallTimeout schema.Duration `yaml:"plugin_host_call_timeout" doc:"Ceiling of one call of a plugin into the host, such as an HTTP request that it was granted." example:"5s"`
	PluginGrants          []string        `yaml:"plugin_grants" separator:"," doc:"Ceiling of what manifests may grant to plugins: log, clock, random, kv.read:KEY, kv.write:KEY, features.read:VIEW, model.infer:MODEL, http.out:HOST, where a * ends a scope. What is not in the list is refused. In the environment, separate with commas." example:"log,kv.read:*,http.out:*.example.org"`
	PluginHTTPPrivate     bool            `yaml:"plugin_http_private" doc:"Let plugins that were granted http.out reach private, loopback and link-local addresses, too." example:"true"`

	NATSListen string `yaml:"nats_listen" doc:"Address on which the embedded NATS server takes clients. Empty: none, the server is reachable from this process alone. There is no authentication yet: loopback only." example:"127.0.0.1:4222"`

	DuckDBMemoryLimit string `yaml:"duckdb_memory_limit" doc:"DuckDB's memory_limit. Empty: DuckDB's own default, four fifths of the machine." example:"4GB"`
	DuckDBThreads     int    `yaml:"duckdb_threads" doc:"DuckDB's threads. 0: one a processor." unit:"threads" example:"4"`
	ONNXRuntimeLib    string `yaml:"onnxruntime_lib" doc:"Path of ONNX Runtime's shared library. Empty: searched beside the binary and in the system's library folders." example:"/usr/lib/libonnxruntime.so"`
}

// Default is the configuration without any file, environment or flag.
func Default() Config {
	return Config{
		Data: "./weir-data", HTTP: "127.0.0.1:8080", GRPC: "127.0.0.1:8081", Log: "info", LogFormat: "auto",
		BodyLimitBytes: 64 << 20, UploadLimitBytes: 4 << 30, MaxConnections: 16384,
		ReadTimeout: dur(10 * time.Minute), IdleTimeout: dur(2 * time.Minute), RequestTimeout: dur(10 * time.Minute), DrainTimeout: dur(30 * time.Second),
		GRPCMessageBytes:  128 << 20,
		PluginMemoryBytes: 1 << 30, PluginTimeout: dur(time.Minute), PluginFuelPerCall: 1_000_000_000_000, PluginOutputBytes: 1 << 30,
		PluginLogPerSecond: 1000, PluginHostCallTimeout: dur(30 * time.Second),
		PluginGrants: []string{"log", "clock", "random", "kv.read:*", "features.read:*", "model.infer:*"},
	}
}

func dur(d time.Duration) schema.Duration { return schema.Duration(d) }

// MaxPluginInstances is PluginMaxInstances with its default put in.
func (c Config) MaxPluginInstances() int {
	if c.PluginMaxInstances > 0 {
		return c.PluginMaxInstances
	}
	return 2 * runtime.GOMAXPROCS(0)
}

// Level is Log as slog knows it.
func (c Config) Level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(c.Log)) // Validate has seen it
	return l
}

// Validate checks each knob and what must hold between them. Errors are errs.Invalid and begin with the key.
func (c Config) Validate() error {
	if c.Data == "" {
		return errs.New(errs.Invalid, "data: name a folder")
	}
	for _, a := range []struct {
		key, addr string
		optional  bool
	}{{"http", c.HTTP, false}, {"grpc", c.GRPC, false}, {"nats_listen", c.NATSListen, true}} {
		if err := checkAddr(a.key, a.addr, a.optional); err != nil {
			return err
		}
	}
	if _, port, _ := net.SplitHostPort(c.HTTP); c.HTTP == c.GRPC && port != "0" {
		return errs.New(errs.Invalid, "grpc: %s is the HTTP port already: gRPC needs a port of its own", c.GRPC)
	}
	if host, _, _ := net.SplitHostPort(c.NATSListen); c.NATSListen != "" && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return errs.New(errs.Invalid, "nats_listen: %s is not a loopback address, and clients are not authenticated yet", c.NATSListen)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Log)); err != nil || c.Log != strings.ToLower(c.Log) {
		return errs.New(errs.Invalid, "log: %q is not a level: use debug, info, warn or error", c.Log)
	}
	switch c.LogFormat {
	case "auto", "json", "text":
	default:
		return errs.New(errs.Invalid, "log_format: %q: use auto, json or text", c.LogFormat)
	}
	for _, n := range []struct {
		key      string
		v, least int64
	}{
		{"body_limit_bytes", c.BodyLimitBytes, 1 << 10}, {"upload_limit_bytes", c.UploadLimitBytes, 1 << 10},
		{"max_connections", int64(c.MaxConnections), 1}, {"grpc_message_bytes", c.GRPCMessageBytes, 1 << 10},
		{"plugin_memory_bytes", c.PluginMemoryBytes, 64 << 10}, {"plugin_max_instances", int64(c.PluginMaxInstances), 0},
		{"plugin_fuel_per_call", c.PluginFuelPerCall, 100_000_000}, {"plugin_fuel_per_second", c.PluginFuelPerSecond, 0},
		{"plugin_output_bytes", c.PluginOutputBytes, 4 << 10}, {"plugin_log_per_second", int64(c.PluginLogPerSecond), 1},
		{"duckdb_threads", int64(c.DuckDBThreads), 0},
		{"read_timeout", int64(c.ReadTimeout), int64(time.Millisecond)}, {"idle_timeout", int64(c.IdleTimeout), int64(time.Millisecond)},
		{"request_timeout", int64(c.RequestTimeout), int64(time.Millisecond)}, {"drain_timeout", int64(c.DrainTimeout), 0},
		{"plugin_timeout", int64(c.PluginTimeout), int64(time.Millisecond)}, {"plugin_host_call_timeout", int64(c.PluginHostCallTimeout), int64(time.Millisecond)},
	} {
		if n.v < n.least {
			least := strconv.FormatInt(n.least, 10)
			if strings.HasSuffix(n.key, "_timeout") {
				least = time.Duration(n.least).String()
			}
			return errs.New(errs.Invalid, "%s: too small: the least is %s", n.key, least)
		}
	}
	if c.GRPCMessageBytes > 1<<31-1 {
		return errs.New(errs.Invalid, "grpc_message_bytes: the most is 2147483647")
	}
	return nil
}

func checkAddr(key, addr string, optional bool) error {
	if addr == "" && optional {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errs.New(errs.Invalid, "%s: %q is not an address: write host:port, for example 127.0.0.1:8080", key, addr)
	}
	return nil
}
