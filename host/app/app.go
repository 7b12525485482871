// Package app is the composition root: the one place that knows every room, and the list of which is plugged into which.
// app.go reads top to bottom: open state, build engines, build domain rooms, build edges, run. Nothing but cmd and tests
// imports it, and it decides nothing that a room could decide.
//
// Read app.go first, then ports.go (small interfaces filled), kinds.go (what manifests mean) and datadir.go.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/oklog/run"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/functionskv"
	versions "github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/catalog/catalogkv"
	"github.com/weir-ml/weir/host/config"
	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/datasets/datasetsduck"
	"github.com/weir-ml/weir/host/datasets/datasetskv"
	"github.com/weir-ml/weir/host/edge/grpcd"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/host/fit/fitkv"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/gates/gateskv"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/monitor/monitorkv"
	"github.com/weir-ml/weir/host/offline"
	"github.com/weir-ml/weir/host/onnx"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/resource/resourcekv"
	"github.com/weir-ml/weir/host/serving"
	"github.com/weir-ml/weir/host/telemetry"
	"github.com/weir-ml/weir/kv"
)

// App is one weir: everything opened and wired. Make it with New, serve with Run, release with Close.
type App struct {
	cfg     config.Config
	o       Options
	log     *slog.Logger
	began   time.Time
	metrics *telemetry.Metrics

	data *dataDir
	kv   *kv.Store

	plugins *plugin.Host
	catalog *catalog
	onnx    *onnx.Runtime
	offline *offline.Engine

	datasets  *datasets.Service
	fits      *fit.Service
	serving   *serving.Service
	functions *functions.Service
	monitor   *monitor.Service
	gates     *gates.Service
	resources *resource.Service
	enacted   bool // what was applied before this start is; guarded by the resources' write lock and, before Run, by nobody else being there

	http *httpd.Server
	grpc *grpcd.Server

	closers []func() error // in the order of opening
}

// Options are what a program gives its weir beside the configuration.
type Options struct {
	Version string // shown in metrics, the ready line and /api/v1/info
	// ModelTrial is a command that calls TryModel with its standard input; each new model is run by it once before this
	// process loads it. nil: models are loaded untried.
	ModelTrial []string
}

