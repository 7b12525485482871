// Batches exactly as they lie in memory (ABI.md, section 4). Most plugins use Input and Output (columns.ts) instead.

/** The types of columns, by their codes. */
export enum Type {
  Bool = 1,
  Int32 = 2,
  Int64 = 3,
  Float32 = 4,
  Float64 = 5,
  Utf8 = 6,
  Binary = 7,
  /** int64 microseconds since 1970-01-01T00:00:00Z. */
  Timestamp = 8,
  /** A fixed number of float32 a row. */
  FloatVector = 9,
}

/** The names of the types, as documents have them; "" for a code that is none. */
export function typeName(type: Type): string {
  switch (type) {
    case Type.Bool: return "bool";
    case Type.Int32: return "int32";
    case Type.Int64: return "int64";
    case Type.Float32: return "float32";
    case Type.Float64: return "float64";
    case Type.Utf8: return "utf8";
    case Type.Binary: return "binary";
    case Type.Timestamp: return "timestamp";
    case Type.FloatVector: return "float_vector";
  }
  return "";
}

/** Bytes of one fixed-width value; 0 for bool (bits), utf8 and binary (variable). */
export function widthOf(type: Type, listSize: i32): i32 {
  switch (type) {
    case Type.Int32:
    case Type.Float32: return 4;
    case Type.Int64:
    case Type.Float64:
    case Type.Timestamp: return 8;
    case Type.FloatVector: return 4 * listSize;
  }
  return 0;
}

/** The most rows that a chunk has. */
export const MAX_ROWS = 8192;

/** "WBT1". */
export const MAGIC: u32 = 0x31544257;

/** A column descriptor: 32 bytes in memory, of which this is a view. */
@unmanaged
export class Column {
  type: u8;
  private zero8: u8;
  private zero16: u16;
  /** Elements a row of a float vector, otherwise 0. */
  listSize: u32;
  /** The name's UTF-8. */
  name: usize;
  nameLength: u32;
  /** One bit a row, 1 = has a value; 0 = every row has one. */
  validity: usize;
  /** rows + 1 int32, only for utf8 and binary. */
  offsets: usize;
  values: usize;
  /** Bytes of the values. */
  bytes: u32;

  /** Whether the row has no value. */
  isNull(row: i32): bool {
    return this.validity != 0 && !((load<u8>(this.validity + (row >> 3)) >> (row & 7)) & 1);
  }
}

/** A batch header: 32 bytes in memory, of which this is a view. */
@unmanaged
export class Batch {
  magic: u32;
  version: u16;
  flags: u16;
  rows: u32;
  columns: u32;
  /** Where the descriptors are, one after the other. */
  descriptors: usize;
  private zero32: u32;
  private zero64: u64;

  /** The i-th column; i is below columns. */
  column(i: i32): Column {
    return changetype<Column>(this.descriptors + (<usize>i << 5));
  }
}
