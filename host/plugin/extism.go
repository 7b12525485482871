package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Extism modules run unchanged as handlers and gates: a module that imports extism:host/env and has no weir_abi_version is
// one. They go through the same rewriting, pools and limits as weir's own; extism_env.go has the functions that they import.
// The interface is that of the Extism plug-in development kits (go-pdk v1.1.3, as-pdk v1.0.0).

// The import modules of Extism. The second one is for functions of one certain host, which this one is not.
const (
	extismEnvModule  = "extism:host/env"
	extismUserModule = "extism:host/user"
)

// maxVarBytes bounds the names and values of one instance's variables, each of which counts for varOverhead bytes more.
const (
	maxVarBytes = 1 << 20
	varOverhead = 48
)

// ExtismExports says which function of an Extism module plays which world; "" is none. When both are empty and the module has
// exactly one function of type () → i32, that is the handler.
type ExtismExports struct {
	Handler string // input: the request's body; output: the body of a response of status 200
	Gate    string // input: the context document; output: a Verdict document
}

// WithExtism names the functions of an Extism module; Open and Inspect refuse names for other modules, or that it lacks.
func WithExtism(e ExtismExports) OpenOption {
	return func(o *opening) { o.extism, o.strict = e, true }
}

// isExtism reports whether a module speaks Extism's interface.
func isExtism(m wazero.CompiledModule) bool {
	if _, ok := m.ExportedFunctions()["weir_abi_version"]; ok {
		return false
	}
	return slices.ContainsFunc(m.ImportedFunctions(), func(f api.FunctionDefinition) bool {
		mod, _, _ := f.Import()
		return mod == extismEnvModule || mod == extismUserModule
	})
}

// extismNames are the exports of an Extism module that could play a world, sorted.
type extismNames struct {
	coded []string // () → i32, a code that is 0 for success
	all   []string // and () → ()
}

func extismNamesOf(m wazero.CompiledModule) *extismNames {
	n := &extismNames{}
	for _, name := range sortedKeys(m.ExportedFunctions()) {
		f := m.ExportedFunctions()[name]
		if strings.HasPrefix(name, "_") || len(f.ParamTypes()) > 0 {
			continue
		}
		switch coded := sameTypes(f.ResultTypes(), an32); {
		case coded:
			n.coded = append(n.coded, name)
			fallthrough
		case len(f.ResultTypes()) == 0:
			n.all = append(n.all, name)
		}
	}
	return n
}

// resolve fills in the default and checks the names against those of a module, nil for one that is not Extism's. Errors are faults.
func (e ExtismExports) resolve(have *extismNames) (ExtismExports, error) {
	if have == nil {
		if e != (ExtismExports{}) {
			return e, faultf(errs.Invalid, causeOutput, "it is no Extism module, so it has no functions to name as handler or gate")
		}
		return e, nil
	}
	for _, role := range []struct{ world, name string }{{"handler", e.Handler}, {"gate", e.Gate}} {
		if role.name != "" && !slices.Contains(have.all, role.name) {
			return e, faultf(errs.Invalid, causeOutput, "it has no function %q of type () → i32 to be the %s: it has %s", clipText(role.name), role.world, orNone(have.all))
		}
	}
	if e == (ExtismExports{}) {
		if len(have.coded) != 1 {
			return e, faultf(errs.Invalid, causeOutput, "say which function of this Extism module is the handler (spec.extism.handler, --handler) or the gate (spec.extism.gate, --gate): it has %s", orNone(have.all))
		}
		e.Handler = have.coded[0]
	}
	return e, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// describe is what an Extism module cannot say of itself.
func (e ExtismExports) describe(digest string) abi.Description {
	d := abi.Description{Name: "extism-" + strings.TrimPrefix(digest, "sha256:")[:8], Summary: "An Extism module."}
	if e.Handler != "" {
		d.Worlds = append(d.Worlds, abi.WorldHandler)
		d.Summary += " Handler: " + e.Handler + "."
	}
	if e.Gate != "" {
		d.Worlds = append(d.Worlds, abi.WorldGate)
		d.Summary += " Gate: " + e.Gate + "."
	}
	return d
}

// extism is the part of an instance that Extism modules have.
type extism struct {
	exports ExtismExports
	config  map[string]string
	memory  *extismMemory
	input   []byte
	output  []byte
	failure []byte // the error's text; nil: none was set
	failed  uint64 // its block
	status  int    // of the last HTTP response
	headers []byte // of the same, a document; nil: none
	vars    map[string][]byte
	varSize int
	fn      map[string]api.Function
}

func newExtism(l Limits) *extism {
	return &extism{memory: newExtismMemory(l.MemoryBytes), vars: map[string][]byte{}, fn: map[string]api.Function{}}
}

// configure takes the parameters as Extism's configuration: texts as they are, other values as JSON.
func (x *extism) configure(params json.RawMessage) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(params, &members); err != nil {
		return faultf(errs.Invalid, causeParameters, "the parameters of an Extism module are an object, which becomes its configuration: %v", err)
	}
	x.config = make(map[string]string, len(members))
	for k, v := range members {
		var text string
		if json.Unmarshal(v, &text) != nil || string(v) == "null" {
			var b bytes.Buffer
			_ = json.Compact(&b, v) // it is valid
			text = b.String()
		}
		x.config[k] = text
	}
	return nil
}

