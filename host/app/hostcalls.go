package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/weir-ml/weir/host/edge/rest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/host/serving"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/sdk/abi"
)

// What plugins with grants reach: the engine decides whether they may, the types here do it.

// pluginServices makes what stands behind the functions of weir:host. There is no feature store yet.
func (a *App) pluginServices(ctx context.Context) (plugin.Services, error) {
	b, err := a.kv.Bucket(ctx, kv.BucketConfig{Name: "plugins", MaxBytes: maxPluginKV})
	if err != nil {
		return plugin.Services{}, fmt.Errorf("open the plugins' bucket: %w", err)
	}
	web := newPluginHTTP(a.cfg.PluginHTTPPrivate)
	a.onClose(func() error { web.client.CloseIdleConnections(); return nil })
	return plugin.Services{KV: pluginKV{b}, Models: pluginModels{a}, HTTP: web}, nil
}

// maxPluginKV bounds what plugins store, all together; a write beyond it answers that a limit was met.
const maxPluginKV = 256 << 20

// grantedPlugin is what an applied plugin was given.
type grantedPlugin struct {
	list   []string
	grants *plugin.Grants
}

// checkGrants refuses grants that are not understood or beyond the operator's ceiling.
func (c *catalog) checkGrants(list []string) error {
	g, err := plugin.NewGrants(list, c.grantCeiling)
	if err == nil {
		err = g.Within()
	}
	if errs.Is(err, errs.Forbidden) {
		return errs.New(errs.Invalid, "spec.grants: %w (plugin_grants)", err)
	}
	if err != nil {
		return fmt.Errorf("spec.grants: %w", err)
	}
	return nil
}

// grantLocked remembers what an applied plugin is given. The same list keeps its counts, and its warm instances. A ceiling
// that was lowered since the plugin was applied refuses at the calls.
func (c *catalog) grantLocked(name string, list []string) error {
	if old, ok := c.granted[name]; ok && slices.Equal(old.list, list) {
		return nil
	}
	g, err := plugin.NewGrants(list, c.grantCeiling)
	if err != nil {
		return fmt.Errorf("spec.grants: %w", err)
	}
	if c.granted == nil {
		c.granted = map[string]grantedPlugin{}
	}
	c.granted[name] = grantedPlugin{slices.Clone(list), g}
	return nil
}

// grantsOf reports the grants of a plugin by name, beside those that its module asks for.
func (c *catalog) grantsOf(name string, asked []string) ([]rest.PluginGrant, map[string]uint64) {
	c.mu.RLock()
	g := c.granted[name].grants
	c.mu.RUnlock()
	uses, refused := g.Report(asked)
	out := make([]rest.PluginGrant, len(uses))
	for i, u := range uses {
		out[i] = rest.PluginGrant(u)
	}
	return out, refused
}

// pluginKV keeps plugins' values. Keys are any text, so they are written in base64: 512 bytes become 683.
type pluginKV struct{ bucket *kv.Bucket }

var _ plugin.KV = pluginKV{}

func pluginKey(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

func (k pluginKV) Get(ctx context.Context, key string) ([]byte, error) {
	e, err := k.bucket.Get(ctx, pluginKey(key))
	if errs.Is(err, errs.NotFound) {
		return nil, errs.New(errs.NotFound, "there is no key %q", key)
	}
	return e.Value, err
}

func (k pluginKV) Put(ctx context.Context, key string, value []byte) error {
	_, err := k.bucket.Put(ctx, pluginKey(key), value)
	return err
}

func (k pluginKV) Delete(ctx context.Context, key string) error {
	return k.bucket.Delete(ctx, pluginKey(key), 0)
}

// pluginModels predicts for plugins. The app's serving room is opened after its plugin engine, and before any plugin.
type pluginModels struct{ app *App }

var _ plugin.Models = pluginModels{}

func (m pluginModels) Infer(ctx context.Context, model string, rows json.RawMessage) ([]byte, error) {
	doc, err := json.Marshal(map[string]json.RawMessage{"rows": rows})
	if err != nil {
		return nil, errs.New(errs.Invalid, "rows: %w", err)
	}
	in, _, err := schema.DecodeRows(doc, nil)
	if err != nil {
		return nil, err
	}
	p, err := m.app.serving.Predict(ctx, serving.PredictRequest{Model: model, Rows: in})
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Predictions  json.RawMessage `json:"predictions"`
		ModelVersion string          `json:"model_version"`
	}{p.JSON(), p.Version})
}

