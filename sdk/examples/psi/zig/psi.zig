//! The population stability index of a column over given bins.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

/// The first bytes of a state: a name and a version.
const magic = "psi\x01";

/// What is counted of one sample: rows without a finite value, then each bin.
const Counts = struct {
    all: []u64,

    fn total(self: Counts) u64 {
        var sum: u64 = 0;
        for (self.all[1..]) |n| sum += n;
        return sum;
    }

    /// The share of each bin, zeros replaced: by 0.0001, or a millionth of the smallest share that is not zero when that is smaller.
    fn shares(self: Counts) Error![]f64 {
        const out = try weir.scratch.alloc(f64, self.all.len - 1);
        const total_rows: f64 = @floatFromInt(self.total());
        var least = std.math.inf(f64);
        for (out, self.all[1..]) |*share, n| {
            share.* = @as(f64, @floatFromInt(n)) / total_rows;
            if (share.* > 0) least = @min(least, share.*);
        }
        const zero = if (least > 0.0001) 0.0001 else least / 1000000;
        for (out) |*share| if (share.* == 0) {
            share.* = zero;
        };
        return out;
    }
};

const Psi = struct {
    column: []const u8,
    edges: []const f64,
    /// The reference's counts, then the current sample's.
    counts: []u64,

    pub const description: weir.Description = .{
        .name = "psi",
        .version = "1.0.0",
        .summary = "Population stability index of a column over given bins.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["column","edges"],"properties":{
        \\"column":{"type":"string","minLength":1},"edges":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"number"}}}}
        ,
    };

    pub fn init(parameters: []const u8) Error!Psi {
        var column: ?[]const u8 = null;
        var given: ?[]const f64 = null;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "column")) {
                column = try r.string(weir.allocator);
            } else if (weir.same(key, "edges")) {
                given = try r.numbers(weir.allocator);
            } else return r.unknown(key);
        }
        try r.end();
        const name = column orelse return r.missing("column");
        const edges = given orelse return r.missing("edges");
        if (name.len == 0) return weir.fail("parameters: \"column\" is empty", .{});
        if (edges.len == 0 or edges.len > 1000) return weir.fail("parameters: \"edges\" must be 1 to 1000 numbers", .{});
        for (edges[1..], edges[0 .. edges.len - 1]) |edge, before| {
            if (edge <= before) return weir.fail("parameters: each of \"edges\" must be greater than the one before", .{});
        }
        const counts = try weir.allocator.alloc(u64, 2 * (edges.len + 2));
        @memset(counts, 0);
        return .{ .column = name, .edges = edges, .counts = counts };
    }

    pub fn schema(self: *Psi) Error!weir.Schema {
        return .{ .inputs = try weir.scratch.dupe(weir.Field, &.{.{ .name = self.column, .type = .float64 }}) };
    }

    fn side(self: *Psi, which: weir.Side) Counts {
        const n = self.counts.len / 2;
        return .{ .all = self.counts[@backingInt(which) * n ..][0..n] };
    }

    fn notAbove(x: f64, edge: f64) bool {
        return edge <= x;
    }

    pub fn update(self: *Psi, which: weir.Side, batch: *const weir.Batch) Error!void {
        const column = try batch.column(0, self.column);
        const counts = self.side(which).all;
        for (try column.f64s(), 0..) |x, i| {
            const there = column.isValid(i) and std.math.isFinite(x);
            counts[if (there) 1 + std.sort.partitionPoint(f64, self.edges, x, notAbove) else 0] += 1;
        }
    }

    /// What tells column and edges from others.
    fn fingerprint(self: *Psi) u64 {
        var hash: std.hash.Fnv1a_64 = .init();
        hash.update(self.column);
        hash.update("\x00");
        hash.update(std.mem.sliceAsBytes(self.edges));
        return hash.final();
    }

    /// The magic, the fingerprint and the counts, little-endian as all of WebAssembly.
    pub fn state(self: *Psi) Error![]const u8 {
        const print = self.fingerprint();
        return std.mem.concat(weir.scratch, u8, &.{ magic, std.mem.asBytes(&print), std.mem.sliceAsBytes(self.counts) });
    }

    pub fn merge(self: *Psi, bytes: []const u8) Error!void {
        if (!std.mem.startsWith(u8, bytes, magic) or bytes.len != 12 + 8 * self.counts.len) return weir.fail("this is no state of psi over as many edges", .{});
        if (std.mem.readInt(u64, bytes[4..12], .little) != self.fingerprint()) return weir.fail("the state is of another column or of other edges", .{});
        for (self.counts, 0..) |*n, i| n.* +%= std.mem.readInt(u64, bytes[12 + 8 * i ..][0..8], .little);
    }

    pub fn finish(self: *Psi) Error![]const weir.Score {
        const reference, const current = .{ self.side(.reference), self.side(.current) };
        var detail: weir.json.Writer = .{ .allocator = weir.scratch };
        _ = detail.beginObject().key("reference_count").integer(@intCast(reference.total())).key("current_count").integer(@intCast(current.total()));
        _ = detail.key("reference_missing").integer(@intCast(reference.all[0])).key("current_missing").integer(@intCast(current.all[0])).endObject();
        var score: weir.Score = .{ .column = self.column, .name = "psi", .detail = try detail.finish() };
        if (reference.total() == 0) {
            score.note = "the reference has no value that is not missing";
        } else if (current.total() == 0) {
            score.note = "the current sample has no value that is not missing";
        } else {
            var value: f64 = 0;
            for (try reference.shares(), try current.shares()) |r, c| {
                const d = @abs(r - c);
                value = value + d * weir.log1p(d / @min(r, c));
            }
            score.value = value;
        }
        return weir.scratch.dupe(weir.Score, &.{score});
    }

    pub fn reset(self: *Psi) void {
        @memset(self.counts, 0);
    }
};

comptime {
    weir.exportPlugin(Psi);
}
