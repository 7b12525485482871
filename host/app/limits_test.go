package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/config"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
)

// TestPluginLimits: each limit of a manifest reaches the engine, and one above the operator's ceiling is refused by both names.
func TestPluginLimits(t *testing.T) {
	var spec PluginSpec
	doc := `{"blob":"sha256:` + strings.Repeat("0", 64) + `","limits":{"memory_bytes":1,"timeout":"2ms","max_instances":3,"idle_after":"4ms","fuel_per_call":5,"fuel_per_second":6,
		"max_output_bytes":7,"log_per_second":8,"host_call_timeout":"9ms"}}`
	if err := json.Unmarshal([]byte(doc), &spec); err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	ms := time.Millisecond
	want := plugin.Limits{MemoryBytes: 1, Timeout: 2 * ms, MaxInstances: 3, IdleAfter: 4 * ms, Fuel: 5, FuelPerSecond: 6, MaxOutputBytes: 7, LogPerSecond: 8, HostCallTimeout: 9 * ms}
	if got := spec.Limits.engine(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	spec.Limits.FuelPerSecond = -1
	if err := spec.Validate(); !errs.Is(err, errs.Invalid) {
		t.Errorf("a negative limit: %v", err)
	}

	cfg := config.Default()
	c := &catalog{ceiling: pluginCeilings(cfg)}
	if err := c.allow(plugin.Limits{FuelPerSecond: 1 << 60}); err != nil {
		t.Errorf("without a ceiling: %v", err)
	}
	cfg.PluginFuelPerSecond = 1000
	c.ceiling = pluginCeilings(cfg)
	if err := c.allow(c.ceiling); err != nil {
		t.Errorf("at the ceilings: %v", err)
	}
	for key, l := range map[string]plugin.Limits{
		"plugin_memory_bytes": {MemoryBytes: 1 << 40}, "plugin_timeout": {Timeout: time.Hour}, "plugin_max_instances": {MaxInstances: 1 << 20},
		"plugin_fuel_per_call": {Fuel: 1 << 60}, "plugin_fuel_per_second": {FuelPerSecond: 1001}, "plugin_output_bytes": {MaxOutputBytes: 1 << 40},
		"plugin_log_per_second": {LogPerSecond: 1 << 20}, "plugin_host_call_timeout": {HostCallTimeout: time.Hour},
	} {
		if err := c.allow(l); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
