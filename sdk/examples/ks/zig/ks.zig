//! The Kolmogorov-Smirnov statistic of a column over equal bins.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

/// The first bytes of a state: a name and a version.
const magic = "ks\x00\x01";

/// What is counted of one sample: rows without a finite value, then those below low, those of each bin, those from high on.
const Counts = struct {
    all: []u64,

    fn total(self: Counts) u64 {
        var sum: u64 = 0;
        for (self.all[1..]) |n| sum += n;
        return sum;
    }
};

const Ks = struct {
    column: []const u8,
    edges: []const f64,
    /// The reference's counts, then the current sample's.
    counts: []u64,

    pub const description: weir.Description = .{
        .name = "ks",
        .version = "1.0.0",
        .summary = "Kolmogorov-Smirnov statistic of a column over equal bins.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["column","low","high","bins"],"properties":{
        \\"column":{"type":"string","minLength":1},"low":{"type":"number","minimum":-1e300},"high":{"type":"number","maximum":1e300},
        \\"bins":{"type":"integer","minimum":1,"maximum":10000}}}
        ,
    };

    pub fn init(parameters: []const u8) Error!Ks {
        var column: ?[]const u8 = null;
        var figures: [3]?f64 = @splat(null);
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "column")) {
                column = try r.string(weir.allocator);
            } else inline for (.{ "low", "high", "bins" }, &figures) |name, *figure| {
                if (weir.same(key, name)) {
                    figure.* = try r.number();
                    break;
                }
            } else return r.unknown(key);
        }
        try r.end();
        const name = column orelse return r.missing("column");
        const low = figures[0] orelse return r.missing("low");
        const high = figures[1] orelse return r.missing("high");
        const bins = figures[2] orelse return r.missing("bins");
        if (name.len == 0) return weir.fail("parameters: \"column\" is empty", .{});
        if (!(low >= -1e300 and low < high)) return weir.fail("parameters: \"low\" must be from -1e300 to below \"high\"", .{});
        if (high > 1e300) return weir.fail("parameters: \"high\" must not be above 1e300", .{});
        if (!(bins >= 1 and bins <= 10000 and @floor(bins) == bins)) return weir.fail("parameters: \"bins\" must be a whole number from 1 to 10000", .{});
        const edges = try weir.allocator.alloc(f64, 1 + @as(usize, @intFromFloat(bins)));
        for (edges, 0..) |*edge, i| edge.* = low + (@as(f64, @floatFromInt(i)) * (high - low)) / bins;
        const counts = try weir.allocator.alloc(u64, 2 * (edges.len + 2));
        @memset(counts, 0);
        return .{ .column = name, .edges = edges, .counts = counts };
    }

    pub fn schema(self: *Ks) Error!weir.Schema {
        return .{ .inputs = try weir.scratch.dupe(weir.Field, &.{.{ .name = self.column, .type = .float64 }}) };
    }

    fn side(self: *Ks, which: weir.Side) Counts {
        const n = self.counts.len / 2;
        return .{ .all = self.counts[@backingInt(which) * n ..][0..n] };
    }

    fn notAbove(x: f64, edge: f64) bool {
        return edge <= x;
    }

    pub fn update(self: *Ks, which: weir.Side, batch: *const weir.Batch) Error!void {
        const column = try batch.column(0, self.column);
        const counts = self.side(which).all;
        for (try column.f64s(), 0..) |x, i| {
            const there = column.isValid(i) and std.math.isFinite(x);
            counts[if (there) 1 + std.sort.partitionPoint(f64, self.edges, x, notAbove) else 0] += 1;
        }
    }

    /// What tells column and bins from others.
    fn fingerprint(self: *Ks) u64 {
        var hash: std.hash.Fnv1a_64 = .init();
        hash.update(self.column);
        hash.update("\x00");
        hash.update(std.mem.sliceAsBytes(self.edges));
        return hash.final();
    }

    /// The magic, the fingerprint and the counts, little-endian as all of WebAssembly.
    pub fn state(self: *Ks) Error![]const u8 {
        const print = self.fingerprint();
        return std.mem.concat(weir.scratch, u8, &.{ magic, std.mem.asBytes(&print), std.mem.sliceAsBytes(self.counts) });
    }

    pub fn merge(self: *Ks, bytes: []const u8) Error!void {
        if (!std.mem.startsWith(u8, bytes, magic) or bytes.len != 12 + 8 * self.counts.len) return weir.fail("this is no state of ks over as many bins", .{});
        if (std.mem.readInt(u64, bytes[4..12], .little) != self.fingerprint()) return weir.fail("the state is of another column or of other bins", .{});
        for (self.counts, 0..) |*n, i| n.* +%= std.mem.readInt(u64, bytes[12 + 8 * i ..][0..8], .little);
    }

    fn statistic(reference: Counts, current: Counts) f64 {
        const all_r: f64 = @floatFromInt(reference.total());
        const all_c: f64 = @floatFromInt(current.total());
        var sum_r: u64 = 0;
        var sum_c: u64 = 0;
        var most: f64 = 0;
        for (reference.all[1..], current.all[1..]) |r, c| {
            sum_r += r;
            sum_c += c;
            most = @max(most, @abs(@as(f64, @floatFromInt(sum_r)) / all_r - @as(f64, @floatFromInt(sum_c)) / all_c));
        }
        return most;
    }

    pub fn finish(self: *Ks) Error![]const weir.Score {
        const reference, const current = .{ self.side(.reference), self.side(.current) };
        var detail: weir.json.Writer = .{ .allocator = weir.scratch };
        _ = detail.beginObject().key("reference_count").integer(@intCast(reference.total())).key("current_count").integer(@intCast(current.total()));
        _ = detail.key("reference_missing").integer(@intCast(reference.all[0])).key("current_missing").integer(@intCast(current.all[0])).endObject();
        var score: weir.Score = .{ .column = self.column, .name = "ks", .detail = try detail.finish() };
        if (reference.total() == 0) {
            score.note = "the reference has no value that is not missing";
        } else if (current.total() == 0) {
            score.note = "the current sample has no value that is not missing";
        } else {
            score.value = statistic(reference, current);
        }
        return weir.scratch.dupe(weir.Score, &.{score});
    }

    pub fn reset(self: *Ks) void {
        @memset(self.counts, 0);
    }
};

comptime {
    weir.exportPlugin(Ks);
}
