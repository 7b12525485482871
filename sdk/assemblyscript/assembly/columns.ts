import { Batch, Column, Type, typeName, widthOf, MAGIC, MAX_ROWS } from "./batch";
import { Utf8, quoted } from "./buffer";
import { fail } from "./errors";

/** One zero byte: the validity of a single row without a value. */
const nothing: usize = memory.data(8, 8);

/**
 * A column that a plugin reads. Schema.input makes it once; before each call the SDK points it at that call's rows, without
 * copying. Rows count from 0. What the accessors answer at a null is unspecified: ask isNull first.
 */
@final
export class Input {
  /** One bit a row, 1 = has a value; 0 = every row has one. */
  validity: usize = 0;
  /** rows + 1 int32, for utf8 and binary. */
  offsets: usize = 0;
  /** The first value. Hot loops run over this with load<T>. */
  values: usize = 0;

  private pair: StaticArray<i32> = new StaticArray<i32>(2); // the offsets of a single row

  constructor(
    readonly name: Utf8,
    readonly type: Type,
    readonly listSize: i32,
  ) {}

  /** Whether there are nulls to look for at all. */
  @inline get mayBeNull(): bool {
    return this.validity != 0;
  }

  /** Whether the row has no value. */
  @inline isNull(row: i32): bool {
    return this.validity != 0 && !((load<u8>(this.validity + (row >> 3)) >> (row & 7)) & 1);
  }

  /** A value of a float64 column. */
  @inline f64(row: i32): f64 {
    return load<f64>(this.values + (<usize>row << 3));
  }

  /** A value of a float32 column. */
  @inline f32(row: i32): f32 {
    return load<f32>(this.values + (<usize>row << 2));
  }

  /** A value of an int64 or timestamp column. */
  @inline i64(row: i32): i64 {
    return load<i64>(this.values + (<usize>row << 3));
  }

  /** A value of an int32 column. */
  @inline i32(row: i32): i32 {
    return load<i32>(this.values + (<usize>row << 2));
  }

  /** A value of a bool column. */
  @inline bool(row: i32): bool {
    return ((load<u8>(this.values + (row >> 3)) >> (row & 7)) & 1) != 0;
  }

  /** Where the bytes of a utf8 or binary value begin. */
  @inline address(row: i32): usize {
    return this.values + load<i32>(this.offsets + (<usize>row << 2));
  }

  /** How many bytes a utf8 or binary value has. */
  @inline length(row: i32): i32 {
    const p = this.offsets + (<usize>row << 2);
    return load<i32>(p, 4) - load<i32>(p);
  }

  /** A utf8 value as a new string. Comparing bytes (Utf8.same) is far cheaper. */
  text(row: i32): string {
    return String.UTF8.decodeUnsafe(this.address(row), this.length(row));
  }

  /** Where the float32 of a vector begin; there are listSize. */
  @inline vector(row: i32): usize {
    return this.values + <usize>row * (<usize>this.listSize << 2);
  }

  /** Points the input at a column. */
  _bind(c: Column): bool {
    if (<Type>c.type != this.type || c.listSize != this.listSize) {
      fail("input column " + quoted(this.name.toString()) + " must be " + typeName(this.type) + (this.listSize ? " of " + this.listSize.toString() + " elements" : ""));
      return false;
    }
    this.validity = c.validity;
    this.offsets = c.offsets;
    this.values = c.values;
    return true;
  }

  /** Points the input at its place in a single row (ABI.md, section 10), which each type's first value fits. */
  _bindRow(place: usize, valid: bool): void {
    this.validity = valid ? 0 : nothing;
    this.values = place;
    if (this.type == Type.Utf8 || this.type == Type.Binary) {
      unchecked((this.pair[1] = valid ? load<i32>(place, 4) : 0));
      this.offsets = changetype<usize>(this.pair);
      this.values = load<usize>(place);
    }
  }
}

/**
 * A column that a plugin writes. Schema.output makes it once; before each call the SDK sees to it that `values` has room for all rows.
 * Every row must be written: values still hold what an earlier call left. utf8 and binary rows are appended in order. Rows have
 * values unless setNull or nullsOf said otherwise in this call.
 */
@final
export class Output {
  /** The first value. Hot loops run over this with store<T>. */
  values: usize = 0;
  /** One bit a row, 1 = has a value; 0 = every row has one. */
  validity: usize = 0;
  /** rows + 1 int32, for utf8 and binary. */
  offsets: usize = 0;

  private rows: i32 = 0;
  private capacity: i32 = 0;
  private data: ArrayBuffer | null = null;
  private bits: ArrayBuffer | null = null;
  private starts: ArrayBuffer | null = null;
  private used: i32 = 0; // bytes, of a variable type
  private next: i32 = 0; // row, of a variable type

  constructor(
    readonly name: Utf8,
    readonly type: Type,
    readonly listSize: i32,
  ) {}

  /** Writes a value of a float64 column. */
  @inline setF64(row: i32, v: f64): void {
    store<f64>(this.values + (<usize>row << 3), v);
  }

  /** Writes a value of a float32 column. */
  @inline setF32(row: i32, v: f32): void {
    store<f32>(this.values + (<usize>row << 2), v);
  }

  /** Writes a value of an int64 or timestamp column. */
  @inline setI64(row: i32, v: i64): void {
    store<i64>(this.values + (<usize>row << 3), v);
  }

  /** Writes a value of an int32 column. */
  @inline setI32(row: i32, v: i32): void {
    store<i32>(this.values + (<usize>row << 2), v);
  }

