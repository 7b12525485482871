//! PLUGIN_NAME passes a candidate whose metric is high enough.
//!
//! A gate answers pass, fail or review (a person must look), with reasons that a person can read and the figures they rest on.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

const AtLeast = struct {
    metric: []const u8,
    min: f64,

    pub const description: weir.Description = .{
        .name = "PLUGIN_NAME",
        .version = "0.1.0",
        .summary = "Passes a candidate whose metric is high enough.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["metric","min"],"properties":{
        \\"metric":{"type":"string","minLength":1},"min":{"type":"number"}}}
        ,
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    pub fn init(parameters: []const u8) Error!AtLeast {
        var metric: ?[]const u8 = null;
        var min: ?f64 = null;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "metric")) {
                metric = try r.string(weir.allocator);
            } else if (weir.same(key, "min")) {
                min = try r.number();
            } else return r.unknown(key);
        }
        try r.end();
        const self: AtLeast = .{
            .metric = metric orelse return r.missing("metric"),
            .min = min orelse return r.missing("min"),
        };
        if (self.metric.len == 0) return weir.fail("parameters: \"metric\" is empty", .{});
        return self;
    }

    /// candidate.metrics[metric]; other members are passed over, and something else than a number is no figure.
    fn figure(self: *const AtLeast, context: []const u8) Error!?f64 {
        var found: ?f64 = null;
        var r: weir.json.Reader = .{ .what = "context", .text = context };
        try r.object();
        while (try r.key()) |key| {
            if (!weir.same(key, "candidate")) {
                try r.skip();
            } else if (try r.objectOrSkip()) while (try r.key()) |member| {
                if (!weir.same(member, "metrics")) {
                    try r.skip();
                } else if (try r.objectOrSkip()) while (try r.key()) |name| {
                    const value = try r.numberOrSkip();
                    if (weir.same(name, self.metric)) found = value;
                };
            };
        }
        try r.end();
        return found;
    }

    pub fn gate(self: *AtLeast, context: []const u8) Error!weir.Verdict {
        const value = try self.figure(context);
        var evidence: weir.json.Writer = .{ .allocator = weir.scratch };
        _ = evidence.beginObject().key("value").number(value).key("min").number(self.min).endObject();
        const reason = if (value) |v|
            try std.fmt.allocPrint(weir.scratch, "{s} is {d}, the minimum is {d}", .{ self.metric, v, self.min })
        else
            try std.fmt.allocPrint(weir.scratch, "the candidate has no {s}", .{self.metric});
        return .{
            .outcome = if (value) |v| (if (v < self.min) .fail else .pass) else .review,
            .reasons = try weir.scratch.dupe([]const u8, &.{reason}),
            .evidence = try evidence.finish(),
        };
    }
};

comptime {
    weir.exportPlugin(AtLeast);
}
