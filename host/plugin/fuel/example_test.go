package fuel_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/weir-ml/weir/host/plugin/fuel"
)

// (module (func (export "spin") (loop (br 0))))
var spin = []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x08\x01\x04spin\x00\x00\x0a\x09\x01\x07\x00\x03\x40\x0c\x00\x0b\x0b")

func Example() {
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	if err := fuel.Instantiate(ctx, rt); err != nil { // once per runtime
		panic(err)
	}

	module, report, err := fuel.Rewrite(spin, fuel.Options{}) // once, at upload
	if err != nil {
		panic(err)
	}
	fmt.Println("loops:", report.Loops)

	m := fuel.NewMeter(0) // one per instance
	calls := m.Context(ctx)
	m.Start(ctx, 1_000_000, time.Now().Add(time.Second)) // the start function burns, too
	instance, err := rt.Instantiate(calls, module)
	if err != nil {
		panic(err)
	}
	if err := m.Attach(instance); err != nil {
		panic(err)
	}

	m.Start(ctx, 1_000_000, time.Time{}) // before each call
	_, err = instance.ExportedFunction("spin").Call(calls)
	fmt.Println("fuel:", errors.Is(err, fuel.ErrExhausted))

	m.Start(ctx, fuel.MaxBudget, time.Now().Add(10*time.Millisecond))
	_, err = instance.ExportedFunction("spin").Call(calls)
	fmt.Println("time:", errors.Is(err, fuel.ErrDeadline))
	// Output:
	// loops: 1
	// fuel: true
	// time: true
}
