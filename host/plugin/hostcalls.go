package plugin

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin/fuel"
	"github.com/weir-ml/weir/sdk/abi"
)

// The import module weir:host: what a guest may ask of the host (sdk/abi/ABI.md, section 9).

const hostModule = abi.HostModule

// What a host function answers.
const (
	statusDone    = uint32(abi.StatusDone)
	statusAbsent  = uint32(abi.StatusAbsent)
	statusRefused = uint32(abi.StatusRefused)
	statusLimit   = uint32(abi.StatusLimit)
	statusFailed  = uint32(abi.StatusFailed)
)

var outcomes = [...]string{"done", "absent", "refused", "limit", "failed"}

// Bounds of host calls.
const (
	MaxKeyBytes      = 512       // of a key in KV
	MaxValueBytes    = 512 << 10 // of a value in KV
	maxRandomBytes   = 1 << 20   // one call of random
	maxDocumentBytes = 8 << 20   // a request's document, and a reply

	hostCallUnits = 200 // fuel of one call; and one unit for each 4 bytes moved
)

// KV keeps values by key for plugins. Keys are UTF-8 of 1 to MaxKeyBytes bytes. Safe for concurrent use.
type KV interface {
	Get(ctx context.Context, key string) ([]byte, error) // errs.NotFound when there is none
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error // no error when there is none
}

// Features reads online features. Safe for concurrent use.
type Features interface {
	// Read answers a request document about a view with a document; errs.NotFound for an unknown view.
	Read(ctx context.Context, view string, request []byte) ([]byte, error)
}

// Models predicts. Safe for concurrent use.
type Models interface {
	// Infer answers rows (a JSON array of objects) with {"predictions":[…],"model_version":"…"}; errs.NotFound for an
	// unknown model.
	Infer(ctx context.Context, model string, rows json.RawMessage) ([]byte, error)
}

// HTTP makes requests to other hosts. Safe for concurrent use.
type HTTP interface {
	// Do makes one request. It follows a redirect only when allowed says so of its address, and answers errs.Forbidden for
	// what the host's own rules refuse and errs.Exhausted for a body beyond maxBody.
	Do(ctx context.Context, r abi.HTTPRequest, maxBody int64, allowed func(*url.URL) bool) (abi.Response, error)
}

// Services are what stands behind the host functions. A nil one is not there: its functions answer that they failed.
type Services struct {
	KV       KV
	Features Features
	Models   Models
	HTTP     HTTP
}

// hostCalls is one instance's end of the host functions.
type hostCalls struct {
	in     *instance
	grants *Grants
	log    *guestLog

	ctx      context.Context // the caller's, while a gate or a handler runs; otherwise nil and all but log is refused
	deadline time.Time       // of the whole call
	journal  *Journal        // or nil
	reply    []byte

	random io.Reader // of WASI; nil: not asked for yet

	fakeWall, fakeMono int64 // the clocks as they are without the grant, in nanoseconds
}

type hostCallsKey struct{}

// context carries the host calls to the functions of weir:host.
func (c *hostCalls) context(parent context.Context) context.Context {
	return context.WithValue(parent, hostCallsKey{}, c)
}

// begin opens the host functions for one call of a gate or a handler; end closes them.
func (c *hostCalls) begin(ctx context.Context) error {
	c.journal, _ = ctx.Value(journalKey{}).(*Journal)
	if c.journal != nil {
		if err := c.journal.begin(c.in.code.digest); err != nil {
			c.journal = nil
			return err
		}
	}
	c.ctx, c.deadline = ctx, time.Now().Add(c.in.limits.Timeout)
	return nil
}

// end answers an error when a playback was not asked for all that it has.
func (c *hostCalls) end() error {
	j := c.journal
	c.ctx, c.journal, c.reply = nil, nil, nil
	if j != nil {
		return j.end()
	}
	return nil
}

