// onehot turns each text column its parameters name into one column for each of its categories, as scikit-learn's
// OneHotEncoder(handle_unknown="ignore") does. A null and a text that is no category give zeros in all of them.

import { Description, Input, Output, Plugin, Reader, Schema, Type, Utf8, fail, quoted, register } from "../../../assemblyscript/assembly";

export * from "../../../assemblyscript/assembly/exports/transform";

class Column {
  categories: Utf8[] = [];
  outputs: Output[] = [];
  table: StaticArray<i32> = new StaticArray<i32>(0); // open addressing: index of a category plus 1, 0 = empty

  constructor(
    readonly name: string,
    readonly input: Input,
  ) {}

  /** The category's index, or -1. */
  find(address: usize, length: i32): i32 {
    const table = this.table, mask = table.length - 1;
    let at = hash(address, length) & mask, i = unchecked(table[at]) - 1;
    while (i >= 0 && !unchecked(this.categories[i]).same(address, length)) {
      at = (at + 1) & mask;
      i = unchecked(table[at]) - 1;
    }
    return i;
  }

  /** Makes the table; fails when a category is listed twice. */
  finish(): void {
    let size = 4;
    while (size < this.categories.length * 2) size *= 2;
    const table = (this.table = new StaticArray<i32>(size));
    for (let i = 0; i < this.categories.length; i++) {
      const c = this.categories[i];
      if (this.find(c.address, c.length) >= 0) return fail("parameters: column " + quoted(this.name) + " lists the category " + quoted(c.toString()) + " twice");
      let at = hash(c.address, c.length) & (size - 1);
      while (table[at]) at = (at + 1) & (size - 1);
      table[at] = i + 1;
    }
  }
}

function hash(address: usize, length: i32): u32 {
  let h: u32 = 2166136261;
  for (let i = 0; i < length; i++) h = (h ^ load<u8>(address + i)) * 16777619;
  return h ^ (h >> 15);
}

class Onehot extends Plugin {
  private columns: Column[] = [];

  describe(): Description {
    const d = new Description("onehot", ["transform"]);
    d.version = "1.0.0";
    d.summary = "One 0/1 column for each category of text columns.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["columns"],"properties":{"columns":{"type":"array","minItems":1,
      "items":{"type":"object","additionalProperties":false,"required":["name","categories"],"properties":{"name":{"type":"string","minLength":1},
      "categories":{"type":"array","minItems":1,"items":{"type":"string"}}}}}}}`;
    return d;
  }

  init(p: Reader, schema: Schema): void {
    p.object();
    while (p.member()) {
      if (p.name != "columns") return p.unknown();
      p.array();
      while (p.item()) this.readColumn(p, schema);
    }
    if (!this.columns.length) fail('parameters: "columns" is missing or empty: give [{"name", "categories"}]');
  }

  private readColumn(p: Reader, schema: Schema): void {
    let name = "";
    const categories: string[] = [];
    p.object();
    while (p.member()) {
      if (p.name == "name") name = p.string();
      else if (p.name == "categories") {
        p.array();
        while (p.item()) categories.push(p.string());
      } else return p.unknown();
    }
    if (name == "") return p.fail('"name" is missing or empty');
    if (!categories.length) return p.fail("column " + quoted(name) + ' lacks "categories"');
    const column = new Column(name, schema.input(name, Type.Utf8));
    for (let i = 0; i < categories.length; i++) {
      column.categories.push(new Utf8(categories[i]));
      column.outputs.push(schema.output(name + "=" + categories[i], Type.Float64));
    }
    column.finish();
    this.columns.push(column);
  }

  transform(rows: i32): void {
    for (let i = 0; i < this.columns.length; i++) {
      const c = unchecked(this.columns[i]), x = c.input;
      for (let k = 0; k < c.outputs.length; k++) memory.fill(unchecked(c.outputs[k]).values, 0, <usize>rows << 3);
      for (let row = 0; row < rows; row++) {
        if (x.isNull(row)) continue;
        const k = c.find(x.address(row), x.length(row));
        if (k >= 0) unchecked(c.outputs[k]).setF64(row, 1);
      }
    }
  }
}

register(new Onehot());
