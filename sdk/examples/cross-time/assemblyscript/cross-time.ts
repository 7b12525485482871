// cross-time hashes the cross of two text columns, and takes a time apart.

import { Description, Input, Output, Plugin, Reader, Schema, Type, fail, register } from "../../../assemblyscript/assembly";

export * from "../../../assemblyscript/assembly/exports/transform";

const HOUR: i64 = 3600000000; // µs
const DAY: i64 = 24 * HOUR;

/** sin(2π · hour / 24), correctly rounded; cos is six hours on. */
const SIN: StaticArray<f64> = [
  0.0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
  1.0, 0.9659258262890683, 0.8660254037844386, 0.7071067811865476, 0.5, 0.25881904510252074,
  0.0, -0.25881904510252074, -0.5, -0.7071067811865476, -0.8660254037844386, -0.9659258262890683,
  -1.0, -0.9659258262890683, -0.8660254037844386, -0.7071067811865476, -0.5, -0.25881904510252074,
];

class CrossTime extends Plugin {
  private buckets: u64 = 0;
  private a!: Input;
  private b!: Input;
  private time!: Input;
  private cross!: Output;
  private hour!: Output;
  private dayOfWeek!: Output;
  private month!: Output;
  private sin!: Output;
  private cos!: Output;

  describe(): Description {
    const d = new Description("cross-time", ["transform"]);
    d.version = "1.0.0";
    d.summary = "Hashes the cross of two texts, and takes a time apart.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["a","b","time","buckets"],"properties":{
      "a":{"type":"string","minLength":1},"b":{"type":"string","minLength":1},"time":{"type":"string","minLength":1},
      "buckets":{"type":"integer","minimum":1,"maximum":2147483647}}}`;
    return d;
  }

  init(p: Reader, schema: Schema): void {
    let a = "", b = "", time = "";
    p.object();
    while (p.member()) {
      if (p.name == "a") a = p.string();
      else if (p.name == "b") b = p.string();
      else if (p.name == "time") time = p.string();
      else if (p.name == "buckets") this.buckets = p.integer(1, i32.MAX_VALUE);
      else return p.unknown();
    }
    if (a == "") return fail('parameters: "a" is missing or empty');
    if (b == "") return fail('parameters: "b" is missing or empty');
    if (time == "") return fail('parameters: "time" is missing or empty');
    if (!this.buckets) return fail('parameters: "buckets" is missing');
    this.a = schema.input(a, Type.Utf8);
    this.b = schema.input(b, Type.Utf8);
    this.time = schema.input(time, Type.Timestamp);
    this.cross = schema.output(a + "_x_" + b, Type.Int64);
    this.hour = schema.output(time + "_hour", Type.Int32);
    this.dayOfWeek = schema.output(time + "_day_of_week", Type.Int32);
    this.month = schema.output(time + "_month", Type.Int32);
    this.sin = schema.output(time + "_hour_sin", Type.Float64);
    this.cos = schema.output(time + "_hour_cos", Type.Float64);
  }

  transform(rows: i32): void {
    this.crossTexts(rows);
    this.takeApart(rows);
  }

  private crossTexts(rows: i32): void {
    const a = this.a, b = this.b, cross = this.cross, buckets = this.buckets;
    cross.nullsOf(a);
    cross.nullsOf(b);
    for (let row = 0; row < rows; row++) {
      if (a.isNull(row) || b.isNull(row)) continue;
      let h = fnv1a(14695981039346656037, a.address(row), a.length(row));
      h = (h ^ 0x1f) * 1099511628211;
      cross.setI64(row, fnv1a(h, b.address(row), b.length(row)) % buckets);
    }
  }

  private takeApart(rows: i32): void {
    const time = this.time, hours = this.hour, days = this.dayOfWeek, months = this.month, sin = this.sin, cos = this.cos;
    hours.nullsOf(time);
    days.nullsOf(time);
    months.nullsOf(time);
    sin.nullsOf(time);
    cos.nullsOf(time);
    for (let row = 0; row < rows; row++) {
      const t = time.isNull(row) ? 0 : time.i64(row);
      const day = floorDivide(t, DAY), hour = <i32>((t - day * DAY) / HOUR);
      const weekday = <i32>((day + 3) % 7);
      hours.setI32(row, hour);
      days.setI32(row, weekday < 0 ? weekday + 7 : weekday);
      months.setI32(row, monthOf(day));
      sin.setF64(row, unchecked(SIN[hour]));
      cos.setF64(row, unchecked(SIN[hour < 18 ? hour + 6 : hour - 18]));
    }
  }
}

function fnv1a(h: u64, address: usize, length: i32): u64 {
  for (let i = 0; i < length; i++) h = (h ^ load<u8>(address + i)) * 1099511628211;
  return h;
}

/** a / b rounded down; b > 0. */
function floorDivide(a: i64, b: i64): i64 {
  const q = a / b;
  return q * b > a ? q - 1 : q;
}

/** The month, 1 to 12, of a day since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms"). */
function monthOf(day: i64): i32 {
  const z = day + 719468, era = floorDivide(z, 146097);
  const doe = <i32>(z - era * 146097);
  const yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const mp = (5 * doy + 2) / 153;
  return mp < 10 ? mp + 3 : mp - 9;
}

register(new CrossTime());