// instantiateHostCalls adds weir:host to a runtime.
func instantiateHostCalls(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(hostModule)
	for name, f := range map[string]struct {
		params int
		do     func(c *hostCalls, a []uint64) uint32
	}{
		"log":           {3, (*hostCalls).doLog},
		"clock":         {1, (*hostCalls).doClock},
		"random":        {2, (*hostCalls).doRandom},
		"kv_get":        {2, (*hostCalls).doKVGet},
		"kv_put":        {4, (*hostCalls).doKVPut},
		"kv_delete":     {2, (*hostCalls).doKVDelete},
		"features_read": {2, (*hostCalls).doFeaturesRead},
		"model_infer":   {2, (*hostCalls).doModelInfer},
		"http_request":  {2, (*hostCalls).doHTTPRequest},
	} {
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			c := ctx.Value(hostCallsKey{}).(*hostCalls)
			stack[0] = uint64(f.do(c, stack))
		}), i32s(f.params), i32s(1)).Export(name)
	}
	b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
		stack[0] = uint64(len(ctx.Value(hostCallsKey{}).(*hostCalls).reply))
	}), nil, i32s(1)).Export("reply_size")
	b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
		c := ctx.Value(hostCallsKey{}).(*hostCalls)
		copy(c.view("reply_read", "the reply's place", stack[0], uint64(len(c.reply))), c.reply)
		c.burn(len(c.reply))
	}), i32s(1), nil).Export("reply_read")
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("prepare the host functions: %w", err)
	}
	return nil
}

func i32s(n int) []api.ValueType {
	return bytes.Repeat([]api.ValueType{i32}, n)
}

// view is size bytes of guest memory at ptr; a guest that points beyond its memory is stopped.
func (c *hostCalls) view(function, what string, ptr, size uint64) []byte {
	ptr, size = uint64(uint32(ptr)), uint64(uint32(size))
	m := c.in.memory()
	if ptr+size > uint64(len(m)) {
		panic(faultf(errs.Invalid, causeBounds, "%s: %s is bytes %d..%d of a memory of %d", function, what, ptr, ptr+size, len(m)))
	}
	return m[ptr : ptr+size : ptr+size]
}

// burn charges for bytes moved.
func (c *hostCalls) burn(bytes int) { c.in.meter.Burn(hostCallUnits + int64(bytes)/4) }

// answer is what a host function found.
type answer struct {
	status uint32
	data   []byte // the reply, or the error's text when the status is not done
}

func fail(status uint32, format string, args ...any) answer {
	return answer{status, fmt.Appendf(nil, format, args...)}
}

// failure makes an answer of a service's error.
func (c *hostCalls) failure(ctx context.Context, f hostFunction, err error) answer {
	switch errs.KindOf(err) {
	case errs.NotFound:
		return fail(statusAbsent, "%v", err)
	case errs.Forbidden:
		return fail(statusRefused, "%v", err)
	case errs.Exhausted, errs.Timeout:
		if ctx.Err() != nil {
			return fail(statusLimit, "%s took longer than %s", f, c.in.limits.HostCallTimeout)
		}
		return fail(statusLimit, "%v", err)
	case errs.Internal:
		if ctx.Err() != nil {
			return fail(statusLimit, "%s took longer than %s", f, c.in.limits.HostCallTimeout)
		}
		c.in.code.host.log.Warn("a host call of a plugin failed", "plugin", c.in.code.name(), "digest", c.in.code.digest, "function", f.String(), "error", err)
		return fail(statusFailed, "%s failed on the host", f)
	}
	return fail(statusFailed, "%v", err)
}

