// psi is the population stability index of a column over given bins.

import { Buffer, ByteReader, Description, Input, Plugin, Reader, Schema, Scores, Side, Type, fail, log1p, register } from "../../../assemblyscript/assembly";

export * from "../../../assemblyscript/assembly/exports/metric";

/** Opens a state: "psi" and the state's version. Then: number of edges, the edges, and for each side missing and the bins. */
const MAGIC: u32 = 0x01697370;

/** One side's counts. */
class Counts {
  missing: u64 = 0;

  constructor(readonly bins: StaticArray<u64>) {}

  total(): u64 {
    let n: u64 = 0;
    for (let i = 0; i < this.bins.length; i++) n += this.bins[i];
    return n;
  }

  /** The bins' shares of the total, with a small one in place of zeros. */
  shares(): StaticArray<f64> {
    const total = <f64>this.total(), out = new StaticArray<f64>(this.bins.length);
    let least = Infinity;
    for (let i = 0; i < out.length; i++) {
      out[i] = <f64>this.bins[i] / total;
      if (out[i] > 0 && out[i] < least) least = out[i];
    }
    const zero = least > 0.0001 ? 0.0001 : least / 1000000;
    for (let i = 0; i < out.length; i++) if (out[i] == 0) out[i] = zero;
    return out;
  }
}

class Psi extends Plugin {
  private column: string = "";
  private edges: StaticArray<f64> = [];
  private x!: Input;
  private sides: Counts[] = [];

  describe(): Description {
    const d = new Description("psi", ["metric"]);
    d.version = "1.0.0";
    d.summary = "Population stability index of a column over given bins.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["column","edges"],"properties":{
      "column":{"type":"string","minLength":1},"edges":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"number"}}}}`;
    return d;
  }

  init(p: Reader, schema: Schema): void {
    const edges: f64[] = [];
    p.object();
    while (p.member()) {
      if (p.name == "column") this.column = p.string();
      else if (p.name == "edges") {
        p.array();
        while (p.item()) edges.push(p.number() + 0); // + 0: -0 is 0
      } else return p.unknown();
    }
    if (this.column == "") return fail('parameters: "column" is missing or empty');
    if (edges.length < 1 || edges.length > 1000) return fail('parameters: "edges" must hold 1 to 1000 numbers');
    for (let i = 1; i < edges.length; i++) if (!(edges[i] > edges[i - 1])) return fail('parameters: "edges" must ascend; item ' + i.toString() + " does not");
    this.edges = StaticArray.fromArray(edges);
    this.x = schema.input(this.column, Type.Float64);
    this.reset();
  }

  reset(): void {
    const bins = this.edges.length + 1;
    this.sides = [new Counts(new StaticArray<u64>(bins)), new Counts(new StaticArray<u64>(bins))];
  }

  update(side: Side, rows: i32): void {
    const x = this.x, counts = this.sides[side], edges = this.edges;
    for (let row = 0; row < rows; row++) {
      const v = x.f64(row);
      // v - v is 0 but for NaN and the infinities.
      if (v - v != 0 || x.isNull(row)) counts.missing++;
      else unchecked(counts.bins[upTo(edges, v)]++);
    }
  }

  state(to: Buffer): void {
    to.u32(MAGIC);
    to.u32(this.edges.length);
    for (let i = 0; i < this.edges.length; i++) to.f64(this.edges[i]);
    for (let side = 0; side < 2; side++) {
      const counts = this.sides[side];
      to.u64(counts.missing);
      for (let i = 0; i < counts.bins.length; i++) to.u64(counts.bins[i]);
    }
  }

  merge(from: ByteReader): void {
    if (from.u32() != MAGIC) return fail("the state is not a psi state of version 1");
    let same = from.u32() == <u32>this.edges.length;
    for (let i = 0; same && i < this.edges.length; i++) same = from.f64() == this.edges[i];
    if (!same) return fail("the state is over other edges");
    if (from.left != 2 * 8 * (this.edges.length + 2)) return fail("the state is damaged: " + from.left.toString() + " bytes of counts");
    for (let side = 0; side < 2; side++) {
      const counts = this.sides[side];
      counts.missing += from.u64();
      for (let i = 0; i < counts.bins.length; i++) counts.bins[i] += from.u64();
    }
  }

  finish(scores: Scores): void {
    const reference = this.sides[0], current = this.sides[1];
    const w = !reference.total()
      ? scores.beginUndefined(this.column, "psi", "the reference has no value that is not missing")
      : !current.total()
        ? scores.beginUndefined(this.column, "psi", "the current sample has no value that is not missing")
        : scores.begin(this.column, "psi", index(reference.shares(), current.shares()));
    w.key("reference_count");
    w.integer(reference.total());
    w.key("current_count");
    w.integer(current.total());
    w.key("reference_missing");
    w.integer(reference.missing);
    w.key("current_missing");
    w.integer(current.missing);
    scores.close();
  }
}

/** The sum over bins of (r - c) ln(r / c), in the order of the bins. */
function index(reference: StaticArray<f64>, current: StaticArray<f64>): f64 {
  let value = 0.0;
  for (let i = 0; i < reference.length; i++) {
    const r = reference[i], c = current[i], d = Math.abs(r - c);
    value = value + d * log1p(d / Math.min(r, c));
  }
  return value;
}

/** The number of edges ≤ x. */
function upTo(edges: StaticArray<f64>, x: f64): i32 {
  let base = 0, n = edges.length;
  // Halving without a branch on the data, which no processor could foresee.
  while (n > 1) {
    const half = n >> 1;
    base = unchecked(edges[base + half - 1]) <= x ? base + half : base;
    n -= half;
  }
  return base + i32(unchecked(edges[base]) <= x);
}

register(new Psi());
