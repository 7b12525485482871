// standardise computes (x - mean) / std of each column its parameters name, as scikit-learn's StandardScaler does.

import { Description, Input, Output, Plugin, Reader, Schema, Type, fail, quoted, register } from "../../../assemblyscript/assembly";

export * from "../../../assemblyscript/assembly/exports/transform";
export * from "../../../assemblyscript/assembly/exports/row";

class Column {
  constructor(
    readonly x: Input,
    readonly y: Output,
    readonly mean: f64,
    readonly scale: f64,
  ) {}
}

class Standardise extends Plugin {
  private columns: Column[] = [];

  describe(): Description {
    const d = new Description("standardise", ["transform"]);
    d.version = "1.0.0";
    d.summary = "(x - mean) / std of each column.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["columns"],"properties":{"columns":{"type":"array","minItems":1,
      "items":{"type":"object","additionalProperties":false,"required":["name","mean","std"],"properties":{
      "name":{"type":"string","minLength":1},"mean":{"type":"number"},"std":{"type":"number","minimum":0}}}}}}`;
    return d;
  }

  init(p: Reader, schema: Schema): void {
    schema.only = true;
    p.object();
    while (p.member()) {
      if (p.name != "columns") return p.unknown();
      p.array();
      while (p.item()) this.readColumn(p, schema);
    }
    if (!this.columns.length) fail('parameters: "columns" is missing or empty: give [{"name", "mean", "std"}]');
  }

  private readColumn(p: Reader, schema: Schema): void {
    let name = "", mean = NaN, std = NaN;
    p.object();
    while (p.member()) {
      if (p.name == "name") name = p.string();
      else if (p.name == "mean") mean = p.number();
      else if (p.name == "std") std = p.number();
      else return p.unknown();
    }
    if (name == "") return p.fail('"name" is missing or empty');
    if (isNaN(mean)) return p.fail("column " + quoted(name) + ' lacks "mean"');
    if (isNaN(std)) return p.fail("column " + quoted(name) + ' lacks "std"');
    if (std < 0) return p.fail("column " + quoted(name) + ": std is negative");
    this.columns.push(new Column(schema.input(name, Type.Float64), schema.output(name, Type.Float64), mean, std == 0 ? 1 : std));
  }

  transform(rows: i32): void {
    for (let i = 0, n = this.columns.length; i < n; i++) {
      const c = unchecked(this.columns[i]);
      c.y.nullsOf(c.x);
      scale(c.x.values, c.y.values, rows, c.mean, c.scale);
    }
  }
}

/** y = (x - mean) / scale for n numbers, two at once; NaN becomes the canonical one. */
function scale(x: usize, y: usize, n: i32, mean: f64, scale: f64): void {
  const means = f64x2.splat(mean), scales = f64x2.splat(scale), nan = f64x2.splat(NaN);
  const end = x + (<usize>n << 3), eights = x + (<usize>(n & ~7) << 3);
  for (; x < eights; x += 64, y += 64) {
    const a = f64x2.div(f64x2.sub(v128.load(x), means), scales);
    const b = f64x2.div(f64x2.sub(v128.load(x, 16), means), scales);
    const c = f64x2.div(f64x2.sub(v128.load(x, 32), means), scales);
    const d = f64x2.div(f64x2.sub(v128.load(x, 48), means), scales);
    v128.store(y, v128.bitselect(a, nan, f64x2.eq(a, a)));
    v128.store(y, v128.bitselect(b, nan, f64x2.eq(b, b)), 16);
    v128.store(y, v128.bitselect(c, nan, f64x2.eq(c, c)), 32);
    v128.store(y, v128.bitselect(d, nan, f64x2.eq(d, d)), 48);
  }
  for (; x < end; x += 8, y += 8) {
    const v = (load<f64>(x) - mean) / scale;
    store<f64>(y, v == v ? v : NaN);
  }
}

register(new Standardise());
