package rest

import (
	"net/http"
	"os"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/serving"
)

// operation is one line of the API. request and response are values whose types are described, or text for a media type.
type operation struct {
	method, path string // path as httpd takes it
	tag, summary string
	query        []param
	header       []param
	request      any // nil = no body
	status       int
	response     any // nil = no body
	upload       bool
	handle       func(*api, *httpd.Call) error // nil: the fn room answers
}

type param struct{ name, kind, doc string } // kind: string, integer, boolean

// media is a body that is not JSON.
type media string

// Items is the body of every list.
type Items[T any] struct {
	Items []T `json:"items"`
}

func list[T any](items []T, err error) (Items[T], error) {
	if items == nil {
		items = []T{}
	}
	return Items[T]{items}, err
}

const (
	wasmType    = "application/wasm"
	parquetType = "application/vnd.apache.parquet"
	anyBytes    = "application/octet-stream"
)

var limitParam = param{"limit", "integer", "At most so many"}

var operations = []operation{
	{"GET", "/api/v1/info", "server", "Version, addresses and devices of this process", nil, nil, nil, 200, Info{}, false, (*api).info},

	{"POST", "/api/v1/blobs", "blobs", "Store bytes under their digest", nil, nil, media(anyBytes), 201, Blob{}, true, (*api).putBlob},
	{"GET", "/api/v1/blobs/:digest", "blobs", "Read stored bytes", nil, nil, nil, 200, media(anyBytes), false, (*api).getBlob},

	{"GET", "/api/v1/kinds", "resources", "Kinds of resources with the JSON Schema of their specs", nil, nil, nil, 200, Items[resource.KindInfo]{}, false, (*api).kinds},
	{"POST", "/api/v1/apply", "resources", "Apply a manifest, all or nothing", []param{{"dry_run", "boolean", "Check and diff only"}}, nil, media("application/yaml"), 200, Items[resource.Result]{}, false, (*api).apply},
	{"GET", "/api/v1/resources", "resources", "All applied resources", nil, nil, nil, 200, Items[resource.Object]{}, false, (*api).listResources},
	{"GET", "/api/v1/resources/:kind", "resources", "Applied resources of a kind", nil, nil, nil, 200, Items[resource.Object]{}, false, (*api).listResources},
	{"GET", "/api/v1/resources/:kind/:name", "resources", "One resource with its status", nil, nil, nil, 200, resource.Object{}, false, (*api).getResource},
	{"DELETE", "/api/v1/resources/:kind/:name", "resources", "Delete a resource that nothing refers to", nil, nil, nil, 204, nil, false, (*api).deleteResource},

	{"POST", "/api/v1/plugins", "plugins", "Push a module: check it, store it, apply its Plugin resource", []param{{"name", "string", "The resource's name; default: the name that the module gives itself"},
		{"handler", "string", "Extism modules: the function that is the handler"}, {"gate", "string", "Extism modules: the function that is the gate"}}, nil, media(wasmType), 200, PluginInfo{}, true, (*api).pushPlugin},
	{"GET", "/api/v1/plugins", "plugins", "Applied and built-in plugins", nil, nil, nil, 200, Items[PluginSummary]{}, false, (*api).listPlugins},
	{"GET", "/api/v1/plugins/:ref", "plugins", "One plugin: name, name@3, name@alias or sha256:…", nil, nil, nil, 200, PluginInfo{}, false, (*api).getPlugin},
	{"DELETE", "/api/v1/plugins/:ref", "plugins", "Remove one version (name@3) or a whole plugin (name) that nothing uses", nil, nil, nil, 200, RemovedPlugin{}, false, (*api).deletePlugin},
	{"POST", "/api/v1/plugins/:name/rollback", "plugins", "Make an earlier version current again", nil, nil, PluginTarget{}, 200, PluginInfo{}, false, (*api).rollbackPlugin},
	{"PUT", "/api/v1/plugins/:name/aliases/:alias", "plugins", "Point an alias to a version", nil, nil, PluginTarget{}, 200, PluginInfo{}, false, (*api).setPluginAlias},
	{"DELETE", "/api/v1/plugins/:name/aliases/:alias", "plugins", "Delete an alias that nothing uses", nil, nil, nil, 200, PluginInfo{}, false, (*api).deletePluginAlias},

	{"GET", "/api/v1/parameters", "plugins", "The latest version of every fitted parameter document", nil, nil, nil, 200, Items[fit.Document]{}, false, (*api).listParameters},
	{"POST", "/api/v1/parameters/:name", "plugins", "Learn a plugin's parameters from a data set; the next version of the document", nil, nil, fit.Request{}, 200, fit.Document{}, false, (*api).fitParameters},
	{"GET", "/api/v1/parameters/:ref", "plugins", "One document: name, name@3 or name@latest", nil, nil, nil, 200, fit.Document{}, false, (*api).getParameters},
	{"DELETE", "/api/v1/parameters/:ref", "plugins", "Forget one version (name@3) or a whole document (name) that nothing uses", nil, nil, nil, 204, nil, false, (*api).deleteParameters},
	{"GET", "/api/v1/parameters/:name/versions", "plugins", "All versions of a document, oldest first", nil, nil, nil, 200, Items[fit.Document]{}, false, (*api).parameterVersions},

	{"GET", "/api/v1/functions", "functions", "Status of all functions", nil, nil, nil, 200, Items[functions.Status]{}, false, (*api).listFunctions},
	{"GET", "/api/v1/functions/:name", "functions", "Status of one function", nil, nil, nil, 200, functions.Status{}, false, (*api).getFunction},
	{"POST", "/api/v1/functions/:name/invoke", "functions", "Invoke a function, as /fn/{name} does", nil, nil, media(anyBytes), 200, media(anyBytes), false, nil},
	{"GET", "/api/v1/functions/:name/dead-letters", "functions", "Events that the function gave up on, oldest first", []param{{"from", "integer", "The first sequence; 0 = the oldest"}, limitParam}, nil, nil, 200, Items[functions.DeadLetter]{}, false, (*api).deadLetters},
	{"POST", "/api/v1/functions/:name/dead-letters/:seq/replay", "functions", "Send a dead letter through the function again", nil, nil, nil, 200, Replayed{}, false, (*api).replay},

	{"GET", "/api/v1/datasets", "datasets", "The latest version of every data set", nil, nil, nil, 200, Items[datasets.Version]{}, false, (*api).listDatasets},
	{"POST", "/api/v1/datasets/:name", "datasets", "Import a CSV or Parquet file as the next version", []param{{"format", "string", "csv or parquet; default: by Content-Type"}, {"source", "string", "Where the data comes from, in your words"}, {"path", "string", "A file of the server's machine, below its data root, instead of a body"}}, nil, media(anyBytes), 200, datasets.Version{}, true, (*api).importDataset},
	{"GET", "/api/v1/datasets/:ref", "datasets", "One version: name, name@3 or name@latest", nil, nil, nil, 200, datasets.Version{}, false, (*api).getDataset},
	{"DELETE", "/api/v1/datasets/:ref", "datasets", "Forget one version (name@3) or a whole data set (name)", nil, nil, nil, 204, nil, false, (*api).deleteDataset},
	{"GET", "/api/v1/datasets/:name/versions", "datasets", "All versions of a data set, oldest first", nil, nil, nil, 200, Items[datasets.Version]{}, false, (*api).datasetVersions},
	{"GET", "/api/v1/datasets/:ref/data", "datasets", "The data: a Parquet file, or some rows as JSON or CSV", []param{{"format", "string", "parquet (default), json or csv"}, {"limit", "integer", "Rows of json and csv; default 100, at most 10000"}, {"columns", "string", "Names joined by commas, for json and csv"}}, nil, nil, 200, media(parquetType), false, (*api).datasetData},
	{"POST", "/api/v1/datasets/:name/build", "datasets", "Build the next version from others by SQL", nil, nil, Build{}, 200, datasets.Version{}, false, (*api).buildDataset},

	{"GET", "/api/v1/streams", "events", "Streams and their present state", nil, nil, nil, 200, Items[StreamInfo]{}, false, (*api).streams},
	{"POST", "/api/v1/events/:subject", "events", "Publish an event; with ?batch=ndjson one a line. Answered when all are durable",
		[]param{{"batch", "string", "ndjson"}}, []param{{"Weir-Message-Id", "string", "Stored once under this id; single events only"}}, media("application/json"), 200, Published{}, false, (*api).publish},
	{"GET", "/api/v1/events/:subject", "events", "Stored events of a subject (wildcards allowed), in order", []param{{"after", "integer", "A sequence; 0 = from the beginning"}, limitParam, {"wait", "string", "Time to wait for a first event, for example 2s; at most 60s"}}, nil, nil, 200, EventPage{}, false, (*api).readEvents},

	{"GET", "/api/v1/models", "models", "Status of all models", nil, nil, nil, 200, Items[serving.ModelStatus]{}, false, (*api).listModels},
	{"GET", "/api/v1/models/:name", "models", "Status of one model", nil, nil, nil, 200, serving.ModelStatus{}, false, (*api).getModel},

	{"POST", "/api/v1/monitors/:name/run", "monitors", "Compare a data set version with the monitor's reference", nil, nil, MonitorRun{}, 200, monitor.Report{}, false, (*api).runMonitor},
	{"GET", "/api/v1/monitors/:name/reports", "monitors", "Reports, newest first", []param{limitParam}, nil, nil, 200, Items[monitor.Report]{}, false, (*api).monitorReports},
	{"GET", "/api/v1/monitors/:name/reports/:id", "monitors", "One report", nil, nil, nil, 200, monitor.Report{}, false, (*api).monitorReport},

	{"POST", "/api/v1/gates/:name/evaluate", "gates", "Judge a candidate. The outcome is in the body: pass, fail, review, or error when it could not be judged", nil, nil, gates.Evaluation{}, 200, gates.Decision{}, false, (*api).evaluate},
	{"GET", "/api/v1/gates/:name/decisions", "gates", "Decisions, newest first", []param{limitParam}, nil, nil, 200, Items[gates.Decision]{}, false, (*api).decisions},
	{"GET", "/api/v1/gates/:name/decisions/:id", "gates", "One decision", nil, nil, nil, 200, gates.Decision{}, false, (*api).decision},
}

type api struct{ d Deps }

// Register adds the API, its description and its page to the server.
func Register(s *httpd.Server, d Deps) {
	a := &api{d}
	for _, o := range operations {
		if o.handle == nil {
			continue
		}
		var limit int64
		if o.upload {
			limit = d.UploadLimit
		}
		s.Add(httpd.Route{Method: o.method, Path: o.path, Protocol: "rest", MaxBody: limit, Handle: func(c *httpd.Call) error { return o.handle(a, c) }})
	}
	description := OpenAPI()
	page := docsPage()
	s.Add(httpd.Route{Method: http.MethodGet, Path: "/openapi.json", Protocol: "rest", Handle: func(c *httpd.Call) error {
		return c.Bytes(200, "application/json", description)
	}}, httpd.Route{Method: http.MethodGet, Path: "/docs", Protocol: "rest", Handle: func(c *httpd.Call) error {
		c.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		return c.Bytes(200, "text/html; charset=utf-8", page)
	}})
}

func (a *api) info(c *httpd.Call) error {
	i := a.d.Info()
	i.PID = os.Getpid()
	return c.JSON(200, i)
}
