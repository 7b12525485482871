// PLUGIN_NAME multiplies a column by a factor.
//
// Where to begin: init reads the parameters and declares the columns, transform does the work, vectors.json says what must come
// out. sdk/assembly/plugin.ts has what there is to override.

import { Description, Input, Output, Plugin, Reader, Schema, Type, fail, register } from "./sdk/assembly";

export * from "./sdk/assembly/exports/transform";

class Scale extends Plugin {
  private factor: f64 = NaN;
  private x!: Input;
  private y!: Output;

  describe(): Description {
    const d = new Description("PLUGIN_NAME", ["transform"]);
    d.version = "0.1.0";
    d.summary = "Multiplies a column by a factor.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["column","factor"],"properties":{
      "column":{"type":"string","minLength":1},"factor":{"type":"number"}}}`;
    return d;
  }

  // The parameters are read strictly: a misspelt one must not pass unnoticed.
  init(p: Reader, schema: Schema): void {
    let column = "";
    p.object();
    while (p.member()) {
      if (p.name == "column") column = p.string();
      else if (p.name == "factor") this.factor = p.number();
      else return p.unknown();
    }
    if (column == "") return fail('parameters: "column" is missing or empty');
    if (isNaN(this.factor)) return fail('parameters: "factor" is missing');
    this.x = schema.input(column, Type.Float64);
    this.y = schema.output(column, Type.Float64);
  }

  // At most MAX_ROWS rows come in one call, and as many must go out.
  transform(rows: i32): void {
    const x = this.x, y = this.y, factor = this.factor;
    y.nullsOf(x); // nulls stay null
    for (let row = 0; row < rows; row++) {
      const v = x.f64(row) * factor;
      y.setF64(row, v == v ? v : NaN); // one NaN, so that answers are the same bits everywhere
    }
  }
}

register(new Scale());
