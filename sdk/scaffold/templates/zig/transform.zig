//! PLUGIN_NAME multiplies a column by a factor.
//!
//! Where to begin: init reads the parameters, transform does the work, vectors.json says what must come out.
//! sdk/src/weir.zig has what there is to use.

const weir = @import("weir");
const Error = weir.Error;

const Scale = struct {
    column: []const u8,
    factor: f64,

    pub const description: weir.Description = .{
        .name = "PLUGIN_NAME",
        .version = "0.1.0",
        .summary = "Multiplies a column by a factor.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["column","factor"],"properties":{
        \\"column":{"type":"string","minLength":1},"factor":{"type":"number"}}}
        ,
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    pub fn init(parameters: []const u8) Error!Scale {
        var column: ?[]const u8 = null;
        var factor: ?f64 = null;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "column")) {
                column = try r.string(weir.allocator);
            } else if (weir.same(key, "factor")) {
                factor = try r.number();
            } else return r.unknown(key);
        }
        try r.end();
        const self: Scale = .{
            .column = column orelse return r.missing("column"),
            .factor = factor orelse return r.missing("factor"),
        };
        if (self.column.len == 0) return weir.fail("parameters: \"column\" is empty", .{});
        return self;
    }

    pub fn schema(self: *Scale) Error!weir.Schema {
        const fields = try weir.scratch.dupe(weir.Field, &.{.{ .name = self.column, .type = .float64 }});
        return .{ .inputs = fields, .outputs = fields };
    }

    /// Gets at most weir.max_rows rows and answers as many. Nulls stay null: the output shares the input's validity.
    pub fn transform(self: *Scale, input: *const weir.Batch, output: *weir.Output) Error!void {
        const column = try input.column(0, self.column);
        const y = try output.f64s(self.column, column.validity);
        for (y, try column.f64s()) |*to, x| {
            const v = x * self.factor;
            to.* = if (v == v) v else @as(f64, @bitCast(@as(u64, 0x7ff8000000000000))); // one NaN, so that answers are the same bits everywhere
        }
    }
};

comptime {
    weir.exportPlugin(Scale);
}
