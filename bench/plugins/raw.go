package main

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/weir-ml/weir/host/plugin/fuel"
	"github.com/weir-ml/weir/sdk/abi"
)

// raw is a module in bare wazero with one batch in its memory: what is measured is the guest alone, with fuel or without.
type raw struct {
	ctx   context.Context
	meter *fuel.Meter // nil: not rewritten
	f     api.Function
	at    uint64
}

func (r *raw) run() error {
	if r.meter != nil {
		r.meter.Start(r.ctx, fuel.MaxBudget, r.deadline())
		defer r.meter.Stop()
	}
	out, err := r.f.Call(r.ctx, r.at)
	if err == nil && out[0] == 0 {
		err = fmt.Errorf("the guest answered an error")
	}
	return err
}

// rawPair instantiates the module as it is and rewritten.
func rawPair(ctx context.Context, wasm []byte, params []byte, in *abi.Batch) (pair [2]*raw, err error) {
	for k := range pair {
		module, meter := wasm, (*fuel.Meter)(nil)
		if k == 1 {
			if module, _, err = fuel.Rewrite(wasm, fuel.Options{}); err != nil {
				return pair, err
			}
			meter = fuel.NewMeter(0)
		}
		if pair[k], err = newRaw(ctx, module, meter, params, in); err != nil {
			return pair, err
		}
	}
	return pair, nil
}

func newRaw(ctx context.Context, module []byte, meter *fuel.Meter, params []byte, in *abi.Batch) (*raw, error) {
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2))
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
		return nil, err
	}
	if _, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func(_, _, _, _ uint32) { panic("abort") }).Export("abort").Instantiate(ctx); err != nil {
		return nil, err
	}
	r := &raw{ctx: ctx, meter: meter}
	if meter != nil {
		if err := fuel.Instantiate(ctx, rt); err != nil {
			return nil, err
		}
		r.ctx = meter.Context(ctx)
		meter.Start(ctx, fuel.MaxBudget, r.deadline())
	}
	mod, err := rt.InstantiateWithConfig(r.ctx, module, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		return nil, err
	}
	if meter != nil {
		if err := meter.Attach(mod); err != nil {
			return nil, err
		}
		meter.Start(ctx, fuel.MaxBudget, r.deadline())
	}
	call := func(name string, args ...uint64) (uint64, error) {
		f := mod.ExportedFunction(name)
		if f == nil {
			return 0, nil
		}
		out, err := f.Call(r.ctx, args...)
		if err != nil || len(out) == 0 {
			return 0, err
		}
		return out[0], nil
	}
	if _, err := call("_initialize"); err != nil {
		return nil, err
	}
	place := func(b []byte) (uint64, error) {
		at, err := call("weir_alloc", uint64(len(b)))
		if err != nil || !mod.Memory().Write(uint32(at), b) {
			return 0, fmt.Errorf("no room in the guest: %w", err)
		}
		return at, nil
	}
	at, err := place(params)
	if err != nil {
		return nil, err
	}
	if v, err := call("weir_init", at, uint64(len(params))); err != nil || v != 0 {
		return nil, fmt.Errorf("weir_init answered %d: %w", v, err)
	}
	l, err := abi.NewLayout(in.Fields(), in.Rows)
	if err != nil {
		return nil, err
	}
	size, err := l.Size(in, 0, in.Rows)
	if err != nil {
		return nil, err
	}
	if at, err = call("weir_alloc", uint64(size)); err != nil {
		return nil, err
	}
	l.Place(uint32(at))
	view, ok := mod.Memory().Read(uint32(at), size)
	if !ok {
		return nil, fmt.Errorf("no room for the batch")
	}
	if err := l.Encode(view, in, 0, in.Rows); err != nil {
		return nil, err
	}
	r.f, r.at = mod.ExportedFunction("weir_transform"), at
	return r, nil
}
