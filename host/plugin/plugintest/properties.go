package plugintest

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
)

// Sizes of what properties are tried on.
const (
	manyRows  = 2*abi.MaxRows + 3 // two full chunks and a rest
	manyBytes = 16 << 20          // of input and output: wide rows are tried on fewer
	manyCalls = 600               // of one chunk size
	instances = 8                 // at once, when a metric is split
	trials    = 10                // random splits of a metric
)

// chunkSizes are tried one by one: the smallest, those around a byte of a bitmap, and those around a full chunk.
var chunkSizes = []int{1, 2, 7, abi.MaxRows - 1, abi.MaxRows}

// Properties checks on every case that is answered (Error is "") what holds for good plugins whatever they compute:
//
//   - chunks: a transform answers the same bits for any chunk size, on the case's rows repeated up to 16,387 of them, cut into
//     1, 2, 7, 8,191 and 8,192 rows and at random places, and an empty chunk has the same columns;
//   - rows: single rows are answered as they are within a batch (through weir_row where the module exports it);
//   - merges: a metric answers the same state and scores for any split of the rows and any merge tree (Case.MergeTolerance);
//   - determinism: the same question, twice in one instance (but for handlers, which may keep state) and in a fresh one, has the
//     same answer, bit for bit;
//   - fuel: it burns the same fuel in two fresh instances.
//
// Random choices are seeded by the case's name, so that a failure comes back. An error means that the module cannot be tested at all.
func Properties(ctx context.Context, h *plugin.Host, wasm []byte, cases []Case) (Report, error) {
	var r Report
	if _, err := h.Inspect(ctx, wasm); err != nil {
		return r, err
	}
	for i := range cases {
		c := &cases[i]
		if c.Error != "" {
			continue
		}
		t := &trial{ctx: ctx, host: h, wasm: wasm, c: c, random: seeded(c.Name)}
		for _, check := range t.checks() {
			covered, err := check.run()
			if ctxErr := ctx.Err(); ctxErr != nil {
				return r, ctxErr
			}
			wrong := ""
			if err != nil {
				wrong = err.Error()
			}
			r.add(c, check.name, wrong, covered)
		}
	}
	return r, nil
}

func seeded(name string) *rand.Rand {
	f := fnv.New64a()
	f.Write([]byte(name))
	return rand.New(rand.NewPCG(f.Sum64(), 1))
}

// trial tries one case.
type trial struct {
	ctx    context.Context // of Properties, whose call a trial does not outlive
	host   *plugin.Host
	wasm   []byte
	c      *Case
	random *rand.Rand
}

type check struct {
	name string
	run  func() (covered string, err error)
}

func (t *trial) checks() []check {
	switch t.c.World {
	case abi.WorldTransform:
		return []check{{"chunks", t.chunks}, {"rows", t.rows}, {"determinism", t.determinism}, {"fuel", t.fuel}}
	case abi.WorldMetric:
		return []check{{"merges", t.merges}, {"determinism", t.determinism}, {"fuel", t.fuel}}
	}
	return []check{{"determinism", t.determinism}, {"fuel", t.fuel}}
}

// open opens the plugin in a pool of its own for each n, so that another n means other instances.
func (t *trial) open(n int) (*plugin.Plugin, error) {
	return t.host.Open(t.ctx, t.wasm, t.c.Parameters, plugin.Limits{MaxInstances: n})
}

