package plugin

import (
	"sort"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

type signature struct{ params, results []api.ValueType }

func sig(result api.ValueType, params ...api.ValueType) signature {
	return signature{params, []api.ValueType{result}}
}

// required are the exports of every module, and worldExports those of each world; ABI.md is the list for people.
var required = map[string]signature{
	"weir_abi_version": sig(i32),
	"weir_alloc":       sig(i32, i32),
	"weir_free":        {params: []api.ValueType{i32, i32}},
	"weir_describe":    sig(i64),
	"weir_init":        sig(i32, i32, i32),
	"weir_schema":      sig(i64),
	"weir_error":       sig(i64),
}

var worldExports = map[abi.World]map[string]signature{
	abi.WorldTransform: {"weir_transform": sig(i32, i32)},
	abi.WorldMetric: {
		"weir_metric_update": sig(i32, i32, i32),
		"weir_metric_state":  sig(i64),
		"weir_metric_merge":  sig(i32, i32, i32),
		"weir_metric_finish": sig(i64),
		"weir_metric_reset":  sig(i32),
	},
	abi.WorldGate:    {"weir_gate": sig(i64, i32, i32)},
	abi.WorldHandler: {"weir_handle": sig(i64, i32, i32)},
}

// checkInterface checks imports, memory and the exports that every module has. Errors are faults of kind Invalid.
func checkInterface(m wazero.CompiledModule, l Limits) error {
	foreign := isExtism(m)
	for _, f := range m.ImportedFunctions() {
		mod, name, _ := f.Import()
		if foreign && (mod == extismEnvModule || mod == extismUserModule) {
			if err := checkExtism(f); err != nil {
				return err
			}
			continue
		}
		if mod != "wasi_snapshot_preview1" && mod != fuelModule && mod != hostModule && (mod != abortModule || name != abortName) {
			return faultf(errs.Invalid, causeTrap, "it imports %s.%s: only wasi_snapshot_preview1, weir:host and env.abort are to be had", mod, name)
		}
	}
	mem, ok := m.ExportedMemories()["memory"]
	if !ok {
		return faultf(errs.Invalid, causeTrap, `it does not export its memory as "memory"`)
	}
	if need := int64(mem.Min()) << 16; need > l.MemoryBytes {
		return faultf(errs.Exhausted, causeMemory, "its memory begins with %d bytes, more than the limit of %d", need, l.MemoryBytes)
	}
	if foreign {
		return nil
	}
	exports := m.ExportedFunctions()
	for _, name := range sortedKeys(required) {
		if err := checkExport(exports, name, required[name]); err != nil {
			return err
		}
	}
	return nil
}

// checkWorlds checks the exports of the worlds that a description claims.
func checkWorlds(m wazero.CompiledModule, d abi.Description) error {
	if len(d.Worlds) == 0 {
		return faultf(errs.Invalid, causeOutput, "its description names no world: use transform, metric, gate or handler")
	}
	for _, w := range d.Worlds {
		want, ok := worldExports[w]
		if !ok {
			return faultf(errs.Invalid, causeOutput, "its description names the unknown world %q: use transform, metric, gate or handler", w)
		}
		for _, name := range sortedKeys(want) {
			if err := checkExport(m.ExportedFunctions(), name, want[name]); err != nil {
				return err
			}
		}
	}
	return checkRow(m)
}

// checkRow checks the optional entry for single rows.
func checkRow(m wazero.CompiledModule) error {
	if _, ok := m.ExportedFunctions()[exportNames[fnRow]]; ok {
		return checkExport(m.ExportedFunctions(), exportNames[fnRow], sig(i32, i32))
	}
	return nil
}

func checkExport(exports map[string]api.FunctionDefinition, name string, want signature) error {
	f, ok := exports[name]
	if !ok {
		return faultf(errs.Invalid, causeTrap, "it does not export the function %s", name)
	}
	if !sameTypes(f.ParamTypes(), want.params) || !sameTypes(f.ResultTypes(), want.results) {
		return faultf(errs.Invalid, causeTrap, "its export %s is (%s) → (%s), not (%s) → (%s)", name,
			typeNames(f.ParamTypes()), typeNames(f.ResultTypes()), typeNames(want.params), typeNames(want.results))
	}
	return nil
}

func sameTypes(a, b []api.ValueType) bool { return string(a) == string(b) }

func typeNames(ts []api.ValueType) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = api.ValueTypeName(t)
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// nameOK reports whether a plugin name is lower-case words and digits joined by dashes, at most 64 bytes.
func nameOK(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
