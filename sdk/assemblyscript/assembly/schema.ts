import { Batch, Column, Type, typeName, widthOf, MAGIC } from "./batch";
import { Buffer, Utf8, quoted } from "./buffer";
import { Input, Output } from "./columns";
import { fail, failed } from "./errors";
import { Writer } from "./writer";

/**
 * The columns of a plugin with its parameters: Plugin.init declares them, once. A plugin that declares outputs always answers
 * exactly these, in this order.
 */
@final
export class Schema {
  /** Makes other columns in a batch than the declared inputs an error; by default they are passed over. */
  only: bool = false;

  private inputs: Input[] = [];
  private outputs: Output[] = [];
  private batch: ArrayBuffer = new ArrayBuffer(32);
  private columns: ArrayBuffer = new ArrayBuffer(0);
  private row: ArrayBuffer = new ArrayBuffer(0);

  /** Declares a column to read. listSize is for float vectors alone. Names within the inputs must differ. */
  input(name: string, type: Type, listSize: i32 = 0): Input {
    const column = new Input(this.check(name, type, listSize, true), type, listSize);
    this.inputs.push(column);
    return column;
  }

  /** Declares a column to write. listSize is for float vectors alone. Names within the outputs must differ. */
  output(name: string, type: Type, listSize: i32 = 0): Output {
    const column = new Output(this.check(name, type, listSize, false), type, listSize);
    this.outputs.push(column);
    return column;
  }

  private check(name: string, type: Type, listSize: i32, reads: bool): Utf8 {
    const text = new Utf8(name);
    const which = reads ? "input column " : "output column ";
    if (text.length == 0) fail(which + "without a name");
    if (text.length > 1024) fail(which + quoted(name) + ": the name has more than 1024 bytes");
    if (typeName(type) == "") fail(which + quoted(name) + ": there is no type " + (<i32>type).toString());
    if ((type == Type.FloatVector) != listSize > 0) fail(which + quoted(name) + ": a list size is for float vectors alone, and they need one");
    if (reads ? this.inputs.length == 4096 : this.outputs.length == 4096) fail("more than 4096 columns");
    return text;
  }

  /** Makes room for descriptors and a row; called when init is through. */
  _finish(): void {
    this.distinct(true);
    this.distinct(false);
    const n = this.outputs.length;
    this.columns = new ArrayBuffer(n << 5);
    let size: usize = words(n) << 3;
    for (let i = 0; i < n; i++) size += placeOf(this.outputs[i].type, this.outputs[i].listSize);
    this.row = new ArrayBuffer(<i32>size);
    const b = changetype<Batch>(changetype<usize>(this.batch));
    b.magic = MAGIC;
    b.version = 1;
    b.columns = n;
    b.descriptors = changetype<usize>(this.columns);
  }

  private distinct(reads: bool): void {
    const seen = new Set<string>(), n = reads ? this.inputs.length : this.outputs.length;
    for (let i = 0; i < n; i++) {
      const name = (reads ? this.inputs[i].name : this.outputs[i].name).toString();
      if (seen.has(name)) return fail("two " + (reads ? "inputs" : "outputs") + " are named " + quoted(name));
      seen.add(name);
    }
  }

  /** Points the inputs at a batch's columns. */
  _bind(batch: Batch): bool {
    const have = <i32>batch.columns;
    const inputs = this.inputs;
    for (let k = 0, n = inputs.length; k < n; k++) {
      const input = unchecked(inputs[k]);
      // Callers give columns in the schema's order nearly always.
      let at = k;
      if (k >= have || !input.name.same(batch.column(k).name, batch.column(k).nameLength)) {
        at = 0;
        while (at < have && !input.name.same(batch.column(at).name, batch.column(at).nameLength)) at++;
        if (at == have) {
          fail("input column " + quoted(input.name.toString()) + " is missing");
          return false;
        }
      }
      if (!input._bind(batch.column(at))) return false;
    }
    if (this.only && have > inputs.length) this.refuseOthers(batch);
    return !failed();
  }

