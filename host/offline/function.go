package offline

import (
	"context"
	"fmt"
	"regexp"
	"sync"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Transformer is a pure function of rows: what a plugin with its parameters is. SQL calls it with chunks of at most 2,048
// rows, from several threads at once.
type Transformer interface {
	// Schema names the inputs, in the order of the SQL arguments, and the outputs. Without inputs any number of arguments
	// of any supported type is taken, named c0, c1, …
	Schema(ctx context.Context) (abi.Schema, error)
	// TransformChunk calls use once with as many rows as in has and the columns of the schema's outputs. in views DuckDB's
	// memory: it is read-only and gone when TransformChunk returns, and out is not read after use returns.
	TransformChunk(ctx context.Context, in *abi.Batch, use func(out *abi.Batch) error) error
}

// Function makes a Transformer callable in SQL as Name(column, …). Nulls reach the Transformer as nulls. A single output
// column is the function's value; several are a STRUCT with the outputs' names. Arguments are converted as DuckDB converts
// them without a cast (INTEGER to DOUBLE, DECIMAL to DOUBLE); anything else is an error that lists the types.
type Function struct {
	Name string // lower-case SQL identifier; DuckDB's own functions cannot be replaced
	T    Transformer
}

var functionName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// functions are the registered functions of one query: they share its context and its first failure.
type functions struct {
	ctx context.Context // of the query; callbacks come from DuckDB's threads and bring none of their own
	mu  sync.Mutex
	err error
}

func (f *functions) fail(err error) {
	f.mu.Lock()
	if f.err == nil {
		f.err = err
	}
	f.mu.Unlock()
}

// failure is the first error of a callback, with the kind that the Transformer gave it.
func (f *functions) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// register makes the functions known to the session.
func (e *Engine) register(ctx context.Context, s *session, list []Function) (*functions, error) {
	fns := &functions{ctx: ctx}
	if len(list) == 0 {
		return fns, nil
	}
	taken, err := e.builtin(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("list DuckDB's functions: %w", err)
	}
	seen := map[string]bool{}
	for _, fn := range list {
		switch {
		case !functionName.MatchString(fn.Name):
			return nil, errs.New(errs.Invalid, "function %q: a name is up to 63 lower-case letters, digits and underscores, and starts with no digit", fn.Name)
		case taken[fn.Name]:
			return nil, errs.New(errs.Invalid, "function %q is one of DuckDB's own: choose another name", fn.Name)
		case seen[fn.Name]:
			return nil, errs.New(errs.Invalid, "function %q is given twice", fn.Name)
		}
		seen[fn.Name] = true
		schema, err := fn.T.Schema(ctx)
		if err != nil {
			return nil, fmt.Errorf("function %q: %w", fn.Name, err)
		}
		if len(schema.Outputs) == 0 {
			return nil, errs.New(errs.Invalid, "function %q has no output columns in its schema: SQL must know a function's result before it runs, so a plugin that gives back whatever it gets cannot be one", fn.Name)
		}
		b := &boundFunction{name: fn.Name, t: fn.T, schema: schema, query: fns}
		b.calls.New = func() any { return new(functionCall) }
		if err := registerRaw(s.conn, b); err != nil {
			return nil, fmt.Errorf("function %q: %w", fn.Name, err)
		}
	}
	return fns, nil
}

// boundFunction is what DuckDB's callback finds behind its pointer.
type boundFunction struct {
	name   string
	t      Transformer
	schema abi.Schema
	query  *functions
	calls  sync.Pool // of *functionCall: one for each thread that is at work
}

// functionCall is the scratch memory of one call.
type functionCall struct {
	in      abi.Batch
	readers []vectorReader
}

// call runs the Transformer on one chunk. Its error has reached the query's state when it returns.
func (b *boundFunction) call(chunk mapping.DataChunk, out mapping.Vector) (err error) {
	defer func() {
		// A panic must not unwind through DuckDB's frames.
		if p := recover(); p != nil {
			err = errs.New(errs.Internal, "function %q panicked: %v", b.name, p)
		}
		if err != nil {
			b.query.fail(err)
		}
	}()
	ctx := b.query.ctx
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := b.query.failure(); err != nil { // another thread's chunk failed: the query is over
		return err
	}
	if mapping.DataChunkGetSize(chunk) == 0 {
		return nil
	}
	call := b.calls.Get().(*functionCall)
	defer b.calls.Put(call)
	if err := call.read(b, chunk); err != nil {
		return fmt.Errorf("function %q: %w", b.name, err)
	}
	used := 0
	err = b.t.TransformChunk(ctx, &call.in, func(o *abi.Batch) error {
		used++
		return b.write(o, call.in.Rows, out)
	})
	if err == nil && used != 1 {
		err = errs.New(errs.Internal, "the transformer answered %d times for one chunk", used)
	}
	if err != nil {
		return fmt.Errorf("function %q: %w", b.name, err)
	}
	return nil
}

func (call *functionCall) read(b *boundFunction, chunk mapping.DataChunk) error {
	n := int(mapping.DataChunkGetColumnCount(chunk))
	if len(call.readers) != n {
		call.readers = make([]vectorReader, n)
		call.in.Columns = make([]abi.Column, n)
		for i := range n {
			f, err := b.inputField(i, chunk)
			if err != nil {
				return err
			}
			call.in.Columns[i].Field = f
		}
	}
	call.in.Rows = int(mapping.DataChunkGetSize(chunk))
	for i := range n {
		if len(b.schema.Inputs) == 0 { // one function may be called with other types elsewhere in the same query
			f, err := b.inputField(i, chunk)
			if err != nil {
				return err
			}
			call.in.Columns[i].Field = f
		}
		if err := call.readers[i].read(mapping.DataChunkGetVector(chunk, mapping.IdxT(i)), call.in.Rows, &call.in.Columns[i]); err != nil {
			return err
		}
	}
	return nil
}

// inputField is the declared input, or for a function of any arguments what the chunk carries.
func (b *boundFunction) inputField(i int, chunk mapping.DataChunk) (abi.Field, error) {
	if len(b.schema.Inputs) > 0 {
		return b.schema.Inputs[i], nil
	}
	t := mapping.VectorGetColumnType(mapping.DataChunkGetVector(chunk, mapping.IdxT(i)))
	defer mapping.DestroyLogicalType(&t)
	d := duckTypeOf(t)
	f, cast, ok := d.abiType(0)
	if !ok || cast != "" {
		if cast == "" {
			cast = "one of the supported types"
		}
		return f, errs.New(errs.Invalid, "argument %d is %s: cast it to %s", i+1, d, cast)
	}
	f.Name = fmt.Sprintf("c%d", i)
	return f, nil
}

// write checks the Transformer's answer against its schema and copies it into the result vector.
func (b *boundFunction) write(o *abi.Batch, rows int, out mapping.Vector) error {
	want := b.schema.Outputs
	if o.Rows != rows || len(o.Columns) != len(want) {
		return errs.New(errs.Internal, "%d rows and %d columns came back for %d rows; the schema has %d output columns", o.Rows, len(o.Columns), rows, len(want))
	}
	for i := range o.Columns {
		c := &o.Columns[i]
		if c.Type != want[i].Type || c.ListSize != want[i].ListSize {
			return errs.New(errs.Internal, "output %q is %s[%d], the schema says %s[%d]", want[i].Name, c.Type, c.ListSize, want[i].Type, want[i].ListSize)
		}
		if err := checkBuffers(c, rows); err != nil {
			return errs.New(errs.Internal, "output %q: %w", want[i].Name, err)
		}
		v := out
		if len(want) > 1 {
			v = mapping.StructVectorGetChild(out, mapping.IdxT(i))
		}
		if err := writeVector(v, c, rows); err != nil {
			return err
		}
	}
	return nil
}

// checkBuffers is the part of abi's validation that guards memory; text is checked where it is copied.
func checkBuffers(c *abi.Column, rows int) error {
	if c.Validity != nil && len(c.Validity) < abi.BitmapBytes(rows) {
		return fmt.Errorf("validity has %d bytes for %d rows", len(c.Validity), rows)
	}
	if !c.Type.Variable() {
		if need := c.ValueBytes(rows); len(c.Values) < need {
			return fmt.Errorf("values have %d bytes, %d rows need %d", len(c.Values), rows, need)
		}
		return nil
	}
	if len(c.Offsets) < rows+1 || c.Offsets[0] < 0 || int(c.Offsets[rows]) > len(c.Values) {
		return fmt.Errorf("%d offsets over %d bytes do not describe %d rows", len(c.Offsets), len(c.Values), rows)
	}
	for i := range rows {
		if c.Offsets[i] > c.Offsets[i+1] {
			return fmt.Errorf("offset %d is %d, after %d", i+1, c.Offsets[i+1], c.Offsets[i])
		}
	}
	return nil
}