func (t *trial) chunks() (string, error) {
	p, err := t.open(1)
	if err != nil {
		return "", err
	}
	defer p.Close()
	in := Repeat(t.c.Input, min(t.c.Input.Rows*t.repeats(), manyRows))
	want, err := p.Transform(t.ctx, in)
	if err != nil {
		return "", fmt.Errorf("%d rows: %w", in.Rows, err)
	}
	for _, size := range chunkSizes {
		if size >= in.Rows && size > 1 {
			continue
		}
		rows := min(in.Rows, size*manyCalls)
		next := func(int) int { return size }
		if err := t.pieces(p, in, want, rows, next); err != nil {
			return "", fmt.Errorf("chunks of %d row(s): %w", size, err)
		}
	}
	cuts := 0
	random := func(left int) int {
		cuts++
		return 1 + t.random.IntN(min(left, abi.MaxRows, max(left/3, 1)))
	}
	if err := t.pieces(p, in, want, in.Rows, random); err != nil {
		return "", fmt.Errorf("random chunks: %w", err)
	}
	none, err := p.Transform(t.ctx, in.Slice(0, 0))
	if err != nil {
		return "", fmt.Errorf("no rows: %w", err)
	}
	if d := identical(none, want.Slice(0, 0)); d != "" {
		return "", fmt.Errorf("no rows: %s", d)
	}
	return fmt.Sprintf("%d rows in chunks of 1 to %d, and cut at %d random places", in.Rows, min(abi.MaxRows, in.Rows), max(cuts-1, 0)), nil
}

// pieces transforms the first rows of in piece by piece and compares with those of want.
func (t *trial) pieces(p *plugin.Plugin, in, want *abi.Batch, rows int, next func(left int) int) error {
	for from := 0; from < rows; {
		to := min(from+next(rows-from), rows)
		got, err := p.Transform(t.ctx, in.Slice(from, to))
		if err != nil {
			return fmt.Errorf("rows %d to %d: %w", from, to-1, err)
		}
		if d := identical(got, want.Slice(from, to)); d != "" {
			return fmt.Errorf("rows %d to %d differ from the same rows of one batch of %d: %s (rows are counted from %d)", from, to-1, in.Rows, d, from)
		}
		from = to
	}
	return nil
}

// repeats is how often the case's rows are repeated to fill several chunks.
func (t *trial) repeats() int {
	in := t.c.Input
	if in.Rows == 0 {
		return 1
	}
	size := 1
	for _, b := range []*abi.Batch{in, t.c.Output} {
		for i := range b.Columns {
			size += len(b.Columns[i].Values) + 4*len(b.Columns[i].Offsets)
		}
	}
	return max(min((manyRows+in.Rows-1)/in.Rows, manyBytes/size), 1)
}

// Repeat answers that many rows: those of b again and again. A batch of no rows stays one. Nothing is shared with b.
func Repeat(b *abi.Batch, rows int) *abi.Batch {
	n := 1
	if b.Rows > 0 {
		n = (rows + b.Rows - 1) / b.Rows
	}
	out := &abi.Batch{Rows: b.Rows * n}
	for i := range b.Columns {
		c := &b.Columns[i]
		r := abi.Column{Field: c.Field}
		if c.Validity != nil {
			r.Validity = repeatBits(c.Validity, b.Rows, n)
		}
		switch {
		case c.Type == abi.Bool:
			r.Values = repeatBits(c.Values, b.Rows, n)
		case c.Type.Variable():
			r.Offsets = []int32{0}
			for range n {
				for row := range b.Rows {
					r.Values = append(r.Values, c.BytesAt(row)...)
					r.Offsets = append(r.Offsets, int32(len(r.Values)))
				}
			}
		default:
			r.Values = slices.Repeat(c.Values[:c.ValueBytes(b.Rows)], n)
		}
		out.Columns = append(out.Columns, r)
	}
	if out.Rows > rows && b.Rows > 0 {
		return out.Slice(0, rows)
	}
	return out
}

func repeatBits(b []byte, rows, n int) []byte {
	out := make([]byte, abi.BitmapBytes(rows*n))
	for i := range rows * n {
		if abi.Bit(b, i%rows) {
			abi.SetBit(out, i)
		}
	}
	return out
}

