package rest

import (
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/monitor"
)

// MonitorRun is the body of a monitor's run.
type MonitorRun struct {
	Current string `json:"current" jsonschema:"description=The data set version to look at: name, name@3 or name@latest"`
}

func (a *api) runMonitor(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	r, err := decode[MonitorRun](c)
	if err != nil {
		return err
	}
	if r.Current == "" {
		return errs.New(errs.Invalid, "body: current is missing: name the data set version to look at")
	}
	rep, err := a.d.Monitors.Run(c.Context(), name, monitor.Current{Dataset: r.Current})
	return answer(c, 200, rep, err)
}

func (a *api) monitorReports(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	n, err := limit(c, 20, 1000)
	if err != nil {
		return err
	}
	v, err := list(a.d.Monitors.Reports(c.Context(), name, n))
	return answer(c, 200, v, err)
}

func (a *api) monitorReport(c *httpd.Call) error {
	name, id, err := two(c, "name", "id")
	if err != nil {
		return err
	}
	r, err := a.d.Monitors.Report(c.Context(), id)
	if err == nil && r.Monitor != name {
		err = errs.New(errs.NotFound, "monitor %q has no report %q", name, id)
	}
	return answer(c, 200, r, err)
}

func (a *api) evaluate(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	e, err := decode[gates.Evaluation](c)
	if err != nil {
		return err
	}
	d, err := a.d.Gates.Evaluate(c.Context(), name, e)
	if err != nil && d.ID != "" {
		err = nil // the decision is stored: its outcome is "error", with the reason
	}
	return answer(c, 200, d, err)
}

func (a *api) decisions(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	n, err := limit(c, 20, 1000)
	if err != nil {
		return err
	}
	v, err := list(a.d.Gates.Decisions(c.Context(), name, n))
	return answer(c, 200, v, err)
}

func (a *api) decision(c *httpd.Call) error {
	name, id, err := two(c, "name", "id")
	if err != nil {
		return err
	}
	d, err := a.d.Gates.Decision(c.Context(), id)
	if err == nil && d.Gate != name {
		err = errs.New(errs.NotFound, "gate %q has no decision %q", name, id)
	}
	return answer(c, 200, d, err)
}
