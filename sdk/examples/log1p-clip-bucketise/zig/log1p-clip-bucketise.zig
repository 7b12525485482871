//! Clips a column, and gives its log1p and its bucket.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;
const V = weir.V;

const ClipBucketise = struct {
    column: []const u8,
    log1p_name: []const u8,
    clip_name: []const u8,
    bucket_name: []const u8,
    low: f64,
    high: f64,
    edges: []const f64,

    pub const description: weir.Description = .{
        .name = "log1p-clip-bucketise",
        .version = "1.0.0",
        .summary = "Clips a column, and gives its log1p and its bucket.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["column","low","high","edges"],"properties":{
        \\"column":{"type":"string","minLength":1},"low":{"type":"number","exclusiveMinimum":-1},"high":{"type":"number"},
        \\"edges":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"number"}}}}
        ,
    };

    pub fn init(parameters: []const u8) Error!ClipBucketise {
        var column: ?[]const u8 = null;
        var low: ?f64 = null;
        var high: ?f64 = null;
        var edges: ?[]const f64 = null;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "column")) {
                column = try r.string(weir.allocator);
            } else if (weir.same(key, "low")) {
                low = try r.number();
            } else if (weir.same(key, "high")) {
                high = try r.number();
            } else if (weir.same(key, "edges")) {
                edges = try r.numbers(weir.allocator);
            } else return r.unknown(key);
        }
        try r.end();
        const name = column orelse return r.missing("column");
        const self: ClipBucketise = .{
            .column = name,
            .log1p_name = try std.mem.concat(weir.allocator, u8, &.{ name, "_log1p" }),
            .clip_name = try std.mem.concat(weir.allocator, u8, &.{ name, "_clip" }),
            .bucket_name = try std.mem.concat(weir.allocator, u8, &.{ name, "_bucket" }),
            .low = low orelse return r.missing("low"),
            .high = high orelse return r.missing("high"),
            .edges = edges orelse return r.missing("edges"),
        };
        if (name.len == 0) return weir.fail("parameters: \"column\" is empty", .{});
        if (self.low <= -1) return weir.fail("parameters: \"low\" must be greater than -1", .{});
        if (self.high < self.low) return weir.fail("parameters: \"high\" must not be below \"low\"", .{});
        if (self.edges.len == 0 or self.edges.len > 1000) return weir.fail("parameters: \"edges\" must be 1 to 1000 numbers", .{});
        for (self.edges[1..], self.edges[0 .. self.edges.len - 1]) |edge, before| {
            if (edge <= before) return weir.fail("parameters: each of \"edges\" must be greater than the one before", .{});
        }
        return self;
    }

    pub fn schema(self: *ClipBucketise) Error!weir.Schema {
        return .{
            .inputs = try weir.scratch.dupe(weir.Field, &.{.{ .name = self.column, .type = .float64 }}),
            .outputs = try weir.scratch.dupe(weir.Field, &.{
                .{ .name = self.log1p_name, .type = .float64 },
                .{ .name = self.clip_name, .type = .float64 },
                .{ .name = self.bucket_name, .type = .int64 },
            }),
        };
    }

    /// NaN stays NaN, the one that is the same on all machines.
    inline fn clip(self: *const ClipBucketise, x: V) V {
        const low: V = @splat(self.low);
        const high: V = @splat(self.high);
        return weir.canonical(@select(f64, x < low, low, @select(f64, x > high, high, x)));
    }

    inline fn log1p(_: void, x: V) V {
        return weir.log1ps(x);
    }

    /// The number of edges that are not above c.
    fn bucket(self: *const ClipBucketise, c: f64) i64 {
        return @intCast(std.sort.partitionPoint(f64, self.edges, c, struct {
            fn notAbove(value: f64, edge: f64) bool {
                return edge <= value;
            }
        }.notAbove));
    }

    pub fn transform(self: *ClipBucketise, input: *const weir.Batch, output: *weir.Output) Error!void {
        const column = try input.column(0, self.column);
        const x = try column.f64s();
        const logs = try output.f64s(self.log1p_name, column.validity);
        const clipped = try output.f64s(self.clip_name, column.validity);
        const buckets = try output.i64s(self.bucket_name, column.validity);
        weir.map(clipped, x, @as(*const ClipBucketise, self), clip);
        weir.map(logs, clipped, {}, log1p);
        var nan = false;
        for (buckets, clipped) |*b, c| {
            b.* = self.bucket(c);
            nan = nan or c != c;
        }
        if (!nan) return;
        const nulls = try output.nulls(column.validity);
        for (clipped, 0..) |c, i| if (c != c) nulls.set(i, false);
        output.columns.items[2].validity = nulls.bytes;
    }

    pub fn row(self: *ClipBucketise, input: weir.Row, output: weir.RowOutput) Error!void {
        const x = input.float64(0) orelse return;
        const c = self.clip(@splat(x));
        output.float64(0, weir.log1p(c[0]));
        output.float64(1, c[0]);
        if (x == x) output.int64(2, self.bucket(c[0]));
    }
};

comptime {
    weir.exportPlugin(ClipBucketise);
}
