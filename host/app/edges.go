package app

import (
	"context"
	"io/fs"
	"os"
	"slices"

	"github.com/weir-ml/weir/functions/functionskv"
	"github.com/weir-ml/weir/host/edge/fn"
	"github.com/weir-ml/weir/host/edge/grpcd"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/edge/predict"
	"github.com/weir-ml/weir/host/edge/probe"
	"github.com/weir-ml/weir/host/edge/rest"
	"github.com/weir-ml/weir/host/edge/rest/restkv"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/serving"
)

// openEdges puts every protocol's room on the two ports and binds them.
func (a *App) openEdges(context.Context) error {
	reg := a.metrics.Registerer()
	a.http = httpd.New(httpd.Options{
		BodyLimit: a.cfg.BodyLimitBytes, MaxConnections: a.cfg.MaxConnections, ReadTimeout: a.cfg.ReadTimeout.Std(), IdleTimeout: a.cfg.IdleTimeout.Std(),
		RequestTimeout: a.cfg.RequestTimeout.Std(), DrainTimeout: a.cfg.DrainTimeout.Std(), Logger: a.log, Registerer: reg,
	})
	a.onClose(a.http.Close)
	probe.Register(a.http, probe.Deps{
		ModelLoaded: a.modelLoaded, Metrics: a.metrics.Handler(), Jsz: a.kv.Jsz(),
	})
	predict.Register(a.http, predict.Deps{Models: a.serving})
	fn.Register(a.http, fn.Deps{Functions: a.functions})
	var files fs.FS
	if a.cfg.DataRoot != "" {
		root, err := os.OpenRoot(a.cfg.DataRoot)
		if err != nil {
			return errs.New(errs.Invalid, "data_root: %w", err)
		}
		a.onClose(root.Close)
		files = root.FS()
	}
	rest.Register(a.http, rest.Deps{
		Files: files, Info: a.info, UploadLimit: a.cfg.UploadLimitBytes, Resources: a.resources, Blobs: a.kv.Blobs(), Plugins: lifecycle{a.catalog, a.resources}, PluginVersions: lifecycle{a.catalog, a.resources},
		Functions: a.functions, Datasets: a.datasets, Events: restkv.New(a.kv, a.streams),
		Models: a.serving, Monitors: a.monitor, Gates: a.gates, Fits: a.fits,
	})
	if err := a.http.Listen(a.cfg.HTTP); err != nil {
		return err
	}
	a.grpc = grpcd.New(grpcd.Options{
		MessageBytes: a.cfg.GRPCMessageBytes, RequestTimeout: a.cfg.RequestTimeout.Std(), DrainTimeout: a.cfg.DrainTimeout.Std(), Logger: a.log, Registerer: reg,
	})
	a.onClose(a.grpc.Close)
	return a.grpc.Listen(a.cfg.GRPC)
}

func (a *App) modelLoaded() bool {
	return slices.ContainsFunc(a.serving.Models(), func(m serving.ModelStatus) bool { return m.State == serving.Ready })
}

func (a *App) info() rest.Info {
	i := rest.Info{Version: a.o.Version, HTTP: a.HTTPAddr(), GRPC: a.GRPCAddr(), Started: a.began}
	if a.modelLoaded() { // asking opens ONNX Runtime
		if d, err := a.onnx.Devices(); err == nil {
			i.Devices = d
		}
	}
	return i
}

// streams names the streams that hold users' events: what event functions take in, and what they answer.
func (a *App) streams() []string {
	var names []string
	for _, f := range a.functions.Names() {
		st, err := a.functions.Status(context.Background(), f)
		if err == nil && st.Event != nil {
			names = append(names, st.Event.Stream, functionskv.StreamName(f))
		}
	}
	return names
}
