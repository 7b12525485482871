import { Buffer, quoted } from "./buffer";
import { fail, failed } from "./errors";
import { parseDecimal } from "./number";

/** The kinds of JSON values; None is what follows the end or an error. */
export enum Kind {
  None,
  Null,
  Bool,
  Number,
  Text,
  Array,
  Object,
}

/** How deeply what is read may be nested. */
const DEPTH: i32 = 256;

const kinds: StaticArray<string> = ["no value", "null", "a boolean", "a number", "a text", "an array", "an object"];

/** What a text is unescaped into. */
const scratch = new Buffer();

/**
 * Reads one JSON document from front to back, strictly:
 *
 *     r.object();
 *     while (r.member()) {
 *       if (r.name == "edges") {
 *         r.array();
 *         while (r.item()) edges.push(r.number());
 *       } else r.unknown();
 *     }
 *
 * Each member's value must be taken, with a method that reads one or with skip. The first problem makes the export fail with line
 * and column (from 1, in characters), and ends all loops: from then on every method does nothing and answers empty values, so nothing
 * has to be checked in between. A member that stands twice comes twice. Numbers are the nearest double. Half a surrogate pair
 * in an escape reads as U+FFFD. Bytes must be valid UTF-8.
 */
@final
export class Reader {
  /** The name of the member whose value is next. */
  name: string = "";

  private at: usize;
  private end: usize;
  private depth: i32 = 0;
  private first: StaticArray<bool> = new StaticArray<bool>(DEPTH + 1); // by depth: no element was taken yet
  private wants: usize = 0; // where a value begins that must be taken before the next element
  private bad: bool = false;

  /** Reads length bytes at address, which must stay; what opens error texts, such as "parameters". */
  constructor(
    private from: usize,
    length: i32,
    private what: string,
  ) {
    this.at = from;
    this.end = from + length;
  }

  /** The next value's kind, told by its first byte; nothing is taken. */
  kind(): Kind {
    const c = this.peek();
    switch (c) {
      case 0x6e: return Kind.Null;
      case 0x74:
      case 0x66: return Kind.Bool;
      case 0x2d: return Kind.Number;
      case 0x22: return Kind.Text;
      case 0x5b: return Kind.Array;
      case 0x7b: return Kind.Object;
    }
    return c - 0x30 < 10 ? Kind.Number : Kind.None;
  }

  /** Enters an object. */
  object(): void {
    this.enter(Kind.Object);
  }

  /** Enters an array. */
  array(): void {
    this.enter(Kind.Array);
  }

  /** Moves to the object's next member and reads its name; false at the end, which it leaves. */
  member(): bool {
    if (!this.next(0x7d)) return false;
    if (this.peek() != 0x22) return this.syntax("the name of a member");
    this.name = this.string();
    if (this.peek() != 0x3a) return this.syntax('":" after the name of a member');
    this.at++;
    this.peek();
    this.wants = this.at;
    return !this.bad;
  }

  /** Moves to the array's next item; false at the end, which it leaves. */
  item(): bool {
    if (!this.next(0x5d)) return false;
    this.peek();
    this.wants = this.at;
    return !this.bad;
  }

  /** Takes a text. */
  string(): string {
    if (!this.expect(Kind.Text)) return "";
    return this.unquote() ? scratch.toString() : "";
  }

  /** Takes a number. */
  number(): f64 {
    if (!this.expect(Kind.Number)) return 0;
    const from = this.at, negative = load<u8>(from) == 0x2d;
    if (negative) this.at++;
    let good = this.is(0x30, 0x30) || this.digits();
    if (good && this.is(0x2e, 0x2e)) good = this.digits();
    if (good && this.is(0x65, 0x45)) {
      this.is(0x2b, 0x2d);
      good = this.digits();
    }
    if (!good) {
      this.failAt(from, "the number is damaged");
      return 0;
    }
    const digits = from + usize(negative), v = parseDecimal(digits, i32(this.at - digits));
    if (v == Infinity) this.failAt(from, this.named() + "the number " + String.UTF8.decodeUnsafe(from, min(this.at - from, 40)) + " is too large");
    return negative ? -v : v;
  }

  /** Takes a whole number from low to high, which lie within ±2^53. */
  integer(low: i64, high: i64): i64 {
    this.peek();
    const from = this.at, v = this.number();
    if (!(v >= <f64>low && v <= <f64>high && Math.trunc(v) == v)) {
      this.failAt(from, this.named() + "a whole number from " + low.toString() + " to " + high.toString() + " is expected");
      return low;
    }
    return <i64>v;
  }

