import { Buffer } from "./buffer";
import { fail } from "./errors";

/**
 * Writes JSON at the end of a buffer. Commas come by themselves:
 *
 *     w.object(); w.key("bins"); w.integer(10); w.key("edges"); w.array(); w.number(0.5); w.end(); w.end();
 */
@final
export class Writer {
  private comma: bool = false; // whether the next value or key needs one before it
  private brackets: StaticArray<u8> = new StaticArray<u8>(DEPTH); // the closing ones, of what is open
  private depth: i32 = 0;

  constructor(private to: Buffer) {}

  private before(): void {
    if (this.comma) this.to.u8(0x2c);
    this.comma = true;
  }

  private open(bracket: u8): void {
    this.before();
    this.comma = false;
    this.to.u8(bracket);
    if (this.depth == DEPTH) return fail("a document is nested deeper than " + DEPTH.toString());
    this.brackets[this.depth++] = bracket + 2;
  }

  /** Opens an object: key and value follow in turn, then end. */
  object(): void {
    this.open(0x7b);
  }

  /** Opens an array: values follow, then end. */
  array(): void {
    this.open(0x5b);
  }

  /** Closes the object or array that was opened last. */
  end(): void {
    if (!this.depth) return fail("a document has one end too many");
    this.to.u8(this.brackets[--this.depth]);
    this.comma = true;
  }

  /** Writes the name of a member; its value is next. */
  key(name: string): void {
    this.string(name);
    this.to.u8(0x3a);
    this.comma = false;
  }

  /** Writes a text. */
  string(text: string): void {
    this.before();
    const to = this.to;
    to.u8(0x22);
    let from = 0;
    for (let i = 0, n = text.length; i < n; i++) {
      const c = text.charCodeAt(i);
      if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
      if (i > from) to.string(text.substring(from, i));
      from = i + 1;
      to.u8(0x5c);
      if (c >= 0x20) {
        to.u8(c);
        continue;
      }
      to.string(c < 16 ? "u000" : "u001");
      to.u8(hex(c & 15));
    }
    to.string(from ? text.substring(from) : text);
    to.u8(0x22);
  }

  /** Writes the shortest decimal number that reads back as v; NaN and infinities, which JSON lacks, make the export fail. */
  number(v: f64): void {
    if (v - v != 0) {
      fail("JSON has no number " + v.toString());
      v = 0;
    }
    this.before();
    if (reinterpret<u64>(v) >> 63 && v == 0) return this.to.string("-0"); // the standard library drops the sign
    const text = v.toString();
    this.to.string(text.endsWith(".0") ? text.substring(0, text.length - 2) : text);
  }

  /** Writes a whole number. */
  integer(v: i64): void {
    this.before();
    this.to.string(v.toString());
  }

  /** Writes true or false. */
  bool(v: bool): void {
    this.before();
    this.to.string(v ? "true" : "false");
  }

  /** Writes null. */
  null(): void {
    this.before();
    this.to.string("null");
  }

  /** Writes a document that is JSON already. */
  raw(json: string): void {
    this.before();
    this.to.string(json);
  }

  /** Writes bytes as a text in base64. */
  base64(address: usize, length: i32): void {
    this.before();
    this.to.u8(0x22);
    let to = this.to.grow(((length + 2) / 3) * 4);
    for (let i = 0; i < length; i += 3) {
      const left = length - i;
      const v: u32 = (<u32>load<u8>(address + i) << 16) | (left > 1 ? <u32>load<u8>(address + i, 1) << 8 : 0) | (left > 2 ? <u32>load<u8>(address + i, 2) : 0);
      store<u8>(to, letter(v >> 18));
      store<u8>(to, letter((v >> 12) & 63), 1);
      store<u8>(to, left > 1 ? letter((v >> 6) & 63) : 0x3d, 2);
      store<u8>(to, left > 2 ? letter(v & 63) : 0x3d, 3);
      to += 4;
    }
    this.to.u8(0x22);
  }
}

/** How deeply what is written may be nested. */
const DEPTH: i32 = 256;

function hex(v: i32): u32 {
  return v < 10 ? 0x30 + v : 0x57 + v;
}

function letter(v: u32): u32 {
  return v < 26 ? 0x41 + v : v < 52 ? 0x47 + v : v < 62 ? v - 4 : v == 62 ? 0x2b : 0x2f;
}
