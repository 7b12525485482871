//! What a plugin in Zig needs to speak weir's batch ABI (sdk/abi/ABI.md): typed views of columns, outputs in reused memory, a small
//! JSON reader and writer, and `exportPlugin`, which turns a struct into a module's exports.
//!
//!     const weir = @import("weir");
//!
//!     const Double = struct {
//!         pub const description: weir.Description = .{ .name = "double", .version = "1.0.0" };
//!
//!         pub fn init(_: []const u8) weir.Error!Double {
//!             return .{};
//!         }
//!
//!         pub fn transform(_: *Double, input: *const weir.Batch, output: *weir.Output) weir.Error!void {
//!             for (input.columns()) |*column| {
//!                 const y = try output.f64s(column.name(), column.validity);
//!                 for (y, try column.f64s()) |*to, x| to.* = 2 * x;
//!             }
//!         }
//!     };
//!
//!     comptime {
//!         weir.exportPlugin(Double);
//!     }
//!
//! The host makes an instance, calls `init` with the parameters, and then the functions of its worlds, one call at a time. `weir.fail`
//! makes the error that the caller of the plugin reads. An error and a panic cost the instance, so nothing needs cleaning up.
//! What is taken from `weir.allocator` lives as long as the instance, what is taken from `weir.scratch` until the next call.
//!
//! Everything but the exports works natively too, so that plugins can be tested with `zig test`. Read column.zig and output.zig first.

const std = @import("std");
const builtin = @import("builtin");

pub const Batch = @import("column.zig").Batch;
pub const Bits = @import("column.zig").Bits;
pub const Column = @import("column.zig").Column;
pub const Texts = @import("column.zig").Texts;
pub const Type = @import("column.zig").Type;
pub const Validity = @import("column.zig").Validity;
pub const Vectors = @import("column.zig").Vectors;
pub const Output = @import("output.zig").Output;
pub const TextBuilder = @import("output.zig").TextBuilder;
pub const Row = @import("row.zig").Row;
pub const RowOutput = @import("row.zig").RowOutput;
pub const Description = @import("documents.zig").Description;
pub const Field = @import("documents.zig").Field;
pub const Outcome = @import("documents.zig").Outcome;
pub const Header = @import("documents.zig").Header;
pub const Request = @import("documents.zig").Request;
pub const Response = @import("documents.zig").Response;
pub const Schema = @import("documents.zig").Schema;
pub const Score = @import("documents.zig").Score;
pub const Verdict = @import("documents.zig").Verdict;
pub const exportPlugin = @import("export.zig").exportPlugin;
pub const host = @import("host.zig");
pub const json = @import("json.zig");
pub const V = @import("math.zig").V;
pub const log1p = @import("math.zig").log1p;
pub const log1ps = @import("math.zig").log1ps;
pub const map = @import("math.zig").map;
pub const canonical = @import("math.zig").canonical;

/// The most rows of one batch.
pub const max_rows = 8192;

/// Which sample of a metric some rows belong to.
pub const Side = enum(u32) { reference = 0, current = 1 };

/// What a plugin's function may fail with: `Failed` with the text that `fail` kept, or no memory.
pub const Error = error{ Failed, OutOfMemory };

/// Memory for as long as the instance lives.
pub const allocator: std.mem.Allocator = if (builtin.cpu.arch.isWasm()) std.heap.wasm_allocator else std.heap.page_allocator;

/// Memory until the next call into the instance.
pub const scratch: std.mem.Allocator = @import("arena.zig").scratch;

var text: [1024]u8 = undefined;
var text_len: usize = 0;

/// Keeps a text for the caller of the plugin: `return weir.fail("column \"{s}\" is missing", .{name})`. Name the thing, the position
/// and the fix. What is beyond 1,024 bytes is cut.
pub fn fail(comptime format: []const u8, arguments: anytype) error{Failed} {
    var w: std.Io.Writer = .fixed(&text);
    w.print(format, arguments) catch {};
    text_len = w.end;
    return error.Failed;
}

/// The text that `fail` kept last.
pub fn failure() []const u8 {
    return text[0..text_len];
}

/// Ends the instance with the panic's message, which the host tells: `pub const panic = weir.panic;` in the root file.
pub const panic = std.debug.FullPanic(panicked);

const env = struct {
    /// The message as AssemblyScript has it: UTF-16, with the number of its bytes before it.
    extern "env" fn abort(message: [*]const u8, file: usize, line: u32, column: u32) noreturn;
};

fn panicked(message: []const u8, _: ?usize) noreturn {
    if (!builtin.cpu.arch.isWasm()) std.debug.defaultPanic(message, @returnAddress());
    const S = struct {
        var out: extern struct { size: u32, units: [512]u16 } = undefined;
    };
    const whole = message[0..@min(message.len, S.out.units.len)];
    S.out.size = @intCast(2 * (std.unicode.utf8ToUtf16Le(&S.out.units, whole) catch 0));
    env.abort(@ptrCast(&S.out.units), 0, 0, 0);
}

/// Whether two texts are the same bytes.
pub fn same(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

test {
    std.testing.refAllDecls(@This());
    _ = @import("arena.zig");
}

test fail {
    try std.testing.expectEqual(error.Failed, fail("row {d} of \"{s}\"", .{ 7, "x" }));
    try std.testing.expectEqualStrings("row 7 of \"x\"", failure());
    const long: [2000]u8 = @splat('y');
    fail("{s}", .{long}) catch {};
    try std.testing.expectEqual(1024, failure().len);
}