  /** Takes true or false. */
  bool(): bool {
    if (!this.expect(Kind.Bool)) return false;
    if (load<u8>(this.at) == 0x74) return this.word("true");
    this.word("false");
    return false;
  }

  /** Takes a null if that comes next, and answers whether; it takes nothing else. */
  null(): bool {
    return this.kind() == Kind.Null && this.word("null");
  }

  /** Takes any value and drops it. */
  skip(): void {
    switch (this.kind()) {
      case Kind.Array:
        this.array();
        while (this.item()) this.skip();
        break;
      case Kind.Object:
        this.object();
        while (this.member()) this.skip();
        break;
      case Kind.Text:
        this.string();
        break;
      case Kind.Number:
        this.number();
        break;
      case Kind.Bool:
        this.bool();
        break;
      case Kind.Null:
        this.null();
        break;
      default:
        this.syntax("a value");
    }
  }

  /** Takes a text that is base64, and appends its bytes to the buffer. */
  base64(to: Buffer): void {
    if (!this.expect(Kind.Text)) return;
    const from = this.at;
    if (!this.unquote()) return;
    const n = scratch.length, p = scratch.address;
    let good = (n & 3) == 0;
    for (let i = 0; good && i < n; i += 4) {
      const last = i + 4 == n;
      const pads = last ? i32(load<u8>(p + i, 3) == 0x3d) + i32(load<u8>(p + i, 3) == 0x3d && load<u8>(p + i, 2) == 0x3d) : 0;
      let v: u32 = 0;
      for (let k = 0; k < 4; k++) {
        const six = k < 4 - pads ? sixBits(load<u8>(p + i + k)) : 0;
        if (six > 63) good = false;
        v = (v << 6) | six;
      }
      to.u8((v >> 16) & 255);
      if (pads < 2) to.u8((v >> 8) & 255);
      if (pads < 1) to.u8(v & 255);
    }
    if (!good) this.failAt(from, "the text is not base64");
  }

  /** Refuses the member just come to, which the document should not have. */
  unknown(): void {
    this.fail("unknown field " + quoted(this.name));
  }

  /** Ends the reading with a problem at the present position. */
  fail(problem: string): void {
    this.failAt(this.at, problem);
  }

  /** Checks that nothing but white space follows; answers whether all was good. */
  finish(): bool {
    this.taken();
    if (!this.bad) {
      this.peek();
      if (this.at < this.end) this.syntax("the end of the document");
    }
    return !this.bad && !failed();
  }

  private peek(): u32 {
    if (this.bad) return 0;
    for (; this.at < this.end; this.at++) {
      const c: u32 = load<u8>(this.at);
      if (c != 0x20 && c != 0x0a && c != 0x09 && c != 0x0d) return c;
    }
    return 0;
  }

  private failAt(at: usize, problem: string): void {
    if (this.bad) return;
    this.bad = true;
    let line = 1, column = 1;
    for (let p = this.from; p < at; p++) {
      const c = load<u8>(p);
      if (c == 0x0a) {
        line++;
        column = 1;
      } else if ((c & 0xc0) != 0x80) column++;
    }
    fail(this.what + ": line " + line.toString() + ", column " + column.toString() + ": " + problem);
  }

  /** The member that was come to last, as the beginning of a problem's text. */
  private named(): string {
    return this.name == "" ? "" : quoted(this.name) + ": ";
  }

  private syntax(want: string): bool {
    const c = this.peek();
    if (this.bad) return false;
    if (this.at >= this.end) this.fail("the document ends where " + want + " should follow");
    else this.fail(want + " should follow, not " + (c > 0x20 && c < 0x7f ? quoted(String.fromCharCode(c)) : "the byte " + c.toString()));
    return false;
  }

  private expect(want: Kind): bool {
    const got = this.kind();
    if (this.bad) return false;
    if (got == want) return true;
    if (got == Kind.None) return this.syntax(kinds[want]);
    this.fail(this.named() + kinds[want] + " is expected, not " + kinds[got]);
    return false;
  }

  private enter(kind: Kind): void {
    if (!this.expect(kind)) return;
    if (this.depth == DEPTH) return this.fail("the document is nested deeper than " + DEPTH.toString());
    this.first[++this.depth] = true;
    this.at++;
  }

  /** Sees to it that the last element's value was taken. */
  private taken(): void {
    if (this.wants && this.wants == this.at) this.fail("this value was not read");
    this.wants = 0;
  }