func (t *trial) rows() (string, error) {
	p, err := t.open(1)
	if err != nil {
		return "", err
	}
	defer p.Close()
	in := t.c.Input
	switch {
	case in.Rows > manyCalls:
		in = in.Slice(0, manyCalls)
	case in.Rows == 1:
		in = Repeat(in, 2) // a batch of one row might be answered by weir_row, too
	}
	want, err := p.Transform(t.ctx, in)
	if err != nil {
		return "", err
	}
	for r := range in.Rows {
		got, err := p.Transform(t.ctx, in.Slice(r, r+1))
		if err != nil {
			return "", fmt.Errorf("row %d alone: %w", r, err)
		}
		if d := identical(got, want.Slice(r, r+1)); d != "" {
			return "", fmt.Errorf("row %d alone differs from the same row in a batch: %s", r, d)
		}
	}
	if p.HasRow() {
		return fmt.Sprintf("%d single rows through weir_row", in.Rows), nil
	}
	return fmt.Sprintf("%d single rows", in.Rows), nil
}

// determinism asks twice in one instance and once in a fresh one.
func (t *trial) determinism() (string, error) {
	p, err := t.open(1)
	if err != nil {
		return "", err
	}
	defer p.Close()
	want, err := t.ask(p)
	if err != nil {
		return "", err
	}
	if t.c.World != abi.WorldHandler {
		got, err := t.ask(p)
		if err != nil {
			return "", fmt.Errorf("asked again: %w", err)
		}
		if d := same(got, want); d != "" {
			return "", fmt.Errorf("asked again, the same instance answers otherwise: %s", d)
		}
	}
	fresh, err := t.open(2)
	if err != nil {
		return "", err
	}
	defer fresh.Close()
	got, err := t.ask(fresh)
	if err != nil {
		return "", fmt.Errorf("in a fresh instance: %w", err)
	}
	if d := same(got, want); d != "" {
		return "", fmt.Errorf("a fresh instance answers otherwise: %s", d)
	}
	return "asked again, and in a fresh instance", nil
}

func (t *trial) fuel() (string, error) {
	var burned [2]uint64
	for i := range burned {
		p, err := t.open(i + 1)
		if err != nil {
			return "", err
		}
		defer p.Close() // at the end, so that the second pool is another one
		before := p.Stats().Fuel
		if _, err := t.ask(p); err != nil {
			return "", err
		}
		burned[i] = p.Stats().Fuel - before
	}
	if burned[0] != burned[1] || burned[0] == 0 {
		return "", fmt.Errorf("the case burned %d units of fuel, then %d", burned[0], burned[1])
	}
	return fmt.Sprintf("%d units, twice", burned[0]), nil
}

// ask answers a *abi.Batch, a summary or a document.
func (t *trial) ask(p *plugin.Plugin) (any, error) {
	switch t.c.World {
	case abi.WorldTransform:
		return p.Transform(t.ctx, t.c.Input)
	case abi.WorldMetric:
		m, err := p.Metric(t.ctx)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		if err := m.Update(t.ctx, abi.Reference, t.c.Reference); err != nil {
			return nil, err
		}
		if err := m.Update(t.ctx, abi.Current, t.c.Current); err != nil {
			return nil, err
		}
		return summarise(t.ctx, m)
	case abi.WorldGate:
		return p.Gate(t.ctx, t.c.Context)
	}
	return p.Handle(t.ctx, t.c.Request)
}

// same says how two answers of one kind differ.
func same(got, want any) string {
	if g, ok := got.(*abi.Batch); ok {
		return identical(g, want.(*abi.Batch))
	}
	if g, ok := got.(summary); ok {
		return g.differ(want.(summary), 0)
	}
	g, err := json.Marshal(got)
	if err != nil {
		return err.Error()
	}
	w, err := json.Marshal(want)
	if err != nil {
		return err.Error()
	}
	if string(g) != string(w) {
		return fmt.Sprintf("got %s, before it was %s", cut(string(g)), cut(string(w)))
	}
	return ""
}