// New opens the data folder and everything in it, enacts what is applied there, and binds the ports; it does not answer
// requests yet. Errors are errs kinds: Conflict when another process has the folder, Unavailable when its data does not
// read or a port is taken. Nothing is left open after an error.
func New(ctx context.Context, cfg config.Config, o Options, log *slog.Logger) (*App, error) {
	a := &App{cfg: cfg, o: o, log: log, began: time.Now(), metrics: telemetry.NewMetrics(o.Version)}
	for _, open := range []func(context.Context) error{a.openState, a.openEngines, a.openRooms, a.openEdges, a.enact} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

func (a *App) onClose(f func() error) { a.closers = append(a.closers, f) }

// openState takes the data folder and starts the embedded NATS.
func (a *App) openState(ctx context.Context) (err error) {
	if a.data, err = openDataDir(a.cfg.Data); err != nil {
		return err
	}
	a.onClose(a.data.Close)
	if a.kv, err = kv.Open(ctx, kv.Options{Dir: a.data.join("store"), Listen: a.cfg.NATSListen, Logger: a.log, Registerer: a.metrics.Registerer()}); err != nil {
		return fmt.Errorf("open data folder %s: %w", a.data.path, err)
	}
	a.onClose(a.kv.Close)
	return nil
}

// openEngines makes the rooms that hold wazero, ONNX Runtime and DuckDB; the last two load on first use.
func (a *App) openEngines(ctx context.Context) (err error) {
	ceiling := pluginCeilings(a.cfg)
	services, err := a.pluginServices(ctx)
	if err != nil {
		return err
	}
	if a.plugins, err = plugin.New(plugin.Options{
		CacheDir: a.data.join("cache", "plugins"), Logger: a.log, Registerer: a.metrics.Registerer(),
		Defaults: plugin.Limits{MaxInstances: ceiling.MaxInstances}, Ceilings: ceiling, Services: services,
	}); err != nil {
		return err
	}
	a.onClose(a.plugins.Close)
	known, err := catalogkv.Open(ctx, a.kv)
	if err != nil {
		return err
	}
	names, err := versions.New(ctx, known, nil)
	if err != nil {
		return err
	}
	a.catalog = newCatalog(a.plugins, a.kv.Blobs(), names, ceiling)
	if a.catalog.grantCeiling, err = plugin.ParseCeiling(a.cfg.PluginGrants); err != nil {
		return errs.New(errs.Invalid, "plugin_grants: %w", err)
	}
	a.onnx = onnx.New(onnx.Options{LibraryPath: a.cfg.ONNXRuntimeLib, Logger: a.log})
	a.onClose(a.onnx.Close)
	if a.offline, err = offline.Open(offline.Options{
		TempDir: a.data.join("tmp"), MemoryLimit: a.cfg.DuckDBMemoryLimit, Threads: a.cfg.DuckDBThreads, Logger: a.log,
	}); err != nil {
		return err
	}
	a.onClose(a.offline.Close)
	return nil
}

// openRooms builds the domain rooms on their adapters.
func (a *App) openRooms(ctx context.Context) error {
	reg := a.metrics.Registerer()

	versions, err := datasetskv.Open(ctx, a.kv)
	if err != nil {
		return err
	}
	if a.datasets, err = datasets.New(datasets.Options{
		Engine: datasetsduck.New(a.offline), Blobs: a.kv.Blobs(), Store: versions, Plugins: datasetPlugins{a.catalog},
		TempDir: a.data.join("tmp"), MaxBytes: a.cfg.UploadLimitBytes, Logger: a.log,
	}); err != nil {
		return err
	}

	fitted, err := fitkv.Open(ctx, a.kv)
	if err != nil {
		return err
	}
	if a.fits, err = fit.New(fit.Options{
		Data: fitData{a.datasets}, Plugins: fitPlugins{a.catalog}, Store: fitted, Users: parameterUsers(func() *resource.Service { return a.resources }), Logger: a.log,
	}); err != nil {
		return err
	}
	a.catalog.documents = a.fits

	if a.serving, err = serving.New(serving.Options{
		Loader: modelLoader{a.onnx, a.trials()}, Plugins: servingPlugins{a.catalog}, Blobs: a.kv.Blobs(), StrictDevices: a.cfg.StrictDevices,
		Logger: a.log, Registerer: reg,
	}); err != nil {
		return err
	}
	a.onClose(a.serving.Close)

	if a.functions, err = functions.New(functions.Options{
		Plugins: functionPlugins{a.catalog}, Predictor: predictor{a.serving}, Events: functionskv.New(functionskv.Options{KV: a.kv, Logger: a.log}),
		Logger: a.log, Registerer: reg, DrainTimeout: a.cfg.DrainTimeout.Std(),
	}); err != nil {
		return err
	}
	a.onClose(a.functions.Close)

	reports, err := monitorkv.Open(ctx, a.kv)
	if err != nil {
		return err
	}
	if a.monitor, err = monitor.New(monitor.Options{
		Datasets: monitorDatasets{a.datasets}, Metrics: metricPlugins{a.catalog}, Reports: reports, Cache: reports, Logger: a.log, Registerer: reg,
	}); err != nil {
		return err
	}

	decisions, err := gateskv.Open(ctx, a.kv)
	if err != nil {
		return err
	}
	if a.gates, err = gates.New(gates.Options{Judges: gatePlugins{a.catalog}, Store: decisions, Logger: a.log, Registerer: reg}); err != nil {
		return err
	}

	objects, err := resourcekv.New(ctx, a.kv)
	if err != nil {
		return err
	}
	a.resources = resource.New(objects, a.log, a.kinds()...)
	return nil
}

func (a *App) trials() modelTrials {
	return modelTrials{command: a.o.ModelTrial, passed: a.data.join("cache", "trials"), log: a.log.With("room", "app")}
}

// enact makes real what is applied in the data folder and what the model folders hold.
func (a *App) enact(ctx context.Context) error {
	for _, dir := range a.cfg.Models {
		names, err := a.serving.AddFolder(ctx, dir)
		if len(names) == 0 && err != nil {
			return fmt.Errorf("models from %s: %w", dir, err)
		}
		if err != nil { // some loaded: those that did not are listed as failed
			a.log.Warn("models of a folder did not load", "folder", dir, "error", err)
		}
	}
	if err := a.resources.Start(ctx); err != nil {
		return err
	}
	a.enacted = true
	return a.catalog.settle(ctx)
}

// HTTPAddr is the bound address of the HTTP port, host:port.
func (a *App) HTTPAddr() string { return a.http.Addr() }

// GRPCAddr is the bound address of the gRPC port, host:port.
func (a *App) GRPCAddr() string { return a.grpc.Addr() }

// Ready is what `weir up` prints and DIR/weir.json holds.
type Ready struct {
	Event   string  `json:"event"` // "ready"
	HTTP    string  `json:"http"`
	GRPC    string  `json:"grpc"`
	PID     int     `json:"pid"`
	Version string  `json:"version"`
	ReadyMS float64 `json:"ready_ms"` // from New to here
}

// Run serves until ctx ends, then drains: ports refuse new work, running requests end, consumers finish their batch. ready
// is called once, when the ports answer and DIR/weir.json is written.
func (a *App) Run(ctx context.Context, ready func(Ready)) error {
	r := Ready{Event: "ready", HTTP: a.HTTPAddr(), GRPC: a.GRPCAddr(), PID: os.Getpid(), Version: a.o.Version, ReadyMS: float64(time.Since(a.began).Microseconds()) / 1000}
	if err := a.data.writeDurably(readyFile, r); err != nil {
		return err
	}
	var g run.Group
	actor := func(serve func(context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
		g.Add(func() error { return serve(ctx) }, func(error) { cancel() })
	}
	actor(a.http.Run)
	actor(a.grpc.Run)
	a.grpc.SetReady(true)
	if ready != nil {
		ready(r)
	}
	if err := g.Run(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// Close releases everything in the reverse order of opening. It is safe twice.
func (a *App) Close() error {
	var err error
	for len(a.closers) > 0 {
		last := len(a.closers) - 1
		err = errors.Join(err, a.closers[last]())
		a.closers = a.closers[:last]
	}
	return err
}
