const std = @import("std");
const builtin = @import("builtin");
const weir = @import("weir.zig");
const arena = @import("arena.zig");
const documents = @import("documents.zig");
const Layout = @import("row.zig").Layout;
const Error = weir.Error;

/// Makes P the module's plugin: call it once, in a `comptime` block of the root file. P has
///
///     pub const description: weir.Description
///     pub fn init(parameters: []const u8) weir.Error!P                                    the parameters, a JSON document, {} when there are none
///     pub fn schema(self: *P) weir.Error!weir.Schema                                      optional: the columns
///
/// and the functions of its worlds:
///
///     transform  pub fn transform(self: *P, input: *const weir.Batch, output: *weir.Output) weir.Error!void
///                pub fn row(self: *P, input: weir.Row, output: weir.RowOutput) weir.Error!void          optional; wants a schema
///     metric     pub fn update(self: *P, side: weir.Side, batch: *const weir.Batch) weir.Error!void
///                pub fn state(self: *P) weir.Error![]const u8
///                pub fn merge(self: *P, bytes: []const u8) weir.Error!void
///                pub fn finish(self: *P) weir.Error![]const weir.Score
///                pub fn reset(self: *P) void
///     gate       pub fn gate(self: *P, context: []const u8) weir.Error!weir.Verdict
///     handler    pub fn handle(self: *P, request: weir.Request) weir.Error!weir.Response
///
/// A transform is a pure function of input and parameters. A metric gives the same state and scores, byte for byte, for any split of
/// the rows and any order of updates and merges: count in integers. Natively nothing is exported.
pub fn exportPlugin(comptime P: type) void {
    if (!builtin.cpu.arch.isWasm()) return;
    const is = struct {
        const transform = @hasDecl(P, "transform");
        const row = @hasDecl(P, "row");
        const metric = @hasDecl(P, "update");
        const gate = @hasDecl(P, "gate");
        const handler = @hasDecl(P, "handle");
    };
    comptime var worlds: []const []const u8 = &.{};
    if (is.transform) worlds = worlds ++ [_][]const u8{"transform"};
    if (is.metric) worlds = worlds ++ [_][]const u8{"metric"};
    if (is.gate) worlds = worlds ++ [_][]const u8{"gate"};
    if (is.handler) worlds = worlds ++ [_][]const u8{"handler"};
    const names = worlds;
    if (worlds.len == 0) @compileError(@typeName(P) ++ " has none of the functions transform, update, gate and handle");

    const M = struct {
        var plugin: P = undefined;
        var inputs: Layout = .{};
        var outputs: Layout = .{};
        var output: weir.Output = .{ .rows = 0, .arena = &arena.call };
        var header: weir.Batch = undefined;

        fn abiVersion() callconv(.c) i32 {
            return 1;
        }
        fn alloc(size: u32) callconv(.c) ?[*]u8 {
            return weir.allocator.rawAlloc(@max(size, 1), .@"16", 0);
        }
        fn free(at: ?[*]u8, size: u32) callconv(.c) void {
            if (at) |p| weir.allocator.rawFree(p[0..@max(size, 1)], .@"16", 0);
        }
        fn lastError() callconv(.c) u64 {
            return pack(weir.failure());
        }
        fn describe() callconv(.c) u64 {
            return answer(P.description.write(names));
        }
        fn init(at: u32, n: u32) callconv(.c) i32 {
            arena.call.reset();
            return status(start(at, n));
        }
        fn start(at: u32, n: u32) Error!void {
            plugin = try P.init(bytes(at, n));
            if (!@hasDecl(P, "schema")) return;
            const columns = try plugin.schema();
            inputs = try .of(columns.inputs);
            outputs = try .of(columns.outputs);
        }
        fn schema() callconv(.c) u64 {
            arena.call.reset();
            if (!@hasDecl(P, "schema")) return answer((weir.Schema{}).write());
            return answer(if (plugin.schema()) |columns| columns.write() else |e| e);
        }
        fn transform(batch: *const weir.Batch) callconv(.c) ?*const weir.Batch {
            arena.call.reset();
            output.rows = batch.rows;
            output.columns.clearRetainingCapacity();
            output.open = 0;
            plugin.transform(batch, &output) catch |e| {
                keep(e);
                return null;
            };
            output.check() catch |e| {
                keep(e);
                return null;
            };
            header = .of(batch.rows, output.columns.items);
            return &header;
        }
        fn row(at: [*]const u64) callconv(.c) ?[*]const u64 {
            arena.call.reset();
            const to = weir.RowOutput.of(&outputs, &arena.call) catch |e| {
                keep(e);
                return null;
            };
            plugin.row(.{ .words = at, .layout = &inputs }, to) catch |e| {
                keep(e);
                return null;
            };
            return to.words.ptr;
        }
        fn update(side: u32, batch: *const weir.Batch) callconv(.c) i32 {
            arena.call.reset();
            return status(plugin.update(if (side == 0) .reference else .current, batch));
        }
        fn state() callconv(.c) u64 {
            arena.call.reset();
            return answer(plugin.state());
        }
        fn merge(at: u32, n: u32) callconv(.c) i32 {
            arena.call.reset();
            return status(plugin.merge(bytes(at, n)));
        }
        fn finish() callconv(.c) u64 {
            arena.call.reset();
            return answer(if (plugin.finish()) |scores| documents.writeScores(scores) else |e| e);
        }
        fn reset() callconv(.c) i32 {
            plugin.reset();
            return 0;
        }
        fn gate(at: u32, n: u32) callconv(.c) u64 {
            arena.call.reset();
            return answer(if (plugin.gate(bytes(at, n))) |verdict| verdict.write() else |e| e);
        }
        fn handle(at: u32, n: u32) callconv(.c) u64 {
            arena.call.reset();
            return answer(respond(at, n));
        }
        fn respond(at: u32, n: u32) Error![]const u8 {
            return (try plugin.handle(try .read(bytes(at, n)))).write();
        }
    };
    @export(&M.abiVersion, .{ .name = "weir_abi_version" });
    @export(&M.alloc, .{ .name = "weir_alloc" });
    @export(&M.free, .{ .name = "weir_free" });
    @export(&M.lastError, .{ .name = "weir_error" });
    @export(&M.describe, .{ .name = "weir_describe" });
    @export(&M.init, .{ .name = "weir_init" });
    @export(&M.schema, .{ .name = "weir_schema" });
    if (is.transform) @export(&M.transform, .{ .name = "weir_transform" });
    if (is.row) @export(&M.row, .{ .name = "weir_row" });
    if (is.metric) {
        @export(&M.update, .{ .name = "weir_metric_update" });
        @export(&M.state, .{ .name = "weir_metric_state" });
        @export(&M.merge, .{ .name = "weir_metric_merge" });
        @export(&M.finish, .{ .name = "weir_metric_finish" });
        @export(&M.reset, .{ .name = "weir_metric_reset" });
    }
    if (is.gate) @export(&M.gate, .{ .name = "weir_gate" });
    if (is.handler) @export(&M.handle, .{ .name = "weir_handle" });
}

fn bytes(at: u32, n: u32) []const u8 {
    return if (n == 0) "" else @as([*]const u8, @ptrFromInt(at))[0..n];
}

fn pack(text: []const u8) u64 {
    return @as(u64, @intFromPtr(text.ptr)) << 32 | text.len;
}

/// Keeps the text of an error that has none yet.
fn keep(e: Error) void {
    if (e == error.OutOfMemory) weir.fail("out of memory", .{}) catch {};
}

fn status(result: Error!void) i32 {
    result catch |e| {
        keep(e);
        return 1;
    };
    return 0;
}

fn answer(document: Error![]const u8) u64 {
    return pack(document catch |e| {
        keep(e);
        return 0;
    });
}
