// PLUGIN_NAME compares, between a reference and a current sample, the share of values above a threshold.
//
// A metric is a summary that can be split and merged: the host may give the rows in any pieces to several instances and merge
// their states in any order, and the answer must be the same. Whole numbers add up exactly, sums of floats do not: keep counts.

import { Buffer, ByteReader, Description, Input, Plugin, Reader, Schema, Scores, Side, Type, fail, register } from "./sdk/assembly";

export * from "./sdk/assembly/exports/metric";

/** Opens a state. */
const VERSION: u32 = 1;

/** One side's values, and those above the threshold; nulls and NaN are left out. */
class Counts {
  count: u64 = 0;
  above: u64 = 0;

  share(): f64 {
    return <f64>this.above / <f64>this.count;
  }
}

class ShareAbove extends Plugin {
  private column: string = "";
  private threshold: f64 = NaN;
  private x!: Input;
  private sides: Counts[] = [new Counts(), new Counts()];

  describe(): Description {
    const d = new Description("PLUGIN_NAME", ["metric"]);
    d.version = "0.1.0";
    d.summary = "How much the share of values above a threshold has moved.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["column","threshold"],"properties":{
      "column":{"type":"string","minLength":1},"threshold":{"type":"number"}}}`;
    return d;
  }

  // The parameters are read strictly: a misspelt one must not pass unnoticed.
  init(p: Reader, schema: Schema): void {
    p.object();
    while (p.member()) {
      if (p.name == "column") this.column = p.string();
      else if (p.name == "threshold") this.threshold = p.number();
      else return p.unknown();
    }
    if (this.column == "") return fail('parameters: "column" is missing or empty');
    if (isNaN(this.threshold)) return fail('parameters: "threshold" is missing');
    this.x = schema.input(this.column, Type.Float64);
  }

  reset(): void {
    this.sides = [new Counts(), new Counts()];
  }

  update(side: Side, rows: i32): void {
    const x = this.x, counts = this.sides[side], threshold = this.threshold;
    for (let row = 0; row < rows; row++) {
      const v = x.f64(row);
      if (v != v || x.isNull(row)) continue;
      counts.count++;
      if (v > threshold) counts.above++;
    }
  }

  state(to: Buffer): void {
    to.u32(VERSION);
    for (let side = 0; side < 2; side++) {
      to.u64(this.sides[side].count);
      to.u64(this.sides[side].above);
    }
  }

  merge(from: ByteReader): void {
    if (from.left != 36 || from.u32() != VERSION) return fail("this is no state of version " + VERSION.toString());
    for (let side = 0; side < 2; side++) {
      this.sides[side].count += from.u64();
      this.sides[side].above += from.u64();
    }
  }

  // More rows may follow: finishing changes nothing.
  finish(scores: Scores): void {
    const reference = this.sides[0], current = this.sides[1];
    const w = !reference.count || !current.count
      ? scores.beginUndefined(this.column, "share_above", "a side has no values")
      : scores.begin(this.column, "share_above", current.share() - reference.share());
    w.key("reference_count");
    w.integer(reference.count);
    w.key("current_count");
    w.integer(current.count);
    scores.close();
  }
}

register(new ShareAbove());