// pluginHTTP makes requests for plugins: to public addresses unless the operator says otherwise, straight (no proxy, whose
// own view of names would undo the check of addresses), and with bounded headers and bodies.
type pluginHTTP struct{ client *http.Client }

var _ plugin.HTTP = pluginHTTP{}

// Bounds of a plugin's requests.
const (
	maxRedirects   = 5
	maxHeaderBytes = 64 << 10
)

func newPluginHTTP(private bool) pluginHTTP {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !private {
		// The address is checked where it is dialled, after names were resolved: a name may point anywhere, and elsewhere next time.
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !publicAddress(at.Addr()) {
				return errs.New(errs.Forbidden, "the address %s is not a public one: the operator may allow it (plugin_http_private)", address)
			}
			return nil
		}
	}
	return pluginHTTP{&http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, DisableCompression: true, ForceAttemptHTTP2: true,
		MaxIdleConns: 64, MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: maxHeaderBytes,
	}}}
}

// notPublic are address blocks that netip's predicates leave out (IANA's special-purpose registries, RFC 6890).
var notPublic = func() (out []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

// publicAddress reports whether an address belongs to the public internet.
func publicAddress(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() { // neither loopback, link-local, multicast nor unspecified
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}

// hostHeaders are for the host to set.
var hostHeaders = []string{"Host", "Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func (h pluginHTTP) Do(ctx context.Context, q abi.HTTPRequest, maxBody int64, allowed func(*url.URL) bool) (abi.Response, error) {
	method := q.Method
	switch method {
	case "":
		method = http.MethodGet
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		return abi.Response{}, errs.New(errs.Invalid, "http_request: the method is GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, not %q", method)
	}
	r, err := http.NewRequestWithContext(ctx, method, q.URL, strings.NewReader(string(q.Body)))
	if err != nil {
		return abi.Response{}, errs.New(errs.Invalid, "http_request: %w", err)
	}
	size := 0
	for name, values := range q.Headers {
		for _, v := range values {
			size += len(name) + len(v)
			r.Header.Add(name, v)
		}
		if slices.Contains(hostHeaders, http.CanonicalHeaderKey(name)) {
			return abi.Response{}, errs.New(errs.Invalid, "http_request: the header %q is the host's to set", name)
		}
	}
	if size > maxHeaderBytes {
		return abi.Response{}, errs.New(errs.Exhausted, "http_request: the headers have %d bytes, the limit is %d", size, maxHeaderBytes)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "weir-plugin")
	}
	client := *h.client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errs.New(errs.Exhausted, "more than %d redirects", maxRedirects)
		}
		if next.URL.User != nil || !allowed(next.URL) {
			return errs.New(errs.Forbidden, "the redirect to %s leaves what the plugin was granted", next.URL.Redacted())
		}
		return nil
	}
	resp, err := client.Do(r)
	if err != nil {
		return abi.Response{}, httpError(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return abi.Response{}, httpError(ctx, err)
	}
	if int64(len(body)) > maxBody {
		return abi.Response{}, errs.New(errs.Exhausted, "http_request: the body is larger than %d bytes", maxBody)
	}
	out := abi.Response{Status: resp.StatusCode, Headers: map[string][]string{}, Body: body}
	for name, values := range resp.Header {
		if !slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) { // JSON carries no other
			out.Headers[name] = values
		}
	}
	return out, nil
}

// httpError gives a failed request its kind: what the host itself refused keeps its own.
func httpError(ctx context.Context, err error) error {
	var ours *errs.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &ours):
		return errs.New(errs.KindOf(ours), "http_request: %w", ours)
	}
	return errs.New(errs.Unavailable, "http_request: %w", err)
}
