//! Memory that is handed out in pieces and taken back all at once, so that a call costs no allocation.

const std = @import("std");
const weir = @import("weir.zig");

/// Pieces never move. After a reset several blocks are one of their size together.
pub const Arena = struct {
    blocks: std.ArrayList([]align(16) u8) = .empty,
    /// Bytes of the last block that are handed out.
    used: usize = 0,

    /// Takes everything back.
    pub fn reset(self: *Arena) void {
        if (self.blocks.items.len > 1) {
            var total: usize = 0;
            for (self.blocks.items) |block| {
                total += block.len;
                weir.allocator.free(block);
            }
            self.blocks.clearRetainingCapacity();
            // Without memory the next piece says so.
            if (weir.allocator.alignedAlloc(u8, .@"16", total)) |block| self.blocks.appendAssumeCapacity(block) else |_| {}
        }
        self.used = 0;
    }

    /// n values, aligned to 16 bytes, of unspecified contents.
    pub fn slice(self: *Arena, comptime T: type, n: usize) weir.Error![]align(16) T {
        if (n == 0) return &.{};
        const bytes = std.mem.alignForward(usize, n * @sizeOf(T), 16);
        const last = if (self.blocks.getLastOrNull()) |block| block.len else 0;
        if (self.used + bytes > last) {
            const block = try weir.allocator.alignedAlloc(u8, .@"16", @max(bytes, last * 2, 4096));
            try self.blocks.append(weir.allocator, block);
            self.used = 0;
        }
        const from = self.blocks.items[self.blocks.items.len - 1].ptr + self.used;
        self.used += bytes;
        return @as([*]align(16) T, @ptrCast(@alignCast(from)))[0..n];
    }
};

/// The module's arena: the pieces of one call into the instance.
pub var call: Arena = .{};

/// `call` as an allocator.
pub const scratch: std.mem.Allocator = .{ .ptr = undefined, .vtable = &.{
    .alloc = alloc,
    .resize = std.mem.Allocator.noResize,
    .remap = std.mem.Allocator.noRemap,
    .free = std.mem.Allocator.noFree,
} };

fn alloc(_: *anyopaque, n: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
    if (alignment.compare(.gt, .@"16")) return null;
    return (call.slice(u8, n) catch return null).ptr;
}

test "pieces do not overlap" {
    var arena: Arena = .{};
    for (0..3) |_| {
        arena.reset();
        var pieces: [300][]u8 = undefined;
        for (&pieces, 0..) |*piece, i| {
            piece.* = try arena.slice(u8, i * 7 % 97);
            @memset(piece.*, @truncate(i));
        }
        for (pieces, 0..) |piece, i| for (piece) |byte| try std.testing.expectEqual(@as(u8, @truncate(i)), byte);
    }
    arena.reset();
    try std.testing.expectEqual(1, arena.blocks.items.len);
}