// begin forgets the call before, but for the variables.
func (x *extism) begin(input []byte) {
	x.memory.reset()
	x.input, x.output, x.failure, x.failed, x.status, x.headers = input, nil, nil, 0, 0, nil
}

// callExtism runs a function on an input. The output is the caller's.
func (in *instance) callExtism(ctx context.Context, name string, input []byte) (output []byte, err error) {
	x := in.ext
	f := x.fn[name]
	if f == nil {
		if f = in.mod.ExportedFunction(name); f == nil {
			return nil, faultf(errs.Invalid, causeOutput, "it has no function %s", name)
		}
		x.fn[name] = f
	}
	if int64(len(input)) > in.limits.MemoryBytes {
		return nil, faultf(errs.Exhausted, causeMemory, "an input of %d bytes does not fit its memory limit of %d", len(input), in.limits.MemoryBytes)
	}
	if err := in.host.begin(ctx); err != nil {
		return nil, err
	}
	x.begin(input)
	code, err := in.invoke(ctx, f)
	if ended := in.host.end(); err == nil {
		err = ended
	}
	output, x.input, x.output = x.output, nil, nil
	switch {
	case err != nil:
		return nil, err
	case x.failure != nil:
		return nil, faultf(errs.Invalid, causeGuest, "%s", printable(x.failure[:min(len(x.failure), maxErrorBytes)]))
	case len(f.Definition().ResultTypes()) > 0 && int32(code) != 0:
		return nil, faultf(errs.Invalid, causeGuest, "%s answered the code %d without saying why", name, int32(code))
	}
	return output, nil
}

// handleExtism answers a request with the handler's output.
func (p *Plugin) handleExtism(ctx context.Context, r abi.Request) (resp abi.Response, err error) {
	if err := p.speaks(abi.WorldHandler); err != nil {
		return resp, err
	}
	err = p.lend(ctx, func(in *instance) error {
		return p.run(abi.WorldHandler, in, func(in *instance) error {
			out, err := in.callExtism(ctx, in.ext.exports.Handler, r.Body)
			if err != nil {
				return err
			}
			resp = abi.Response{Status: 200, Body: out}
			if len(out) > 0 {
				resp.Headers = map[string][]string{"Content-Type": {contentType(out)}}
			}
			return nil
		})
	})
	return resp, err
}

// contentType is what a body looks like: a JSON object or array, text, or bytes.
func contentType(b []byte) string {
	switch text := bytes.TrimLeft(b, " \t\r\n"); {
	case len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text):
		return "application/json"
	case utf8.Valid(b) && bytes.IndexByte(b, 0) < 0:
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// foreign are the names of an Extism module, nil of others; known once learn has run.
func (c *code) foreign() *extismNames {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extism
}

// play puts the worlds that an Extism module's functions are named for into its description. Other modules keep theirs, and
// refuse names.
func (c *code) play(e ExtismExports, d abi.Description) (abi.Description, error) {
	have := c.foreign()
	e, err := e.resolve(have)
	if err == nil && have != nil {
		d = e.describe(c.digest)
	}
	return d, err
}
