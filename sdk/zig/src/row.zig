const std = @import("std");
const weir = @import("weir.zig");
const Arena = @import("arena.zig").Arena;
const Type = weir.Type;

const Slot = struct { type: Type, at: u32, list_size: u32 };

/// The layout of a row (ABI.md, section 10): ⌈columns/64⌉ words of validity, then each column's place.
pub const Layout = struct {
    slots: []Slot = &.{},
    words: usize = 0,

    pub fn of(fields: []const weir.Field) weir.Error!Layout {
        var self: Layout = .{ .slots = try weir.allocator.alloc(Slot, fields.len), .words = (fields.len + 63) / 64 };
        for (self.slots, fields) |*place, field| {
            place.* = .{ .type = field.type, .at = @intCast(self.words), .list_size = field.list_size };
            self.words += if (field.type == .float_vector) (field.list_size + 1) / 2 else 1;
        }
        return self;
    }

    fn find(self: *const Layout, i: usize, kind: Type) Slot {
        const s = self.slots[i];
        if (s.type != kind) @panic("a row's column is of another type");
        return s;
    }
};

/// One row of input. Columns are named by their place in the schema's inputs; each function panics when that column is of another
/// type, and answers null for a null.
pub const Row = struct {
    words: [*]const u64,
    layout: *const Layout,

    /// Whether column i has a value.
    pub fn isValid(self: Row, i: usize) bool {
        return self.words[i / 64] >> @intCast(i % 64) & 1 == 1;
    }

    fn word(self: Row, i: usize, kind: Type) ?u64 {
        const slot = self.layout.find(i, kind);
        return if (self.isValid(i)) self.words[slot.at] else null;
    }

    pub fn float64(self: Row, i: usize) ?f64 {
        return @bitCast(self.word(i, .float64) orelse return null);
    }

    pub fn float32(self: Row, i: usize) ?f32 {
        return @bitCast(@as(u32, @truncate(self.word(i, .float32) orelse return null)));
    }

    pub fn int64(self: Row, i: usize) ?i64 {
        return @bitCast(self.word(i, .int64) orelse return null);
    }

    pub fn int32(self: Row, i: usize) ?i32 {
        return @bitCast(@as(u32, @truncate(self.word(i, .int32) orelse return null)));
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn timestamp(self: Row, i: usize) ?i64 {
        return @bitCast(self.word(i, .timestamp) orelse return null);
    }

    pub fn boolean(self: Row, i: usize) ?bool {
        return (self.word(i, .bool) orelse return null) != 0;
    }

    pub fn text(self: Row, i: usize) ?[]const u8 {
        return pointed(self.word(i, .utf8) orelse return null);
    }

    pub fn binary(self: Row, i: usize) ?[]const u8 {
        return pointed(self.word(i, .binary) orelse return null);
    }

    pub fn vector(self: Row, i: usize) ?[]const f32 {
        const slot = self.layout.find(i, .float_vector);
        if (!self.isValid(i)) return null;
        return @as([*]const f32, @ptrCast(self.words + slot.at))[0..slot.list_size];
    }
};

fn pointed(word: u64) []const u8 {
    const n: usize = @intCast(word >> 32);
    if (n == 0) return "";
    return @as([*]const u8, @ptrFromInt(@as(u32, @truncate(word))))[0..n];
}

/// One row of output, all null at first. Columns are named by their place in the schema's outputs; each function panics when that
/// column is of another type.
pub const RowOutput = struct {
    words: []u64,
    layout: *const Layout,

    pub fn of(layout: *const Layout, arena: *Arena) weir.Error!RowOutput {
        const words = try arena.slice(u64, layout.words);
        @memset(words[0 .. (layout.slots.len + 63) / 64], 0);
        return .{ .words = words, .layout = layout };
    }

    fn set(self: RowOutput, i: usize, kind: Type, word: u64) void {
        self.words[self.layout.find(i, kind).at] = word;
        self.words[i / 64] |= @as(u64, 1) << @intCast(i % 64);
    }

    pub fn float64(self: RowOutput, i: usize, v: f64) void {
        self.set(i, .float64, @bitCast(v));
    }

    pub fn float32(self: RowOutput, i: usize, v: f32) void {
        self.set(i, .float32, @as(u32, @bitCast(v)));
    }

    pub fn int64(self: RowOutput, i: usize, v: i64) void {
        self.set(i, .int64, @bitCast(v));
    }

    pub fn int32(self: RowOutput, i: usize, v: i32) void {
        self.set(i, .int32, @bitCast(@as(i64, v)));
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn timestamp(self: RowOutput, i: usize, v: i64) void {
        self.set(i, .timestamp, @bitCast(v));
    }

    pub fn boolean(self: RowOutput, i: usize, v: bool) void {
        self.set(i, .bool, @intFromBool(v));
    }

    fn point(self: RowOutput, i: usize, kind: Type, v: []const u8) void {
        self.set(i, kind, @as(u64, v.len) << 32 | @as(u32, @truncate(@intFromPtr(v.ptr))));
    }

    /// The text is not copied: take it from `weir.scratch`.
    pub fn text(self: RowOutput, i: usize, v: []const u8) void {
        self.point(i, .utf8, v);
    }

    /// The bytes are not copied: take them from `weir.scratch`.
    pub fn binary(self: RowOutput, i: usize, v: []const u8) void {
        self.point(i, .binary, v);
    }

    /// Panics when v has another number of elements than the schema says.
    pub fn vector(self: RowOutput, i: usize, v: []const f32) void {
        const slot = self.layout.find(i, .float_vector);
        if (slot.list_size != v.len) @panic("a row's vector has another size");
        @memcpy(@as([*]f32, @ptrCast(self.words.ptr + slot.at)), v);
        self.words[i / 64] |= @as(u64, 1) << @intCast(i % 64);
    }
};

test "a row of every kind but texts" {
    // Texts hold 32-bit addresses, which only a wasm32 module has.
    const layout = try Layout.of(&.{ .{ .name = "a", .type = .float64 }, .{ .name = "b", .type = .int32 }, .{ .name = "v", .type = .float_vector, .list_size = 3 }, .{ .name = "c", .type = .bool }, .{ .name = "d", .type = .float32 } });
    var arena: Arena = .{};
    const out = try RowOutput.of(&layout, &arena);
    out.float64(0, -0.5);
    out.int32(1, -7);
    out.vector(2, &.{ 1, 2, 3 });
    out.float32(4, 0.25);
    try std.testing.expectEqual(7, out.words.len);
    try std.testing.expectEqual(0b10111, out.words[0]);
    try std.testing.expectEqual(@as(u64, @bitCast(@as(i64, -7))), out.words[2]);
    const row: Row = .{ .words = out.words.ptr, .layout = &layout };
    try std.testing.expectEqual(-0.5, row.float64(0));
    try std.testing.expectEqual(-7, row.int32(1));
    try std.testing.expectEqualSlices(f32, &.{ 1, 2, 3 }, row.vector(2).?);
    try std.testing.expectEqual(null, row.boolean(3));
    try std.testing.expectEqual(0.25, row.float32(4));
}