  private refuseOthers(batch: Batch): void {
    for (let i = 0; i < <i32>batch.columns; i++) {
      const c = batch.column(i);
      let k = 0;
      while (k < this.inputs.length && !this.inputs[k].name.same(c.name, c.nameLength)) k++;
      if (k == this.inputs.length) return fail("input column " + quoted(String.UTF8.decodeUnsafe(c.name, c.nameLength)) + " is not among the parameters");
    }
  }

  /** Makes the outputs ready for that many rows. */
  _begin(rows: i32): void {
    const outputs = this.outputs;
    for (let k = 0, n = outputs.length; k < n; k++) unchecked(outputs[k])._begin(rows);
  }

  /** The batch that the outputs make. */
  _end(rows: i32): usize {
    const outputs = this.outputs, descriptors = changetype<usize>(this.columns);
    for (let k = 0, n = outputs.length; k < n; k++) unchecked(outputs[k])._describe(changetype<Column>(descriptors + (<usize>k << 5)));
    const b = changetype<Batch>(changetype<usize>(this.batch));
    b.rows = rows;
    return changetype<usize>(this.batch);
  }

  /** Points inputs and outputs at a single row. */
  _beginRow(row: usize): void {
    const inputs = this.inputs, outputs = this.outputs;
    let place = row + (words(inputs.length) << 3);
    for (let k = 0, n = inputs.length; k < n; k++) {
      const input = unchecked(inputs[k]);
      input._bindRow(place, ((load<u8>(row + (k >> 3)) >> (k & 7)) & 1) != 0);
      place += placeOf(input.type, input.listSize);
    }
    place = changetype<usize>(this.row) + (words(outputs.length) << 3);
    for (let k = 0, n = outputs.length; k < n; k++) {
      const output = unchecked(outputs[k]);
      output._beginRow(place);
      place += placeOf(output.type, output.listSize);
    }
  }

  /** The row that the outputs make. */
  _endRow(): usize {
    const outputs = this.outputs, row = changetype<usize>(this.row), n = outputs.length;
    let place = row + (words(n) << 3), word: u64 = 0;
    for (let k = 0; k < n; k++) {
      const output = unchecked(outputs[k]);
      if (output._endRow(place)) word |= <u64>1 << (k & 63);
      if ((k & 63) == 63 || k == n - 1) {
        store<u64>(row + (<usize>(k >> 6) << 3), word);
        word = 0;
      }
      place += placeOf(output.type, output.listSize);
    }
    return row;
  }

  /** Writes the document of weir_schema. */
  _write(to: Buffer): void {
    const w = new Writer(to);
    w.object();
    w.key("inputs");
    w.array();
    for (let i = 0; i < this.inputs.length; i++) field(w, this.inputs[i].name.toString(), this.inputs[i].type, this.inputs[i].listSize);
    w.end();
    w.key("outputs");
    w.array();
    for (let i = 0; i < this.outputs.length; i++) field(w, this.outputs[i].name.toString(), this.outputs[i].type, this.outputs[i].listSize);
    w.end();
    w.end();
  }
}

function field(w: Writer, name: string, type: Type, listSize: i32): void {
  w.object();
  w.key("name");
  w.string(name);
  w.key("type");
  w.string(typeName(type));
  if (listSize) {
    w.key("list_size");
    w.integer(listSize);
  }
  w.end();
}

/** 64-bit words of a row's validity. */
// @ts-ignore: decorator
@inline
function words(columns: i32): usize {
  return <usize>(columns + 63) >> 6;
}

/** Bytes of a column's place in a row. */
// @ts-ignore: decorator
@inline
function placeOf(type: Type, listSize: i32): usize {
  return type == Type.FloatVector ? (<usize>listSize * 4 + 7) & ~7 : 8;
}
