//! PLUGIN_NAME compares, between a reference and a current sample, the share of values above a threshold.
//!
//! A metric is a summary that can be split and merged: the host may give the rows in any pieces to several instances and merge
//! their states in any order, and the answer must be the same. Whole numbers add up exactly, sums of floats do not: keep counts.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

/// The first byte of a state.
const state_version = 1;

/// Values, and those above the threshold; nulls and NaN are left out.
const Counts = struct {
    count: u64 = 0,
    above: u64 = 0,

    fn share(self: Counts) f64 {
        return @as(f64, @floatFromInt(self.above)) / @as(f64, @floatFromInt(self.count));
    }
};

const ShareAbove = struct {
    column: []const u8,
    threshold: f64,
    /// The reference, then the current sample.
    sides: [2]Counts = .{ .{}, .{} },

    pub const description: weir.Description = .{
        .name = "PLUGIN_NAME",
        .version = "0.1.0",
        .summary = "How much the share of values above a threshold has moved.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["column","threshold"],"properties":{
        \\"column":{"type":"string","minLength":1},"threshold":{"type":"number"}}}
        ,
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    pub fn init(parameters: []const u8) Error!ShareAbove {
        var column: ?[]const u8 = null;
        var threshold: ?f64 = null;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "column")) {
                column = try r.string(weir.allocator);
            } else if (weir.same(key, "threshold")) {
                threshold = try r.number();
            } else return r.unknown(key);
        }
        try r.end();
        const self: ShareAbove = .{
            .column = column orelse return r.missing("column"),
            .threshold = threshold orelse return r.missing("threshold"),
        };
        if (self.column.len == 0) return weir.fail("parameters: \"column\" is empty", .{});
        return self;
    }

    pub fn schema(self: *ShareAbove) Error!weir.Schema {
        return .{ .inputs = try weir.scratch.dupe(weir.Field, &.{.{ .name = self.column, .type = .float64 }}) };
    }

    pub fn update(self: *ShareAbove, side: weir.Side, batch: *const weir.Batch) Error!void {
        if (batch.columns().len == 0) return;
        const column = try batch.column(0, self.column);
        const counts = &self.sides[@intFromEnum(side)];
        for (try column.f64s(), 0..) |x, row| {
            if (!column.isValid(row) or std.math.isNan(x)) continue;
            counts.count += 1;
            counts.above += @intFromBool(x > self.threshold);
        }
    }

    /// The version and the four counts, 8 bytes each.
    pub fn state(self: *ShareAbove) Error![]const u8 {
        const bytes = try weir.scratch.alloc(u8, 33);
        bytes[0] = state_version;
        for (self.sides, 0..) |side, i| {
            std.mem.writeInt(u64, bytes[1 + 16 * i ..][0..8], side.count, .little);
            std.mem.writeInt(u64, bytes[9 + 16 * i ..][0..8], side.above, .little);
        }
        return bytes;
    }

    pub fn merge(self: *ShareAbove, bytes: []const u8) Error!void {
        if (bytes.len != 33 or bytes[0] != state_version) return weir.fail("this is no state of version {d}", .{state_version});
        for (&self.sides, 0..) |*side, i| {
            side.count +%= std.mem.readInt(u64, bytes[1 + 16 * i ..][0..8], .little);
            side.above +%= std.mem.readInt(u64, bytes[9 + 16 * i ..][0..8], .little);
        }
    }

    /// More rows may follow: finishing changes nothing.
    pub fn finish(self: *ShareAbove) Error![]const weir.Score {
        const reference, const current = self.sides;
        var detail: weir.json.Writer = .{ .allocator = weir.scratch };
        _ = detail.beginObject().key("reference_count").integer(@intCast(reference.count)).key("current_count").integer(@intCast(current.count)).endObject();
        var score: weir.Score = .{ .column = self.column, .name = "share_above", .detail = try detail.finish() };
        if (reference.count == 0 or current.count == 0) {
            score.note = "a side has no values";
        } else {
            score.value = current.share() - reference.share();
        }
        return weir.scratch.dupe(weir.Score, &.{score});
    }

    pub fn reset(self: *ShareAbove) void {
        self.sides = .{ .{}, .{} };
    }
};

comptime {
    weir.exportPlugin(ShareAbove);
}
