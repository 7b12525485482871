/**
 * Bytes that grow, for documents, states and texts. Numbers are written little-endian. What it holds stays put until more is
 * written; clear keeps the memory for the next time.
 */
@final
export class Buffer {
  private data: ArrayBuffer = new ArrayBuffer(64);
  private used: i32 = 0;

  /** Where the bytes are. */
  get address(): usize {
    return changetype<usize>(this.data);
  }

  /** How many bytes there are. */
  get length(): i32 {
    return this.used;
  }

  /** Forgets the bytes. */
  clear(): void {
    this.used = 0;
  }

  /** Makes room for n bytes at the end, counts them as written, and answers where they go. */
  grow(n: i32): usize {
    const from = this.used, want = from + n;
    if (want > this.data.byteLength) {
      const more = new ArrayBuffer(max(want, this.data.byteLength << 1));
      memory.copy(changetype<usize>(more), changetype<usize>(this.data), from);
      this.data = more;
    }
    this.used = want;
    return changetype<usize>(this.data) + from;
  }

  /** Appends length bytes that are at address. */
  bytes(address: usize, length: i32): void {
    if (length) memory.copy(this.grow(length), address, length);
  }

  /** Appends text in UTF-8; half a surrogate pair becomes U+FFFD. */
  string(text: string): void {
    const n = text.length;
    // Three bytes are enough for each UTF-16 unit. Plain ASCII goes byte by byte.
    let to = this.grow(n * 3);
    const from = to;
    for (let i = 0; i < n; i++) {
      let c: u32 = load<u16>(changetype<usize>(text) + (i << 1));
      if (c < 0x80) {
        store<u8>(to++, c);
        continue;
      }
      if (c < 0x800) {
        store<u8>(to++, 0xc0 | (c >> 6));
        store<u8>(to++, 0x80 | (c & 63));
        continue;
      }
      if (c >= 0xd800 && c < 0xe000) {
        const next: u32 = i + 1 < n ? load<u16>(changetype<usize>(text) + ((i + 1) << 1)) : 0;
        if (c < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
          c = 0x10000 + (((c - 0xd800) << 10) | (next - 0xdc00));
          i++;
          store<u8>(to++, 0xf0 | (c >> 18));
          store<u8>(to++, 0x80 | ((c >> 12) & 63));
          store<u8>(to++, 0x80 | ((c >> 6) & 63));
          store<u8>(to++, 0x80 | (c & 63));
          continue;
        }
        c = 0xfffd;
      }
      store<u8>(to++, 0xe0 | (c >> 12));
      store<u8>(to++, 0x80 | ((c >> 6) & 63));
      store<u8>(to++, 0x80 | (c & 63));
    }
    this.used -= n * 3 - i32(to - from);
  }

  /** Appends one byte. */
  u8(v: u32): void {
    store<u8>(this.grow(1), v);
  }

  /** Appends four bytes. */
  u32(v: u32): void {
    store<u32>(this.grow(4), v);
  }

  /** Appends eight bytes. */
  u64(v: u64): void {
    store<u64>(this.grow(8), v);
  }

  /** Appends the eight bytes of a float64. */
  f64(v: f64): void {
    store<f64>(this.grow(8), v);
  }

  /** Address and length as exports answer them: address << 32 | length. */
  packed(): u64 {
    return ((<u64>this.address) << 32) | <u64>this.used;
  }

  /** The bytes as text; they must be UTF-8. */
  toString(): string {
    return String.UTF8.decodeUnsafe(this.address, this.used);
  }
}

/**
 * Bytes that somebody else wrote, read from front to back: a metric's state. Reading past the end answers zeros and sets `short`,
 * so that one check after the last read is enough.
 */
@final
export class ByteReader {
  private at: usize;
  private end: usize;
  /** Whether more was asked for than there is. */
  short: bool = false;

  /** Reads length bytes at address; they must stay. */
  constructor(address: usize, length: i32) {
    this.at = address;
    this.end = address + length;
  }

  /** How many bytes are left. */
  get left(): i32 {
    return i32(this.end - this.at);
  }

  /** Passes over n bytes and answers where they are; 0 when there are not so many. */
  take(n: i32): usize {
    if (<u32>n > <u32>this.left) {
      this.short = true;
      this.at = this.end;
      return 0;
    }
    const p = this.at;
    this.at += n;
    return p;
  }

  /** Reads one byte. */
  u8(): u32 {
    const p = this.take(1);
    return p ? load<u8>(p) : 0;
  }

  /** Reads four bytes. */
  u32(): u32 {
    const p = this.take(4);
    return p ? load<u32>(p) : 0;
  }

  /** Reads eight bytes. */
  u64(): u64 {
    const p = this.take(8);
    return p ? load<u64>(p) : 0;
  }

  /** Reads a float64. */
  f64(): f64 {
    const p = this.take(8);
    return p ? load<f64>(p) : 0;
  }
}

/** Text as the ABI has it: UTF-8 at an address that stays. Make it once, for names and for what is looked up in columns. */
@final
export class Utf8 {
  private data: ArrayBuffer;

  /** The UTF-8 of text; half a surrogate pair becomes U+FFFD. */
  constructor(text: string) {
    this.data = String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
  }

  /** Where the bytes are. */
  get address(): usize {
    return changetype<usize>(this.data);
  }

  /** How many bytes there are. */
  get length(): i32 {
    return this.data.byteLength;
  }

  /** Whether the length bytes at address are the same text. */
  same(address: usize, length: i32): bool {
    if (length != this.data.byteLength) return false;
    const own = changetype<usize>(this.data), n = <usize>length;
    let i: usize = 0;
    for (; i + 8 <= n; i += 8) if (load<u64>(own + i) != load<u64>(address + i)) return false;
    for (; i < n; i++) if (load<u8>(own + i) != load<u8>(address + i)) return false;
    return true;
  }

  /** The text. */
  toString(): string {
    return String.UTF8.decode(this.data);
  }
}

/** text between double quotes, with what JSON escapes escaped: how names are shown in error texts. */
export function quoted(text: string): string {
  let out = '"', from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
    out += text.substring(from, i);
    from = i + 1;
    if (c >= 0x20) out += "\\" + String.fromCharCode(c);
    else out += "\\u00" + String.fromCharCode(c < 16 ? 0x30 : 0x31) + "0123456789abcdef".charAt(c & 15);
  }
  return out + text.substring(from) + '"';
}
