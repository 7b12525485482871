package plugin

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// extismFunction is one function of extism:host/env.
type extismFunction struct {
	signature
	do func(c *hostCalls, x *extism, stack []uint64)
}

func extismSig(results []api.ValueType, params ...api.ValueType) signature {
	return signature{params, results}
}

var (
	no64 []api.ValueType
	an32 = []api.ValueType{i32}
	an64 = []api.ValueType{i64}
)

// extismEnv are the functions that an Extism module may import. Offsets and lengths are 64-bit.
var extismEnv = map[string]extismFunction{
	"alloc": {extismSig(an64, i64), func(c *hostCalls, x *extism, s []uint64) {
		c.in.meter.Burn(int64(min(s[0], 1<<40) / 8))
		s[0] = x.memory.alloc(s[0])
	}},
	"free":          {extismSig(no64, i64), func(_ *hostCalls, x *extism, s []uint64) { x.memory.free(s[0]) }},
	"length":        {extismSig(an64, i64), func(_ *hostCalls, x *extism, s []uint64) { s[0] = uint64(x.memory.blocks[s[0]]) }},
	"length_unsafe": {extismSig(an64, i64), func(_ *hostCalls, x *extism, s []uint64) { s[0] = uint64(x.memory.blocks[s[0]]) }},
	"load_u8":       {extismSig(an32, i64), func(_ *hostCalls, x *extism, s []uint64) { s[0] = uint64(x.memory.span("load_u8", s[0], 1)[0]) }},
	"load_u64": {extismSig(an64, i64), func(_ *hostCalls, x *extism, s []uint64) {
		s[0] = binary.LittleEndian.Uint64(x.memory.span("load_u64", s[0], 8))
	}},
	"store_u8": {extismSig(no64, i64, i32), func(_ *hostCalls, x *extism, s []uint64) { x.memory.span("store_u8", s[0], 1)[0] = byte(s[1]) }},
	"store_u64": {extismSig(no64, i64, i64), func(_ *hostCalls, x *extism, s []uint64) {
		binary.LittleEndian.PutUint64(x.memory.span("store_u64", s[0], 8), s[1])
	}},
	"input_length": {extismSig(an64), func(_ *hostCalls, x *extism, s []uint64) { s[0] = uint64(len(x.input)) }},
	"input_offset": {extismSig(an64), func(c *hostCalls, x *extism, s []uint64) {
		c.burn(len(x.input))
		s[0] = x.memory.put(x.input)
	}},
	// Beyond the input there are zeros, as in Extism.
	"input_load_u8": {extismSig(an32, i64), func(_ *hostCalls, x *extism, s []uint64) {
		if at := s[0]; at < uint64(len(x.input)) {
			s[0] = uint64(x.input[at])
		} else {
			s[0] = 0
		}
	}},
	"input_load_u64": {extismSig(an64, i64), func(_ *hostCalls, x *extism, s []uint64) {
		if at, n := s[0], uint64(len(x.input)); n >= 8 && at <= n-8 {
			s[0] = binary.LittleEndian.Uint64(x.input[at:])
		} else {
			s[0] = 0
		}
	}},
	"output_set": {extismSig(no64, i64, i64), func(c *hostCalls, x *extism, s []uint64) {
		if s[1] == 0 {
			x.output = nil
			return
		}
		b := x.memory.span("output_set", s[0], s[1])
		if int64(len(b)) > c.in.limits.MaxOutputBytes {
			panic(faultf(errs.Exhausted, causeOutput, "output_set: %d bytes, the limit is %d", len(b), c.in.limits.MaxOutputBytes))
		}
		c.burn(len(b))
		x.output = bytes.Clone(b)
	}},
	"error_set": {extismSig(no64, i64), func(_ *hostCalls, x *extism, s []uint64) {
		x.failure, x.failed = nil, s[0]
		if s[0] != 0 {
			b := x.memory.block(s[0])
			x.failure = append([]byte{}, b[:min(len(b), maxErrorBytes)]...)
		}
	}},
	"error_get": {extismSig(an64), func(_ *hostCalls, x *extism, s []uint64) { s[0] = x.failed }},
	"config_get": {extismSig(an64, i64), func(c *hostCalls, x *extism, s []uint64) {
		v := x.config[string(x.memory.block(s[0]))]
		c.burn(len(v))
		s[0] = x.memory.put([]byte(v))
	}},
	"var_get":          {extismSig(an64, i64), (*hostCalls).extismVarGet},
	"var_set":          {extismSig(no64, i64, i64), (*hostCalls).extismVarSet},
	"http_request":     {extismSig(an64, i64, i64), (*hostCalls).extismHTTP},
	"http_status_code": {extismSig(an32), func(_ *hostCalls, x *extism, s []uint64) { s[0] = uint64(x.status) }},
	"http_headers": {extismSig(an64), func(c *hostCalls, x *extism, s []uint64) {
		c.burn(len(x.headers))
		s[0] = x.memory.put(x.headers)
	}},
	"log_trace": extismLog("log_trace", slog.LevelDebug),
	"log_debug": extismLog("log_debug", slog.LevelDebug),
	"log_info":  extismLog("log_info", slog.LevelInfo),
	"log_warn":  extismLog("log_warn", slog.LevelWarn),
	"log_error": extismLog("log_error", slog.LevelError),
	// 1 is debug; without the grant nothing is worth writing.
	"get_log_level": {extismSig(an32), func(c *hostCalls, _ *extism, s []uint64) {
		if s[0] = 1; !c.grants.has("log") {
			s[0] = math.MaxInt32
		}
	}},
}

