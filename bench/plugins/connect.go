package main

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

// connectServer is Redpanda Connect's engine (its module benthos) with an HTTP server as input, a wasm processor and a synchronous
// response. The processor that Connect ships is not part of that module; this one follows its documented way of working: the functions of
// the module benthos_wasm, one runtime an instance, instances pooled.
func connectServer(ctx context.Context, s settings) error {
	wasm, err := s.guest("connect")
	if err != nil {
		return err
	}
	env := service.GlobalEnvironment().Clone()
	if err := env.RegisterProcessor("bench_wasm", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
		return &connectProcessor{wasm: wasm}, nil
	}); err != nil {
		return err
	}
	// The engine does not tell which port it got.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	b := env.NewStreamBuilder()
	if err := b.SetYAML(fmt.Sprintf(`
http: {enabled: false}
logger: {level: NONE}
input:
  http_server:
    address: %s
    path: /fn/totals
    sync_response: {headers: {Content-Type: application/json}}
pipeline:
  threads: -1
  processors:
    - bench_wasm: {}
output:
  sync_response: {}
`, address)); err != nil {
		return err
	}
	stream, err := b.Build()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- stream.Run(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		default:
		}
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			break
		}
	}
	fmt.Println(address)
	if err := <-done; ctx.Err() == nil {
		return err
	}
	return nil
}

type connectProcessor struct {
	wasm []byte
	pool sync.Pool
}

type connectInstance struct {
	mod           api.Module
	process       api.Function
	malloc, free  api.Function
	message, back []byte
	handed        []uint64
}

func (p *connectProcessor) instance(ctx context.Context) (*connectInstance, error) {
	if in, ok := p.pool.Get().(*connectInstance); ok {
		return in, nil
	}
	in := &connectInstance{}
	rt := wazero.NewRuntime(ctx)
	if _, err := rt.NewHostModuleBuilder("benthos_wasm").
		NewFunctionBuilder().WithFunc(func(ctx context.Context, m api.Module) uint64 {
		out, err := in.malloc.Call(ctx, uint64(len(in.message)))
		if err != nil || !m.Memory().Write(uint32(out[0]), in.message) {
			panic("no room")
		}
		in.handed = append(in.handed, out[0])
		return out[0]<<32 | uint64(len(in.message))
	}).Export("v0_msg_as_bytes").
		NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, at, n uint32) {
		b, ok := m.Memory().Read(at, n)
		if !ok {
			panic("no such bytes")
		}
		in.back = append([]byte(nil), b...)
	}).Export("v0_msg_set_bytes").Instantiate(ctx); err != nil {
		return nil, err
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
		return nil, err
	}
	mod, err := rt.InstantiateWithConfig(ctx, p.wasm, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		return nil, err
	}
	in.mod, in.process, in.malloc, in.free = mod, mod.ExportedFunction("process"), mod.ExportedFunction("malloc"), mod.ExportedFunction("free")
	return in, nil
}

func (p *connectProcessor) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	in, err := p.instance(ctx)
	if err != nil {
		return nil, err
	}
	defer p.pool.Put(in)
	if in.message, err = m.AsBytes(); err != nil {
		return nil, err
	}
	in.handed = in.handed[:0]
	if _, err := in.process.Call(ctx); err != nil {
		return nil, err
	}
	for _, at := range in.handed {
		if _, err := in.free.Call(ctx, at); err != nil {
			return nil, err
		}
	}
	m.SetBytes(in.back)
	return service.MessageBatch{m}, nil
}

func (p *connectProcessor) Close(context.Context) error { return nil }
