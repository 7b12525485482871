const std = @import("std");
const weir = @import("weir.zig");
const Arena = @import("arena.zig").Arena;
const Column = weir.Column;
const Error = weir.Error;
const Type = weir.Type;
const Validity = weir.Validity;

/// The columns that a transform answers, in the order in which they were added. Slices have the rows of the input and hold
/// unspecified values at first: write every row. Names must stay where they are until the next call.
pub const Output = struct {
    rows: usize,
    arena: *Arena,
    columns: std.ArrayList(Column) = .empty,
    /// Columns of text of which not all rows were pushed.
    open: usize = 0,

    /// An output of so many rows: for native tests.
    pub fn init(rows: usize) Output {
        return .{ .rows = rows, .arena = &@import("arena.zig").call };
    }

    fn add(self: *Output, name: []const u8, kind: Type, comptime T: type, n: usize, validity: Validity) Error![]T {
        const values = try self.arena.slice(T, n);
        var column = Column.of(T, kind, name, values);
        column.validity = validity;
        try self.columns.append(weir.allocator, column);
        return values;
    }

    /// Adds a float64 column.
    pub fn f64s(self: *Output, name: []const u8, validity: Validity) Error![]f64 {
        return self.add(name, .float64, f64, self.rows, validity);
    }

    /// Adds a float32 column.
    pub fn f32s(self: *Output, name: []const u8, validity: Validity) Error![]f32 {
        return self.add(name, .float32, f32, self.rows, validity);
    }

    /// Adds an int64 column.
    pub fn i64s(self: *Output, name: []const u8, validity: Validity) Error![]i64 {
        return self.add(name, .int64, i64, self.rows, validity);
    }

    /// Adds an int32 column.
    pub fn i32s(self: *Output, name: []const u8, validity: Validity) Error![]i32 {
        return self.add(name, .int32, i32, self.rows, validity);
    }

    /// Adds a timestamp column, in microseconds since 1970-01-01T00:00:00Z.
    pub fn timestamps(self: *Output, name: []const u8, validity: Validity) Error![]i64 {
        return self.add(name, .timestamp, i64, self.rows, validity);
    }

    /// Adds a float_vector column of `size` elements a row, row after row.
    pub fn vectors(self: *Output, name: []const u8, size: usize, validity: Validity) Error![]f32 {
        const values = try self.add(name, .float_vector, f32, self.rows * size, validity);
        self.columns.items[self.columns.items.len - 1].list_size = @intCast(size);
        return values;
    }

    /// Adds a bool column, false at first.
    pub fn bools(self: *Output, name: []const u8, validity: Validity) Error!weir.Bits {
        const bits = try self.add(name, .bool, u8, (self.rows + 7) / 8, validity);
        @memset(bits, 0);
        return .{ .bytes = bits.ptr };
    }

    /// A copy of a validity, to be changed and given to an output: where the input is null, or a row has no result.
    pub fn nulls(self: *Output, from: Validity) Error!weir.Bits {
        const bits = try self.arena.slice(u8, (self.rows + 7) / 8);
        if (from) |bytes| @memcpy(bits, bytes[0..bits.len]) else @memset(bits, 0xff);
        return .{ .bytes = bits.ptr };
    }

    /// Adds a column of the input as it is, without copying it.
    pub fn share(self: *Output, column: *const Column) Error!void {
        try self.columns.append(weir.allocator, column.*);
    }

    /// Adds a utf8 column, to which every row is pushed. Its nulls are those pushed.
    pub fn texts(self: *Output, name: []const u8) Error!TextBuilder {
        return self.variable(name, .utf8);
    }

    /// Adds a binary column, to which every row is pushed. Its nulls are those pushed.
    pub fn binaries(self: *Output, name: []const u8) Error!TextBuilder {
        return self.variable(name, .binary);
    }

    fn variable(self: *Output, name: []const u8, kind: Type) Error!TextBuilder {
        const place = self.columns.items.len;
        _ = try self.add(name, kind, u8, 0, null);
        const offsets = try self.arena.slice(i32, self.rows + 1);
        offsets[0] = 0;
        self.columns.items[place].offsets = offsets.ptr;
        if (self.rows > 0) self.open += 1;
        return .{ .output = self, .place = place, .offsets = offsets, .valid = try self.nulls(null) };
    }

    /// Whether every column is whole.
    pub fn check(self: *const Output) Error!void {
        if (self.open > 0) return weir.fail("{d} output columns of text have fewer rows than the input's {d}", .{ self.open, self.rows });
    }
};