// instantiateExtism adds extism:host/env to a runtime.
func instantiateExtism(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(extismEnvModule)
	for name, f := range extismEnv {
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			c := ctx.Value(hostCallsKey{}).(*hostCalls)
			f.do(c, c.in.ext, stack)
		}), f.params, f.results).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("prepare Extism's host functions: %w", err)
	}
	return nil
}

// checkExtism checks the imports of an Extism module; the rest of its interface is checked when its functions are named.
func checkExtism(f api.FunctionDefinition) error {
	mod, name, _ := f.Import()
	if mod == extismUserModule {
		return faultf(errs.Invalid, causeTrap, "it imports %s.%s: functions of a certain host's own are not to be had here", mod, name)
	}
	want, ok := extismEnv[name]
	if !ok {
		return faultf(errs.Invalid, causeTrap, "it imports %s.%s, which is not to be had: %s", mod, name, strings.Join(sortedKeys(extismEnv), ", "))
	}
	if !sameTypes(f.ParamTypes(), want.params) || !sameTypes(f.ResultTypes(), want.results) {
		return faultf(errs.Invalid, causeTrap, "its import %s.%s is (%s) → (%s), not (%s) → (%s)", mod, name,
			typeNames(f.ParamTypes()), typeNames(f.ResultTypes()), typeNames(want.params), typeNames(want.results))
	}
	return nil
}

// extismLog logs a block under the grant log, and drops it without.
func extismLog(function string, level slog.Level) extismFunction {
	return extismFunction{extismSig(no64, i64), func(c *hostCalls, x *extism, s []uint64) {
		text := x.memory.block(s[0])
		c.burn(min(len(text), logLineBytes))
		outcome := statusRefused
		if c.grants.use("log", "") {
			c.log.record(level, text, "plugin", c.in.code.name())
			outcome = statusDone
		}
		c.in.code.host.metrics.asked("log", outcomes[outcome])
		x.memory.free(s[0])
	}}
}

func (c *hostCalls) extismVarGet(x *extism, s []uint64) {
	name := bytes.Clone(x.memory.block(s[0]))
	args := [][]byte{name}
	a, replayed := c.replayed(hostVarGet, args)
	if !replayed {
		v, ok := x.vars[string(name)]
		if a.data = v; !ok {
			a.status = statusAbsent
		}
	}
	c.settle(hostVarGet, args, a, replayed)
	if s[0] = 0; a.status == statusDone {
		s[0] = x.memory.put(a.data)
	}
}

// extismVarSet keeps a variable of this instance. Two instances of a plugin have their own.
func (c *hostCalls) extismVarSet(x *extism, s []uint64) {
	name, value := string(x.memory.block(s[0])), x.memory.block(s[1])
	c.burn(len(name) + len(value))
	if old, ok := x.vars[name]; ok {
		x.varSize -= varOverhead + len(name) + len(old)
		delete(x.vars, name)
	}
	if s[1] == 0 {
		return
	}
	size := varOverhead + len(name) + len(value)
	if x.varSize+size > maxVarBytes {
		panic(faultf(errs.Exhausted, causeMemory, "var_set: its variables need more than %d bytes", maxVarBytes))
	}
	x.varSize += size
	x.vars[name] = bytes.Clone(value)
}

// extismHTTP makes a request under the grant http.out. Extism has no way to answer a failure, so the guest is stopped.
func (c *hostCalls) extismHTTP(x *extism, s []uint64) {
	request, body := bytes.Clone(x.memory.block(s[0])), bytes.Clone(x.memory.block(s[1]))
	x.status, x.headers = 0, nil
	var q struct {
		URL     string            `json:"url"`
		Method  string            `json:"method"`
		Headers map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(request, &q); err != nil {
		panic(faultf(errs.Invalid, causeGuest, "http_request: the request is not such a document: %v", err))
	}
	full := abi.HTTPRequest{Method: strings.ToUpper(q.Method), URL: q.URL, Body: body}
	for name, value := range q.Headers {
		if full.Headers == nil {
			full.Headers = map[string][]string{}
		}
		full.Headers[name] = []string{value}
	}
	a, resp := c.fetch(full, [][]byte{request, body})
	switch text := string(a.data); a.status {
	case statusDone:
	case statusRefused:
		panic(faultf(errs.Forbidden, causeRefused, "%s", text))
	case statusLimit:
		panic(faultf(errs.Exhausted, causeGuest, "%s", text))
	default:
		panic(faultf(errs.Invalid, causeGuest, "%s", text))
	}
	headers := make(map[string]string, len(resp.Headers))
	for name, values := range resp.Headers {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	x.headers, _ = json.Marshal(headers) // texts: cannot fail
	x.status = resp.Status
	s[0] = x.memory.put(resp.Body)
}
