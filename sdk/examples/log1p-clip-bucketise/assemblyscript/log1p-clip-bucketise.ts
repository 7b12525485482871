// log1p-clip-bucketise clips a column, and gives log1p of that and its bucket as numpy.digitize counts them.

import { Description, Input, Output, Plugin, Reader, Schema, Type, fail, log1pArray, quoted, register } from "../../../assemblyscript/assembly";

export * from "../../../assemblyscript/assembly/exports/transform";
export * from "../../../assemblyscript/assembly/exports/row";

class Log1pClipBucketise extends Plugin {
  private low: f64 = NaN;
  private high: f64 = NaN;
  private edges: StaticArray<f64> = [];
  private x!: Input;
  private log1p!: Output;
  private clip!: Output;
  private bucket!: Output;

  describe(): Description {
    const d = new Description("log1p-clip-bucketise", ["transform"]);
    d.version = "1.0.0";
    d.summary = "Clips a column, and gives its log1p and its bucket.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["column","low","high","edges"],"properties":{
      "column":{"type":"string","minLength":1},"low":{"type":"number","exclusiveMinimum":-1},"high":{"type":"number"},
      "edges":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"number"}}}}`;
    return d;
  }

  init(p: Reader, schema: Schema): void {
    let column = "";
    const edges: f64[] = [];
    p.object();
    while (p.member()) {
      if (p.name == "column") column = p.string();
      else if (p.name == "low") this.low = p.number();
      else if (p.name == "high") this.high = p.number();
      else if (p.name == "edges") {
        p.array();
        while (p.item()) edges.push(p.number());
      } else return p.unknown();
    }
    if (column == "") return fail('parameters: "column" is missing or empty');
    if (!(this.low > -1)) return fail('parameters: "low" must be a number above -1');
    if (!(this.high >= this.low)) return fail('parameters: "high" must be a number not below "low"');
    if (edges.length < 1 || edges.length > 1000) return fail('parameters: "edges" must hold 1 to 1000 numbers');
    for (let i = 1; i < edges.length; i++) if (!(edges[i] > edges[i - 1])) return fail('parameters: "edges" must ascend; item ' + i.toString() + " does not");
    this.edges = StaticArray.fromArray(edges);
    this.x = schema.input(column, Type.Float64);
    this.log1p = schema.output(column + "_log1p", Type.Float64);
    this.clip = schema.output(column + "_clip", Type.Float64);
    this.bucket = schema.output(column + "_bucket", Type.Int64);
  }

  transform(rows: i32): void {
    const x = this.x, clip = this.clip, bucket = this.bucket;
    this.log1p.nullsOf(x);
    clip.nullsOf(x);
    bucket.nullsOf(x);
    clipArray(x.values, clip.values, rows, this.low, this.high);
    log1pArray(clip.values, this.log1p.values, rows);
    const edges = this.edges, clipped = clip.values, buckets = bucket.values;
    for (let row = 0; row < rows; row++) {
      const c = load<f64>(clipped + (<usize>row << 3));
      if (c != c) bucket.setNull(row);
      store<i64>(buckets + (<usize>row << 3), upTo(edges, c));
    }
  }
}

/** to = from, but within low and high, for n numbers; NaN becomes the canonical one. */
function clipArray(from: usize, to: usize, n: i32, low: f64, high: f64): void {
  const lows = f64x2.splat(low), highs = f64x2.splat(high), nan = f64x2.splat(NaN);
  const end = from + (<usize>n << 3), pairs = from + (<usize>(n & ~1) << 3);
  for (; from < pairs; from += 16, to += 16) {
    const x = v128.load(from);
    const c = v128.bitselect(lows, v128.bitselect(highs, x, f64x2.gt(x, highs)), f64x2.lt(x, lows));
    v128.store(to, v128.bitselect(c, nan, f64x2.eq(c, c)));
  }
  if (from < end) {
    const x = load<f64>(from);
    store<f64>(to, x < low ? low : x > high ? high : x == x ? x : NaN);
  }
}

/** The number of edges ≤ x; 0 for NaN. */
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

register(new Log1pClipBucketise());