/// Takes the rows of a utf8 or binary column, one after the other.
pub const TextBuilder = struct {
    output: *Output,
    place: usize,
    row: usize = 0,
    used: usize = 0,
    bytes: []u8 = &.{},
    offsets: []i32,
    valid: weir.Bits,
    any_null: bool = false,

    /// Pushes the next row. Text must be valid UTF-8: the host refuses the batch otherwise.
    pub fn push(self: *TextBuilder, text: []const u8) Error!void {
        if (self.row == self.output.rows) return weir.fail("an output column of text has more rows than the input's {d}", .{self.output.rows});
        if (self.used + text.len > self.bytes.len) {
            const more = try self.output.arena.slice(u8, @max((self.used + text.len) * 2, 256));
            @memcpy(more[0..self.used], self.bytes[0..self.used]);
            self.bytes = more;
        }
        @memcpy(self.bytes[self.used..][0..text.len], text);
        self.used += text.len;
        if (self.used > std.math.maxInt(i32)) return error.OutOfMemory;
        self.row += 1;
        self.offsets[self.row] = @intCast(self.used);
        if (self.row < self.output.rows) return;
        const column = &self.output.columns.items[self.place];
        column.values = self.bytes.ptr;
        column.bytes = @intCast(self.used);
        if (self.any_null) column.validity = self.valid.bytes;
        self.output.open -= 1;
    }

    /// Pushes a null as the next row.
    pub fn pushNull(self: *TextBuilder) Error!void {
        self.any_null = true;
        if (self.row < self.output.rows) self.valid.set(self.row, false);
        return self.push("");
    }
};

test "columns of every kind" {
    var arena: Arena = .{};
    var output: Output = .{ .rows = 3, .arena = &arena };
    const bits = [_]u8{0b101};
    const nulls = try output.nulls(&bits);
    nulls.set(0, false);
    @memcpy(try output.f64s("a", nulls.bytes), &[_]f64{ 1, 2, 3 });
    var s = try output.texts("s");
    const long: [300][2]u8 = @splat("ż".*);
    try s.push(@ptrCast(&long));
    try s.pushNull();
    try std.testing.expectError(error.Failed, output.check());
    try s.push("");
    try output.check();
    try std.testing.expectError(error.Failed, s.push("one too many"));
    (try output.bools("f", null)).set(2, true);
    @memset(try output.vectors("v", 2, null), 0.5);

    const batch = weir.Batch.of(3, output.columns.items);
    const a = try batch.column(0, "a");
    try std.testing.expectEqualSlices(f64, &.{ 1, 2, 3 }, try a.f64s());
    try std.testing.expect(!a.isValid(0) and !a.isValid(1) and a.isValid(2));
    const texts = try (try batch.column(0, "s")).texts();
    try std.testing.expectEqualStrings(@ptrCast(&long), texts.get(0).?);
    try std.testing.expect(texts.get(1) == null and texts.get(2).?.len == 0);
    const flags = try (try batch.column(2, "f")).bools();
    try std.testing.expect(!flags.get(0) and flags.get(2));
    try std.testing.expectEqualSlices(f32, &.{ 0.5, 0.5 }, (try (try batch.column(3, "v")).vectors()).get(2));
    try std.testing.expectError(error.Failed, a.i64s());
    try std.testing.expectEqualStrings("input column \"a\" must be int64, not float64", weir.failure());
    try std.testing.expectError(error.Failed, batch.column(0, "z"));
    try std.testing.expectEqualStrings("input column \"z\" is missing", weir.failure());
}
