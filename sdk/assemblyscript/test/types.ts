// A transform over every type: what comes in goes out again, through the accessors of columns.ts, and a text made of it.

import { Description, Input, Output, Plugin, Reader, Schema, Type, register } from "../assembly";

export * from "../assembly/exports/transform";
export * from "../assembly/exports/row";

class Types extends Plugin {
  private in: Input[] = [];
  private out: Output[] = [];
  private both!: Output;
  private text!: Output;

  describe(): Description {
    return new Description("types", ["transform"]);
  }

  init(p: Reader, schema: Schema): void {
    super.init(p, schema);
    const names = ["b", "i", "l", "f", "d", "s", "raw", "t", "v"];
    for (let k = 0; k < names.length; k++) {
      const size = k == 8 ? 3 : 0;
      this.in.push(schema.input(names[k], <Type>(k + 1), size));
      this.out.push(schema.output(names[k], <Type>(k + 1), size));
    }
    this.both = schema.output("both", Type.Float64);
    this.text = schema.output("text", Type.Utf8);
  }

  transform(rows: i32): void {
    for (let k = 0; k < 9; k++) {
      const x = this.in[k], y = this.out[k];
      // Half of the columns share the nulls, half set their own.
      const own = (k & 1) != 0;
      if (!own && k != 6) y.nullsOf(x);
      for (let row = 0; row < rows; row++) {
        const absent = x.isNull(row);
        if (absent && (k == 5 || k == 6)) {
          y.appendNull();
          continue;
        }
        if (absent && own) y.setNull(row);
        switch (k) {
          case 0: y.setBool(row, x.bool(row)); break;
          case 1: y.setI32(row, x.i32(row)); break;
          case 2: y.setI64(row, x.i64(row)); break;
          case 3: y.setF32(row, x.f32(row)); break;
          case 4: y.setF64(row, x.f64(row)); break;
          case 5: y.appendText(x.text(row)); break;
          case 6: y.append(x.address(row), x.length(row)); break;
          case 7: y.setI64(row, x.i64(row)); break;
          case 8: memory.copy(y.vector(row), x.vector(row), 12);
        }
      }
    }
    const i = this.in[1], d = this.in[4];
    this.both.nullsOf(i);
    this.both.nullsOf(d);
    for (let row = 0; row < rows; row++) {
      this.both.setF64(row, <f64>i.i32(row) + d.f64(row));
      this.text.appendText(i.isNull(row) ? "żółw 🐢" : i.i32(row).toString());
    }
  }
}

register(new Types());
