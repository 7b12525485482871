// ks is the Kolmogorov-Smirnov statistic of a column over equal bins: a summary whose size does not grow with the rows.

import { Buffer, ByteReader, Description, Input, Plugin, Reader, Schema, Scores, Side, Type, fail, register } from "../../../assemblyscript/assembly";

export * from "../../../assemblyscript/assembly/exports/metric";

/** Opens a state: "ks", a zero and the state's version. Then: low, high, number of bins, and for each side missing and the bins + 2 counts. */
const MAGIC: u32 = 0x0100736b;

/** One side's counts: below the first edge, the bins, at the last edge and above. */
class Counts {
  missing: u64 = 0;

  constructor(readonly places: StaticArray<u64>) {}

  total(): u64 {
    let n: u64 = 0;
    for (let i = 0; i < this.places.length; i++) n += this.places[i];
    return n;
  }
}

class KS extends Plugin {
  private column: string = "";
  private low: f64 = NaN;
  private high: f64 = NaN;
  private bins: i32 = 0;
  private edges: StaticArray<f64> = [];
  private x!: Input;
  private sides: Counts[] = [];

  describe(): Description {
    const d = new Description("ks", ["metric"]);
    d.version = "1.0.0";
    d.summary = "Kolmogorov-Smirnov statistic of a column over equal bins.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["column","low","high","bins"],"properties":{
      "column":{"type":"string","minLength":1},"low":{"type":"number","minimum":-1e300},"high":{"type":"number","maximum":1e300},
      "bins":{"type":"integer","minimum":1,"maximum":10000}}}`;
    return d;
  }

  init(p: Reader, schema: Schema): void {
    p.object();
    while (p.member()) {
      if (p.name == "column") this.column = p.string();
      else if (p.name == "low") this.low = p.number();
      else if (p.name == "high") this.high = p.number();
      else if (p.name == "bins") this.bins = <i32>p.integer(1, 10000);
      else return p.unknown();
    }
    if (this.column == "") return fail('parameters: "column" is missing or empty');
    if (!(this.low >= -1e300)) return fail('parameters: "low" must be a number from -1e300');
    if (!(this.high > this.low && this.high <= 1e300)) return fail('parameters: "high" must be a number above "low", up to 1e300');
    if (!this.bins) return fail('parameters: "bins" is missing');
    const edges = new StaticArray<f64>(this.bins + 1);
    for (let i = 0; i < edges.length; i++) edges[i] = this.low + (<f64>i * (this.high - this.low)) / <f64>this.bins;
    this.edges = edges;
    this.x = schema.input(this.column, Type.Float64);
    this.reset();
  }

  reset(): void {
    this.sides = [new Counts(new StaticArray<u64>(this.bins + 2)), new Counts(new StaticArray<u64>(this.bins + 2))];
  }

  update(side: Side, rows: i32): void {
    const x = this.x, counts = this.sides[side], edges = this.edges;
    for (let row = 0; row < rows; row++) {
      const v = x.f64(row);
      // v - v is 0 but for NaN and the infinities.
      if (v - v != 0 || x.isNull(row)) counts.missing++;
      else unchecked(counts.places[upTo(edges, v)]++);
    }
  }

  state(to: Buffer): void {
    to.u32(MAGIC);
    to.f64(this.low);
    to.f64(this.high);
    to.u32(this.bins);
    for (let side = 0; side < 2; side++) {
      const counts = this.sides[side];
      to.u64(counts.missing);
      for (let i = 0; i < counts.places.length; i++) to.u64(counts.places[i]);
    }
  }

  merge(from: ByteReader): void {
    if (from.u32() != MAGIC) return fail("the state is not a ks state of version 1");
    if (from.f64() != this.low || from.f64() != this.high || from.u32() != <u32>this.bins) return fail("the state is over other bins");
    if (from.left != 2 * 8 * (this.bins + 3)) return fail("the state is damaged: " + from.left.toString() + " bytes of counts");
    for (let side = 0; side < 2; side++) {
      const counts = this.sides[side];
      counts.missing += from.u64();
      for (let i = 0; i < counts.places.length; i++) counts.places[i] += from.u64();
    }
  }

  finish(scores: Scores): void {
    const reference = this.sides[0], current = this.sides[1];
    const w = !reference.total()
      ? scores.beginUndefined(this.column, "ks", "the reference has no value that is not missing")
      : !current.total()
        ? scores.beginUndefined(this.column, "ks", "the current sample has no value that is not missing")
        : scores.begin(this.column, "ks", distance(reference, current));
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

/** The greatest distance of the two distribution functions, over the edges. */
function distance(reference: Counts, current: Counts): f64 {
  const r = <f64>reference.total(), c = <f64>current.total();
  let upToR: u64 = 0, upToC: u64 = 0, most = 0.0;
  for (let i = 0; i < reference.places.length; i++) {
    upToR += reference.places[i];
    upToC += current.places[i];
    const d = Math.abs(<f64>upToR / r - <f64>upToC / c);
    if (d > most) most = d;
  }
  return most;
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

register(new KS());
