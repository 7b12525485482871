//! Columns and batches exactly as they lie in a wasm32 module's memory (sdk/abi/ABI.md, section 4), with views of their values.

const std = @import("std");
const weir = @import("weir.zig");
const Error = weir.Error;

/// The type of a column; the numbers are the ABI's.
pub const Type = enum(u8) {
    bool = 1,
    int32,
    int64,
    /// NaN is a value, not a null, here and in float64.
    float32,
    float64,
    utf8,
    binary,
    /// Microseconds since 1970-01-01T00:00:00Z, an i64.
    timestamp,
    /// A fixed number of float32 a row.
    float_vector,
    _,
};

/// Which rows have a value: null = all of them, otherwise row i is bit i mod 8 of byte i div 8.
pub const Validity = ?[*]const u8;

/// Bits that can be read and set: a bool column's values, or which rows of an output have a value.
pub const Bits = struct {
    bytes: [*]u8,

    pub fn get(self: Bits, i: usize) bool {
        return self.bytes[i / 8] >> @intCast(i % 8) & 1 == 1;
    }

    pub fn set(self: Bits, i: usize, bit: bool) void {
        const mask = @as(u8, 1) << @intCast(i % 8);
        if (bit) self.bytes[i / 8] |= mask else self.bytes[i / 8] &= ~mask;
    }
};

/// Bits that can be read.
pub const ConstBits = struct {
    bytes: [*]const u8,

    /// The value of row i; unspecified where the row is null.
    pub fn get(self: ConstBits, i: usize) bool {
        return self.bytes[i / 8] >> @intCast(i % 8) & 1 == 1;
    }
};

/// The values of a utf8 or binary column.
pub const Texts = struct {
    column: *const Column,

    /// The bytes of row i; null for a null. In a utf8 column they are valid UTF-8.
    pub fn get(self: Texts, i: usize) ?[]const u8 {
        const c = self.column;
        if (!c.isValid(i)) return null;
        const from: usize = @intCast(c.offsets.?[i]);
        const to: usize = @intCast(c.offsets.?[i + 1]);
        if (from == to) return "";
        return c.values.?[from..to];
    }
};

/// The values of a float_vector column.
pub const Vectors = struct {
    /// All rows, one after the other.
    flat: []const f32,
    /// Elements a row.
    size: usize,

    /// The elements of row i; unspecified where the row is null.
    pub fn get(self: Vectors, i: usize) []const f32 {
        return self.flat[i * self.size ..][0..self.size];
    }
};

/// A column descriptor, 32 bytes in a module.
pub const Column = extern struct {
    type: Type align(8),
    zero: [3]u8 = .{ 0, 0, 0 },
    /// Elements a row of a float vector, otherwise 0.
    list_size: u32 = 0,
    name_address: ?[*]const u8,
    name_len: u32,
    validity: Validity = null,
    offsets: ?[*]const i32 = null,
    values: ?[*]const u8,
    bytes: u32,

    /// A column of numbers of that type without nulls: for native tests.
    pub fn of(comptime T: type, kind: Type, column_name: []const u8, values: []const T) Column {
        return .{ .type = kind, .name_address = column_name.ptr, .name_len = @intCast(column_name.len), .values = @ptrCast(values.ptr), .bytes = @intCast(values.len * @sizeOf(T)) };
    }

    /// A column of texts, row i being text[offsets[i]..offsets[i+1]]: for native tests.
    pub fn ofTexts(column_name: []const u8, text: []const u8, offsets: []const i32) Column {
        var column = of(u8, .utf8, column_name, text);
        column.offsets = offsets.ptr;
        return column;
    }

    /// The name.
    pub fn name(self: *const Column) []const u8 {
        return if (self.name_address) |p| p[0..self.name_len] else "";
    }

    /// Whether row i has a value. What the values hold at a null is unspecified.
    pub fn isValid(self: *const Column, i: usize) bool {
        const bits = self.validity orelse return true;
        return bits[i / 8] >> @intCast(i % 8) & 1 == 1;
    }

    fn is(self: *const Column, kind: Type) Error!void {
        if (self.type != kind) return weir.fail("input column \"{s}\" must be {s}, not {s}", .{ self.name(), @tagName(kind), @tagName(self.type) });
    }

    fn view(self: *const Column, kind: Type, comptime T: type) Error![]const T {
        try self.is(kind);
        if (self.bytes == 0) return &.{};
        const values: [*]const T = @ptrCast(@alignCast(self.values.?));
        return values[0 .. self.bytes / @sizeOf(T)];
    }

    /// The values of a float64 column; an error for another type, as with all below.
    pub fn f64s(self: *const Column) Error![]const f64 {
        return self.view(.float64, f64);
    }

    /// The values of a float32 column.
    pub fn f32s(self: *const Column) Error![]const f32 {
        return self.view(.float32, f32);
    }

    /// The values of an int64 column.
    pub fn i64s(self: *const Column) Error![]const i64 {
        return self.view(.int64, i64);
    }

    /// The values of an int32 column.
    pub fn i32s(self: *const Column) Error![]const i32 {
        return self.view(.int32, i32);
    }

    /// The values of a timestamp column, in microseconds since 1970-01-01T00:00:00Z.
    pub fn timestamps(self: *const Column) Error![]const i64 {
        return self.view(.timestamp, i64);
    }

    /// The values of a bool column.
    pub fn bools(self: *const Column) Error!ConstBits {
        return .{ .bytes = (try self.view(.bool, u8)).ptr };
    }

    /// The values of a float_vector column.
    pub fn vectors(self: *const Column) Error!Vectors {
        return .{ .flat = try self.view(.float_vector, f32), .size = self.list_size };
    }

    /// The values of a utf8 column.
    pub fn texts(self: *const Column) Error!Texts {
        try self.is(.utf8);
        return .{ .column = self };
    }

    /// The values of a binary column.
    pub fn binaries(self: *const Column) Error!Texts {
        try self.is(.binary);
        return .{ .column = self };
    }
};

/// A batch header, 32 bytes in a module. Its memory is the host's, and valid for one call.
pub const Batch = extern struct {
    magic: u32 align(8) = 0x31544257,
    version: u16 = 1,
    flags: u16 = 0,
    rows: u32,
    column_count: u32,
    first: [*]const Column,
    zero: [3]u32 = .{ 0, 0, 0 },

    /// A batch of these columns: for native tests.
    pub fn of(rows: usize, all: []const Column) Batch {
        return .{ .rows = @intCast(rows), .column_count = @intCast(all.len), .first = all.ptr };
    }

    /// All columns, in the caller's order.
    pub fn columns(self: *const Batch) []const Column {
        return if (self.column_count == 0) &.{} else self.first[0..self.column_count];
    }

    /// The column of that name, looked for at place i first, since callers give columns in the schema's order nearly always.
    /// An error that names it when there is none.
    pub fn column(self: *const Batch, i: usize, name: []const u8) Error!*const Column {
        const all = self.columns();
        if (i < all.len and weir.same(all[i].name(), name)) return &all[i];
        for (all) |*c| if (weir.same(c.name(), name)) return c;
        return weir.fail("input column \"{s}\" is missing", .{name});
    }
};

comptime {
    if (@sizeOf(usize) == 4) std.debug.assert(@sizeOf(Column) == 32 and @sizeOf(Batch) == 32);
}