// perform is one host call: the recording's answer, or live's when the grant permits what. It charges, counts, bounds the
// time and the reply, and keeps the reply for reply_read.
func (c *hostCalls) perform(f hostFunction, grant, what string, args [][]byte, live func(context.Context) answer) answer {
	a, replayed := c.replayed(f, args)
	if !replayed {
		a = c.permitted(f, grant, what)
		if a.status == statusDone {
			if grant == "clock" || grant == "random" { // nothing to wait for
				a = live(c.ctx)
			} else {
				ctx, cancel := context.WithDeadline(c.ctx, earlier(time.Now().Add(c.in.limits.HostCallTimeout), c.deadline))
				a = live(ctx)
				cancel()
			}
			if limit := min(maxDocumentBytes, c.in.limits.MaxOutputBytes); int64(len(a.data)) > limit {
				a = fail(statusLimit, "the reply of %s has %d bytes, the limit is %d", f, len(a.data), limit)
			}
		}
	}
	c.settle(f, args, a, replayed)
	return a
}

// replayed is the recorded answer, when the call is a playback.
func (c *hostCalls) replayed(f hostFunction, args [][]byte) (answer, bool) {
	if c.journal == nil {
		return answer{}, false
	}
	e, replaying, err := c.journal.take(f, inputDigest(args...))
	if err != nil {
		panic(err)
	}
	return answer{uint32(e.status), e.data}, replaying
}

// permitted is done when the function may be called now, and with what.
func (c *hostCalls) permitted(f hostFunction, grant, what string) answer {
	if c.ctx == nil {
		c.grants.refuse(grant)
		return fail(statusRefused, "%s is refused here: only gates and handlers may ask the host for more than log", f)
	}
	if c.grants.use(grant, what) {
		return answer{}
	}
	if what == "" {
		return fail(statusRefused, "%s is refused: the plugin was not given the grant %s", f, grant)
	}
	return fail(statusRefused, "%s is refused: the plugin was not given the grant %s for %q", f, grant, clipText(what))
}

