//! Passes a candidate that is good enough and not much worse than the baseline.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

/// A figure in six decimals, rounded by arithmetic that every language has.
fn six(v: f64) Error![]const u8 {
    if (@abs(v) >= 1e9) return if (v > 0) "over 999999999" else "under -999999999";
    const a = @abs(v) * 1000000;
    var n: u64 = @intFromFloat(a);
    if (a - @as(f64, @floatFromInt(n)) >= 0.5) n += 1;
    return text("{s}{d}.{d:0>6}", .{ if (v < 0 and n > 0) "-" else "", n / 1000000, n % 1000000 });
}

fn text(comptime format: []const u8, arguments: anytype) Error![]const u8 {
    return std.fmt.allocPrint(weir.scratch, format, arguments);
}

const Gate = struct {
    metric: []const u8,
    min: f64,
    max_drop: f64,

    pub const description: weir.Description = .{
        .name = "gate",
        .version = "1.0.0",
        .summary = "Passes a candidate that is good enough and not much worse than the baseline.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["metric","min","max_drop"],"properties":{
        \\"metric":{"type":"string","minLength":1},"min":{"type":"number"},"max_drop":{"type":"number","minimum":0}}}
        ,
    };

    pub fn init(parameters: []const u8) Error!Gate {
        var metric: ?[]const u8 = null;
        var min: ?f64 = null;
        var max_drop: ?f64 = null;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "metric")) {
                metric = try r.string(weir.allocator);
            } else if (weir.same(key, "min")) {
                min = try r.number();
            } else if (weir.same(key, "max_drop")) {
                max_drop = try r.number();
            } else return r.unknown(key);
        }
        try r.end();
        const self: Gate = .{
            .metric = metric orelse return r.missing("metric"),
            .min = min orelse return r.missing("min"),
            .max_drop = max_drop orelse return r.missing("max_drop"),
        };
        if (self.metric.len == 0) return weir.fail("parameters: \"metric\" is empty", .{});
        if (self.max_drop < 0) return weir.fail("parameters: \"max_drop\" must not be negative", .{});
        return self;
    }

    /// The metric's figure in {"metrics":{…}}; null when it is not there, or no number.
    fn figure(self: *const Gate, r: *weir.json.Reader) Error!?f64 {
        var found: ?f64 = null;
        if (try r.objectOrSkip()) while (try r.key()) |key| {
            if (!weir.same(key, "metrics")) {
                try r.skip();
            } else if (try r.objectOrSkip()) while (try r.key()) |name| {
                const value = try r.numberOrSkip();
                if (weir.same(name, self.metric)) found = value;
            };
        };
        return found;
    }

    pub fn gate(self: *Gate, context: []const u8) Error!weir.Verdict {
        var candidate: ?f64 = null;
        var baseline: ?f64 = null;
        var r: weir.json.Reader = .{ .what = "context", .text = context };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "candidate")) {
                candidate = try self.figure(&r);
            } else if (weir.same(key, "baseline")) {
                baseline = try self.figure(&r);
            } else try r.skip();
        }
        try r.end();

        var evidence: weir.json.Writer = .{ .allocator = weir.scratch };
        _ = evidence.beginObject().key("candidate").number(candidate).key("baseline").number(baseline).endObject();
        var reasons: std.ArrayList([]const u8) = .empty;
        const outcome = try self.judge(candidate, baseline, &reasons);
        return .{ .outcome = outcome, .reasons = reasons.items, .evidence = try evidence.finish() };
    }

    fn judge(self: *const Gate, candidate: ?f64, baseline: ?f64, reasons: *std.ArrayList([]const u8)) Error!weir.Outcome {
        const c = candidate orelse {
            try reasons.append(weir.scratch, try text("the candidate has no finite {s}", .{self.metric}));
            return .review;
        };
        if (c < self.min) {
            try reasons.append(weir.scratch, try text("{s} {s} is below the minimum {s}", .{ self.metric, try six(c), try six(self.min) }));
        }
        if (baseline) |b| if (b - c > self.max_drop) {
            try reasons.append(weir.scratch, try text("{s} {s} drops by {s} from the baseline {s}, more than the {s} allowed", .{ self.metric, try six(c), try six(b - c), try six(b), try six(self.max_drop) }));
        };
        if (reasons.items.len > 0) return .fail;
        const good = try text("{s} {s} is at least the minimum {s}", .{ self.metric, try six(c), try six(self.min) });
        try reasons.append(weir.scratch, if (baseline) |b|
            try text("{s} and drops by no more than {s} from the baseline {s}", .{ good, try six(self.max_drop), try six(b) })
        else
            try text("{s}; there is no baseline", .{good}));
        return .pass;
    }
};

comptime {
    weir.exportPlugin(Gate);
}

test six {
    const cases = .{
        .{ 0.9, "0.900000" },                        .{ 0.0000005, "0.000001" }, .{ -0.0000004, "0.000000" },
        .{ -1.5, "-1.500000" },                      .{ 1e9, "over 999999999" }, .{ -1e300, "under -999999999" },
        .{ 999999999.9999999, "1000000000.000000" },
    };
    inline for (cases) |case| try std.testing.expectEqualStrings(case[1], try six(case[0]));
}