  private next(bracket: u32): bool {
    this.taken();
    if (failed()) this.bad = true; // a problem of the caller's ends the loops, too
    if (this.bad || !this.depth) return false;
    const c = this.peek(), first = this.first[this.depth];
    this.first[this.depth] = false;
    if (c == bracket) {
      this.at++;
      this.depth--;
      return false;
    }
    if (first) return true;
    if (c != 0x2c) return this.syntax(bracket == 0x7d ? '"," or "}"' : '"," or "]"');
    this.at++;
    if (this.peek() == bracket) return this.syntax("a value");
    return true;
  }

  private word(w: string): bool {
    const n = w.length;
    let good = this.end - this.at >= <usize>n;
    for (let i = 0; good && i < n; i++) good = load<u8>(this.at + i) == w.charCodeAt(i);
    if (!good) return this.syntax(quoted(w));
    this.at += n;
    return true;
  }

  private digits(): bool {
    const from = this.at;
    while (this.at < this.end && <u32>load<u8>(this.at) - 0x30 < 10) this.at++;
    return this.at > from;
  }

  private is(a: u32, b: u32): bool {
    if (this.at < this.end && (load<u8>(this.at) == a || load<u8>(this.at) == b)) {
      this.at++;
      return true;
    }
    return false;
  }

  /** Takes the text that begins here into scratch. */
  private unquote(): bool {
    scratch.clear();
    let from = ++this.at;
    while (this.at < this.end) {
      const c: u32 = load<u8>(this.at);
      if (c == 0x22) {
        scratch.bytes(from, i32(this.at++ - from));
        return true;
      }
      if (c < 0x20) {
        this.fail("a control character (" + c.toString() + ") in a text must be escaped");
        return false;
      }
      if (c == 0x5c) {
        scratch.bytes(from, i32(this.at - from));
        if (!this.escape()) return false;
        from = this.at;
      } else if (c < 0x80) {
        this.at++;
      } else {
        const n = sequence(this.at, this.end);
        if (!n) {
          this.fail("the text is not valid UTF-8");
          return false;
        }
        this.at += n;
      }
    }
    this.fail("the document ends inside a text");
    return false;
  }

  private escape(): bool {
    const from = this.at;
    let unit: i32 = -1;
    if (this.end - from >= 2) {
      this.at += 2;
      switch (load<u8>(from, 1)) {
        case 0x22: unit = 0x22; break;
        case 0x5c: unit = 0x5c; break;
        case 0x2f: unit = 0x2f; break;
        case 0x62: unit = 8; break;
        case 0x66: unit = 12; break;
        case 0x6e: unit = 10; break;
        case 0x72: unit = 13; break;
        case 0x74: unit = 9; break;
        case 0x75: unit = this.hex4();
      }
    }
    if (unit < 0) {
      this.failAt(from, "the escape in the text is damaged");
      return false;
    }
    let text = String.fromCharCode(unit);
    if (unit >= 0xd800 && unit < 0xdc00 && this.end - this.at >= 6 && load<u16>(this.at) == 0x755c) {
      const back = this.at;
      this.at += 2;
      const low = this.hex4();
      if (low >= 0xdc00 && low < 0xe000) text = String.fromCharCode(unit, low);
      else this.at = back; // another escape, or a damaged one, on its own
    }
    scratch.string(text);
    return true;
  }

  private hex4(): i32 {
    if (this.end - this.at < 4) return -1;
    let v = 0;
    for (let i = 0; i < 4; i++) {
      const c: u32 = load<u8>(this.at++);
      const lower = c | 0x20;
      const d = c - 0x30 < 10 ? c - 0x30 : lower - 0x61 < 6 ? lower - 0x57 : 16;
      if (d > 15) return -1;
      v = (v << 4) | d;
    }
    return v;
  }
}

/** The length of the UTF-8 sequence of two to four bytes at p (RFC 3629, section 4); 0 when it is none. */
function sequence(p: usize, end: usize): i32 {
  const c: u32 = load<u8>(p);
  const n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
  if (!n || end - p < <usize>n) return 0;
  const second: u32 = load<u8>(p, 1);
  if (second < (c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80) || second > (c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf)) return 0;
  for (let i = 2; i < n; i++) if ((load<u8>(p + i) & 0xc0) != 0x80) return 0;
  return n;
}

function sixBits(c: u32): u32 {
  if (c - 0x41 < 26) return c - 0x41;
  if (c - 0x61 < 26) return c - 0x47;
  if (c - 0x30 < 10) return c + 4;
  return c == 0x2b ? 62 : c == 0x2f ? 63 : 64;
}