// settle records, counts and charges an answer, and stops a guest whose time is up: host calls do not look at the fuel's
// deadline, and many short ones must not outlive it.
func (c *hostCalls) settle(f hostFunction, args [][]byte, a answer, replayed bool) {
	if c.journal != nil && !replayed {
		c.journal.record(f, inputDigest(args...), a.status, a.data)
	}
	c.in.code.host.metrics.asked(f.String(), outcomes[a.status])
	moved := len(a.data)
	for _, x := range args {
		moved += len(x)
	}
	c.burn(moved)
	c.reply = a.data
	if c.ctx != nil && (c.ctx.Err() != nil || !time.Now().Before(c.deadline)) {
		panic(fuel.ErrDeadline)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (c *hostCalls) doLog(a []uint64) uint32 {
	text := c.view("log", "the text", a[1], a[2])
	args := [][]byte{binary.LittleEndian.AppendUint32(nil, uint32(a[0])), text[:min(len(text), logLineBytes)]}
	var r answer
	switch level := int32(a[0]); {
	case level < 0 || level > 3:
		r = fail(statusFailed, "log: the level is 0 (debug), 1 (info), 2 (warning) or 3 (error), not %d", level)
	case !c.grants.use("log", ""):
		r = fail(statusRefused, "log is refused: the plugin was not given the grant log")
	default:
		// What goes beyond the rate is dropped without a word: whether a line was written is no input of a guest.
		c.log.record([]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[level], text, "plugin", c.in.code.name())
	}
	old, replayed := c.replayed(hostLog, args)
	if replayed {
		r = old
	}
	c.settle(hostLog, args, r, replayed)
	return r.status
}

func (c *hostCalls) doClock(a []uint64) uint32 {
	at := c.view("clock", "the place of the reading", a[0], 8)
	r := c.perform(hostClock, "clock", "", nil, func(context.Context) answer {
		return answer{data: binary.LittleEndian.AppendUint64(nil, uint64(time.Now().UnixMicro()))}
	})
	if r.status == statusDone {
		copy(at, r.data)
		c.reply = nil
	}
	return r.status
}

func (c *hostCalls) doRandom(a []uint64) uint32 {
	at := c.view("random", "the place of the bytes", a[0], a[1])
	r := c.perform(hostRandom, "random", "", [][]byte{binary.LittleEndian.AppendUint32(nil, uint32(len(at)))}, func(context.Context) answer {
		if len(at) > maxRandomBytes {
			return fail(statusLimit, "random answers at most %d bytes at once, not %d", maxRandomBytes, len(at))
		}
		b := make([]byte, len(at))
		_, _ = rand.Read(b) // never fails
		return answer{data: b}
	})
	if r.status == statusDone {
		if len(r.data) != len(at) {
			panic(faultf(errs.Conflict, causeReplay, "the journal has %d random bytes where %d are asked for", len(r.data), len(at)))
		}
		copy(at, r.data)
		c.reply = nil
	}
	return r.status
}

// key copies a key out of guest memory. A wrong one is an answer.
func (c *hostCalls) key(f hostFunction, ptr, size uint64) ([]byte, answer) {
	k := c.view(f.String(), "the key", ptr, size)
	switch {
	case len(k) == 0:
		return nil, fail(statusFailed, "%s: the key is empty", f)
	case len(k) > MaxKeyBytes:
		return nil, fail(statusLimit, "%s: the key has %d bytes, the limit is %d", f, len(k), MaxKeyBytes)
	case !utf8.Valid(k):
		return nil, fail(statusFailed, "%s: the key is not valid UTF-8", f)
	}
	return bytes.Clone(k), answer{}
}

// reject ends a call whose arguments are wrong before any grant is asked for.
func (c *hostCalls) reject(f hostFunction, a answer) uint32 {
	old, replayed := c.replayed(f, nil)
	if replayed {
		a = old
	}
	c.settle(f, nil, a, replayed)
	return a.status
}

// store is one call to KV.
func (c *hostCalls) store(f hostFunction, grant string, a []uint64, work func(ctx context.Context, kv KV, key string) ([]byte, error), args ...[]byte) uint32 {
	key, wrong := c.key(f, a[0], a[1])
	if wrong.status != statusDone {
		return c.reject(f, wrong)
	}
	return c.perform(f, grant, string(key), append([][]byte{key}, args...), func(ctx context.Context) answer {
		kv := c.in.code.host.services.KV
		if kv == nil {
			return fail(statusFailed, "this host has no store for plugins")
		}
		v, err := work(ctx, kv, string(key))
		if err != nil {
			return c.failure(ctx, f, err)
		}
		return answer{data: v}
	}).status
}

func (c *hostCalls) doKVGet(a []uint64) uint32 {
	return c.store(hostKVGet, "kv.read", a, func(ctx context.Context, kv KV, key string) ([]byte, error) { return kv.Get(ctx, key) })
}

func (c *hostCalls) doKVPut(a []uint64) uint32 {
	value := c.view("kv_put", "the value", a[2], a[3])
	if len(value) > MaxValueBytes {
		return c.reject(hostKVPut, fail(statusLimit, "kv_put: the value has %d bytes, the limit is %d", len(value), MaxValueBytes))
	}
	value = bytes.Clone(value)
	c.in.meter.Burn(int64(len(value)) / 4) // also when the key is wrong
	return c.store(hostKVPut, "kv.write", a, func(ctx context.Context, kv KV, key string) ([]byte, error) {
		return nil, kv.Put(ctx, key, value)
	}, value)
}

func (c *hostCalls) doKVDelete(a []uint64) uint32 {
	return c.store(hostKVDelete, "kv.write", a, func(ctx context.Context, kv KV, key string) ([]byte, error) { return nil, kv.Delete(ctx, key) })
}

// document copies a request's document out of guest memory and decodes it. A wrong one is an answer.
func (c *hostCalls) document(f hostFunction, a []uint64, into any) ([]byte, answer) {
	doc := c.view(f.String(), "the request", a[0], a[1])
	if len(doc) > maxDocumentBytes {
		return nil, fail(statusLimit, "%s: the request has %d bytes, the limit is %d", f, len(doc), maxDocumentBytes)
	}
	if err := json.Unmarshal(doc, into); err != nil {
		c.in.meter.Burn(int64(len(doc)) / 4) // it was read for nothing
		return nil, fail(statusFailed, "%s: the request is not such a document: %v", f, err)
	}
	return bytes.Clone(doc), answer{}
}

func (c *hostCalls) doFeaturesRead(a []uint64) uint32 {
	var q struct {
		View string `json:"view"`
	}
	doc, wrong := c.document(hostFeaturesRead, a, &q)
	if wrong.status != statusDone {
		return c.reject(hostFeaturesRead, wrong)
	}
	return c.perform(hostFeaturesRead, "features.read", q.View, [][]byte{doc}, func(ctx context.Context) answer {
		features := c.in.code.host.services.Features
		if features == nil {
			return fail(statusFailed, "this host has no feature store")
		}
		out, err := features.Read(ctx, q.View, doc)
		if err != nil {
			return c.failure(ctx, hostFeaturesRead, err)
		}
		return answer{data: out}
	}).status
}

func (c *hostCalls) doModelInfer(a []uint64) uint32 {
	var q struct {
		Model string          `json:"model"`
		Rows  json.RawMessage `json:"rows"`
	}
	doc, wrong := c.document(hostModelInfer, a, &q)
	if wrong.status != statusDone {
		return c.reject(hostModelInfer, wrong)
	}
	return c.perform(hostModelInfer, "model.infer", q.Model, [][]byte{doc}, func(ctx context.Context) answer {
		models := c.in.code.host.services.Models
		if models == nil {
			return fail(statusFailed, "this host has no models")
		}
		out, err := models.Infer(ctx, q.Model, q.Rows)
		if err != nil {
			return c.failure(ctx, hostModelInfer, err)
		}
		return answer{data: out}
	}).status
}

func (c *hostCalls) doHTTPRequest(a []uint64) uint32 {
	var q abi.HTTPRequest
	doc, wrong := c.document(hostHTTPRequest, a, &q)
	if wrong.status != statusDone {
		return c.reject(hostHTTPRequest, wrong)
	}
	r, _ := c.fetch(q, [][]byte{doc})
	return r.status
}

// fetch makes an HTTP request under the grant http.out; resp is what the answer's data says.
func (c *hostCalls) fetch(q abi.HTTPRequest, args [][]byte) (a answer, resp abi.Response) {
	u, err := url.Parse(q.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		a = fail(statusFailed, "http_request: %q is not an address like https://example.org/path", clipText(q.URL))
		c.reject(hostHTTPRequest, a)
		return a, resp
	}
	a = c.perform(hostHTTPRequest, "http.out", hostPort(u.Scheme, u.Hostname(), u.Port()), args, func(ctx context.Context) answer {
		client := c.in.code.host.services.HTTP
		if client == nil {
			return fail(statusFailed, "this host makes no requests")
		}
		// The reply is a document with the body in base64.
		limit := (min(maxDocumentBytes, c.in.limits.MaxOutputBytes) - 4096) / 4 * 3
		resp, err := client.Do(ctx, q, limit, func(to *url.URL) bool {
			return c.grants.use("http.out", hostPort(to.Scheme, to.Hostname(), to.Port()))
		})
		if err != nil {
			return c.failure(ctx, hostHTTPRequest, err)
		}
		doc, err := json.Marshal(resp)
		if err != nil {
			return c.failure(ctx, hostHTTPRequest, err)
		}
		return answer{data: doc}
	})
	if a.status == statusDone {
		if err := json.Unmarshal(a.data, &resp); err != nil {
			panic(faultf(errs.Conflict, causeReplay, "the journal's reply of http_request is no response: %v", err))
		}
	}
	return a, resp
}
