package fuel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
)

// The core specification's tests lie in wazero's module as JSON and wasm: they are read from there. Every assertion runs on
// the module as it is and on the rewritten one with ample fuel, and the two must agree.

type specFile struct {
	Source   string        `json:"source_filename"`
	Commands []specCommand `json:"commands"`
}

type specCommand struct {
	Type       string     `json:"type"`
	Line       int        `json:"line"`
	Name       string     `json:"name"`
	Filename   string     `json:"filename"`
	As         string     `json:"as"`
	Action     specAction `json:"action"`
	Expected   []specVal  `json:"expected"`
	ModuleType string     `json:"module_type"`
	Text       string     `json:"text"`
}

type specAction struct {
	Type   string    `json:"type"`
	Field  string    `json:"field"`
	Module string    `json:"module"`
	Args   []specVal `json:"args"`
}

type specVal struct {
	Type  string `json:"type"`
	Lane  string `json:"lane_type"`
	Value any    `json:"value"`
}

type specCounts struct {
	files, modules, functions, returns, traps, exhaustions, refused, memories, nans, refills int
}

// specDir finds the suite in the module cache.
func specDir(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		tb.Fatalf("find wazero's module, which carries the specification's tests: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

func TestCoreSpecification(t *testing.T) {
	dir := specDir(t)
	var all specCounts
	for _, v := range []struct {
		name     string
		features api.CoreFeatures
	}{{"v1", api.CoreFeaturesV1}, {"v2", api.CoreFeaturesV2}} {
		names, err := filepath.Glob(filepath.Join(dir, v.name, "testdata", "*.json"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no tests of the specification in %s/%s: %v", dir, v.name, err)
		}
		for _, name := range names {
			s := &specRun{t: t, dir: filepath.Dir(name), name: v.name + "/" + strings.TrimSuffix(filepath.Base(name), ".json"), counts: &all}
			s.run(name, filepath.Join(dir, "testdata", "spectest.wasm"), v.features)
			all.files++
		}
	}
	t.Logf("%d files, %d modules, %d functions; %d returns, %d traps, %d stack overflows agree; %d malformed or invalid modules refused; %d final memories agree; %d results NaN of free payload; %d refills",
		all.files, all.modules, all.functions, all.returns, all.traps, all.exhaustions, all.refused, all.memories, all.nans, all.refills)
	for _, f := range []struct {
		what        string
		have, floor int
	}{{"files", all.files, 220}, {"modules", all.modules, 2_400}, {"functions", all.functions, 9_000}, {"returns", all.returns, 61_000}, {"traps", all.traps, 2_800}, {"refused modules", all.refused, 4_500}, {"memories", all.memories, 450}} {
		if f.have < f.floor {
			t.Errorf("only %d %s were run, expected %d at least", f.have, f.what, f.floor)
		}
	}
}

// specRun runs one file on two runtimes.
type specRun struct {
	t         *testing.T
	dir, name string
	counts    *specCounts
	meter     *Meter
	ctx       context.Context
	rts       [2]wazero.Runtime
	last      [2]api.Module
	named     map[string][2]api.Module
	all       [][2]api.Module
}

func (s *specRun) run(path, spectest string, features api.CoreFeatures) {
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	var f specFile
	if err := json.Unmarshal(raw, &f); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	host, err := os.ReadFile(spectest)
	if err != nil {
		s.t.Fatal(err)
	}
	s.meter = NewMeter(100) // so that the way through refill is taken often
	s.ctx = s.meter.Context(context.Background())
	s.meter.Start(context.Background(), MaxBudget, time.Time{})
	s.named = map[string][2]api.Module{}
	for i := range s.rts {
		if i == 1 {
			features = api.CoreFeaturesV2 // what is added has functions of several results
		}
		s.rts[i] = wazero.NewRuntimeWithConfig(s.ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
		defer s.rts[i].Close(s.ctx)
		if _, err := s.rts[i].InstantiateWithConfig(s.ctx, host, wazero.NewModuleConfig()); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := Instantiate(s.ctx, s.rts[1]); err != nil {
		s.t.Fatal(err)
	}
	for i := range f.Commands {
		as := ""
		if i+1 < len(f.Commands) && f.Commands[i+1].Type == "register" {
			as = f.Commands[i+1].As
		}
		s.command(&f.Commands[i], as)
	}
	for _, pair := range s.all {
		if a, b := pair[0].Memory(), pair[1].Memory(); !reflect.ValueOf(a).IsNil() { // wazero answers a typed nil
			x, _ := a.Read(0, a.Size())
			y, _ := b.Read(0, b.Size())
			if string(x) != string(y) {
				s.t.Errorf("%s: the memories differ at the end", s.name)
			}
			s.counts.memories++
		}
	}
	s.counts.refills += int(s.meter.Refills())
}

func (s *specRun) command(c *specCommand, as string) {
	where := fmt.Sprintf("%s:%d %s", s.name, c.Line, c.Type)
	switch c.Type {
	case "module", "assert_uninstantiable":
		wasm := s.file(c.Filename)
		out, report, err := Rewrite(wasm, Options{})
		if err != nil {
			s.t.Errorf("%s: %v", where, err)
			return
		}
		s.counts.modules++
		s.counts.functions += report.Functions
		var pair [2]api.Module
		var fails [2]error
		for k, b := range [][]byte{wasm, out} {
			pair[k], fails[k] = s.rts[k].InstantiateWithConfig(s.ctx, b, wazero.NewModuleConfig().WithName(as))
		}
		if trapText(fails[0]) != trapText(fails[1]) {
			s.t.Errorf("%s: original: %v; rewritten: %v", where, fails[0], fails[1])
			return
		}
		if c.Type == "assert_uninstantiable" {
			s.counts.traps++
			return
		}
		if fails[0] != nil {
			s.t.Errorf("%s: %v", where, fails[0])
			return
		}
		s.last = pair
		s.all = append(s.all, pair)
		if c.Name != "" {
			s.named[c.Name] = pair
		}
	case "assert_malformed", "assert_invalid":
		if c.ModuleType == "text" {
			return
		}
		if _, _, err := Rewrite(s.file(c.Filename), Options{}); err == nil {
			// Version 1's invalid modules may be valid in version 2.
			if !strings.HasPrefix(s.name, "v1/") {
				s.t.Errorf("%s: %s was rewritten", where, c.Filename)
			}
		} else if !errs.Is(err, errs.Invalid) {
			s.t.Errorf("%s: %v is not of kind invalid", where, err)
		} else {
			s.counts.refused++
		}
	case "assert_return", "action", "assert_trap", "assert_exhaustion":
		s.act(where, c)
	case "register", "assert_unlinkable":
	default:
		s.t.Errorf("%s: unknown command", where)
	}
}

func (s *specRun) file(name string) []byte {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *specRun) act(where string, c *specCommand) {
	pair := s.last
	if c.Action.Module != "" {
		pair = s.named[c.Action.Module]
	}
	if pair[0] == nil {
		s.t.Errorf("%s: no module", where)
		return
	}
	if c.Action.Type == "get" {
		if a, b := pair[0].ExportedGlobal(c.Action.Field).Get(), pair[1].ExportedGlobal(c.Action.Field).Get(); a != b {
			s.t.Errorf("%s %s: %#x, rewritten %#x", where, c.Action.Field, a, b)
		}
		s.counts.returns++
		return
	}
	var args []uint64
	for _, v := range c.Action.Args {
		args = append(args, v.bits(s.t)...)
	}
	var got [2][]uint64
	var fails [2]error
	var types []api.ValueType
	for k := range pair {
		f := pair[k].ExportedFunction(c.Action.Field)
		types = f.Definition().ResultTypes()
		got[k], fails[k] = f.Call(s.ctx, args...)
	}
	where += " " + c.Action.Field
	if a, b := trapText(fails[0]), trapText(fails[1]); a != b {
		s.t.Errorf("%s: original: %s; rewritten: %s", where, a, b)
		return
	}
	switch c.Type {
	case "assert_trap", "assert_exhaustion":
		if fails[0] == nil {
			s.t.Errorf("%s: it did not trap", where)
		}
		if c.Type == "assert_trap" {
			s.counts.traps++
		} else {
			s.counts.exhaustions++
		}
		return
	}
	if fails[0] != nil {
		s.t.Errorf("%s: %v", where, fails[0])
		return
	}
	s.counts.returns++
	if len(got[0]) != len(got[1]) {
		s.t.Errorf("%s: %x, rewritten %x", where, got[0], got[1])
		return
	}
	slot := 0
	for i, typ := range types {
		n := 1
		if typ == 0x7b {
			n = 2
		}
		for range n {
			a, b := got[0][slot], got[1][slot]
			slot++
			if typ == 0x70 { // addresses of function instances
				a, b = min(a, 1), min(b, 1)
			}
			if a == b {
				continue
			}
			if i < len(c.Expected) && strings.Contains(fmt.Sprint(c.Expected[i].Value), "nan:") {
				s.counts.nans++ // the specification leaves the payload open
				continue
			}
			s.t.Errorf("%s: result %d is %#x, rewritten %#x", where, i, a, b)
		}
	}
}

// trapText is the kind of a trap: wazero's first line, which does not depend on where it happened.
func trapText(err error) string {
	if err == nil {
		return ""
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	if _, after, found := strings.Cut(text, "] failed: "); found && strings.HasPrefix(text, "start function[") {
		text = after // its index differs
	}
	if errors.Is(err, ErrExhausted) || errors.Is(err, ErrDeadline) {
		return "stopped: " + text
	}
	return text
}

// bits is a value as wazero passes it.
func (v specVal) bits(t *testing.T) []uint64 {
	one := func(typ string, x any) uint64 {
		text, _ := x.(string)
		switch {
		case x == nil || text == "null":
			return 0
		case text == "nan:canonical" && strings.Contains(typ, "32"):
			return 0x7fc00000
		case text == "nan:canonical":
			return 0x7ff8000000000000
		}
		if strings.HasPrefix(text, "-") {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(typ, "32") {
				return uint64(uint32(n))
			}
			return uint64(n)
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if typ == "externref" {
			n++
		}
		return n
	}
	if v.Type != "v128" {
		return []uint64{one(v.Type, v.Value)}
	}
	lanes := v.Value.([]any)
	width := 128 / len(lanes)
	var out [2]uint64
	for i, l := range lanes {
		bit := i * width
		out[bit/64] |= one(v.Lane, l) << (bit % 64)
	}
	return out[:]
}