  /** Writes a value of a bool column. */
  @inline setBool(row: i32, v: bool): void {
    const p = this.values + (row >> 3), bit: u8 = 1 << (<u8>row & 7);
    store<u8>(p, v ? load<u8>(p) | bit : load<u8>(p) & ~bit);
  }

  /** Where the float32 of a vector go; there are listSize. */
  @inline vector(row: i32): usize {
    return this.values + <usize>row * (<usize>this.listSize << 2);
  }

  /** Appends the next row of a utf8 or binary column: length bytes that are at address. */
  append(address: usize, length: i32): void {
    const to = this.room(length);
    if (length) memory.copy(to, address, length);
    this.close();
  }

  /** Appends the next row of a utf8 column. */
  appendText(text: string): void {
    const n = String.UTF8.byteLength(text), to = this.room(n);
    String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, to, false, String.UTF8.ErrorMode.REPLACE);
    this.close();
  }

  /** Appends a row without a value to a utf8 or binary column. */
  appendNull(): void {
    const row = this.next;
    this.room(0);
    this.close();
    this.setNull(row);
  }

  /** Says that the row has no value. In a utf8 or binary column it must be appended all the same. */
  setNull(row: i32): void {
    const p = this.ownBits() + (row >> 3);
    store<u8>(p, load<u8>(p) & ~(1 << (<u8>row & 7)));
  }

  /** Says that a row without a value in x has none here. With several inputs, call it for each. */
  nullsOf(x: Input): void {
    if (!x.validity) return;
    if (!this.validity) {
      this.validity = x.validity; // shared: nobody writes to it
      return;
    }
    const n = (this.rows + 7) >> 3, p = this.ownBits();
    for (let i = 0; i < n; i++) store<u8>(p + i, load<u8>(p + i) & load<u8>(x.validity + i));
  }

  /** A validity bitmap that may be written to, holding what counts so far. */
  private ownBits(): usize {
    const n = (this.rows + 7) >> 3;
    let own = this.bits;
    if (own === null || own.byteLength < n) this.bits = own = new ArrayBuffer(max(n, MAX_ROWS >> 3));
    const p = changetype<usize>(own);
    if (this.validity == p) return p;
    if (this.validity) memory.copy(p, this.validity, n);
    else memory.fill(p, 0xff, n);
    this.validity = p;
    return p;
  }

  private room(length: i32): usize {
    const from = this.used, want = from + length;
    let data = this.data!;
    if (want > data.byteLength) {
      const more = new ArrayBuffer(max(want, data.byteLength << 1));
      memory.copy(changetype<usize>(more), changetype<usize>(data), from);
      this.data = data = more;
      this.values = changetype<usize>(more);
    }
    this.used = want;
    return changetype<usize>(data) + from;
  }

  private close(): void {
    store<i32>(this.offsets + (<usize>++this.next << 2), this.used);
  }

  private get variable(): bool {
    return this.type == Type.Utf8 || this.type == Type.Binary;
  }

  /** Makes ready for that many rows. */
  _begin(rows: i32): void {
    this.rows = rows;
    this.validity = 0;
    this.used = this.next = 0;
    if (rows > this.capacity || this.data === null) this.reserve(rows);
    this.values = changetype<usize>(this.data);
    this.offsets = changetype<usize>(this.starts);
  }

  private reserve(rows: i32): void {
    let n = 1;
    while (n < rows) n <<= 1;
    this.capacity = n;
    if (this.variable) {
      this.starts = new ArrayBuffer((n + 1) << 2); // its first number is 0 and stays so
      if (this.data === null) this.data = new ArrayBuffer(max(64, n << 3));
    } else {
      this.data = new ArrayBuffer(this.type == Type.Bool ? (n + 7) >> 3 : n * widthOf(this.type, this.listSize));
    }
  }

  /** Makes ready for a single row whose value goes to place. */
  _beginRow(place: usize): void {
    if (this.variable) return this._begin(1);
    this.rows = 1;
    this.validity = 0;
    this.values = place;
  }

  /** Finishes the single row at place; answers whether it has a value. */
  _endRow(place: usize): bool {
    switch (this.type) {
      case Type.Int32:
        store<i64>(place, <i64>load<i32>(place));
        break;
      case Type.Bool:
        store<u64>(place, load<u8>(place) & 1);
        break;
      case Type.Float32:
        store<u32>(place, 0, 4);
        break;
      case Type.Utf8:
      case Type.Binary:
        if (!this.complete()) return false;
        store<usize>(place, this.values);
        store<i32>(place, this.used, 4);
    }
    return !this.validity || (load<u8>(this.validity) & 1) != 0;
  }

  /** Writes the descriptor of what the call wrote. */
  _describe(c: Column): void {
    if (!this.complete()) return;
    store<u32>(changetype<usize>(c), this.type);
    c.listSize = this.listSize;
    c.name = this.name.address;
    c.nameLength = this.name.length;
    c.validity = this.validity;
    c.offsets = this.variable ? this.offsets : 0;
    c.values = this.values;
    c.bytes = this.variable ? this.used : this.type == Type.Bool ? (this.rows + 7) >> 3 : this.rows * widthOf(this.type, this.listSize);
  }

  private complete(): bool {
    if (!this.variable || this.next == this.rows) return true;
    fail("output column " + quoted(this.name.toString()) + ": " + this.next.toString() + " of " + this.rows.toString() + " rows were appended");
    return false;
  }
}
