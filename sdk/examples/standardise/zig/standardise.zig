//! (x - mean) / std of each column, as scikit-learn's StandardScaler.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;
const V = weir.V;

const Scaler = struct {
    name: []const u8,
    mean: f64,
    scale: f64,

    fn read(r: *weir.json.Reader) Error!Scaler {
        var name: ?[]const u8 = null;
        var mean: ?f64 = null;
        var scale: ?f64 = null;
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "name")) {
                name = try r.string(weir.allocator);
            } else if (weir.same(key, "mean")) {
                mean = try r.number();
            } else if (weir.same(key, "std")) {
                scale = try r.number();
            } else return r.unknown(key);
        }
        const self: Scaler = .{
            .name = name orelse return r.missing("name"),
            .mean = mean orelse return r.missing("mean"),
            .scale = scale orelse return r.missing("std"),
        };
        if (self.name.len == 0) return weir.fail("parameters: a column's \"name\" is empty", .{});
        if (self.scale < 0) return weir.fail("parameters: column \"{s}\" has a negative \"std\"", .{self.name});
        return self;
    }

    inline fn apply(self: Scaler, x: V) V {
        const divisor = if (self.scale == 0) 1 else self.scale;
        return weir.canonical((x - @as(V, @splat(self.mean))) / @as(V, @splat(divisor)));
    }
};

const Standardise = struct {
    scalers: []Scaler,

    pub const description: weir.Description = .{
        .name = "standardise",
        .version = "1.0.0",
        .summary = "(x - mean) / std of each column.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["columns"],"properties":{"columns":{"type":"array","minItems":1,
        \\"items":{"type":"object","additionalProperties":false,"required":["name","mean","std"],"properties":{
        \\"name":{"type":"string","minLength":1},"mean":{"type":"number"},"std":{"type":"number","minimum":0}}}}}}
        ,
    };

    pub fn init(parameters: []const u8) Error!Standardise {
        var all: std.ArrayList(Scaler) = .empty;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (!weir.same(key, "columns")) return r.unknown(key);
            try r.array();
            while (try r.next()) {
                const scaler = try Scaler.read(&r);
                for (all.items) |other| if (weir.same(other.name, scaler.name)) return weir.fail("parameters: column \"{s}\" is listed twice", .{scaler.name});
                try all.append(weir.allocator, scaler);
            }
        }
        try r.end();
        if (all.items.len == 0) return weir.fail("parameters: \"columns\" is missing or empty: give [{{\"name\", \"mean\", \"std\"}}]", .{});
        return .{ .scalers = all.items };
    }

    pub fn schema(self: *Standardise) Error!weir.Schema {
        const fields = try weir.scratch.alloc(weir.Field, self.scalers.len);
        for (fields, self.scalers) |*field, scaler| field.* = .{ .name = scaler.name, .type = .float64 };
        return .{ .inputs = fields, .outputs = fields };
    }

    pub fn transform(self: *Standardise, input: *const weir.Batch, output: *weir.Output) Error!void {
        for (self.scalers, 0..) |scaler, i| {
            const column = try input.column(i, scaler.name);
            const y = try output.f64s(scaler.name, column.validity);
            weir.map(y, try column.f64s(), scaler, Scaler.apply);
        }
        if (input.columns().len == self.scalers.len) return; // names differ, so it is these
        for (input.columns()) |*column| {
            for (self.scalers) |scaler| {
                if (weir.same(scaler.name, column.name())) break;
            } else return weir.fail("input column \"{s}\" is not among the parameters", .{column.name()});
        }
    }

    pub fn row(self: *Standardise, input: weir.Row, output: weir.RowOutput) Error!void {
        for (self.scalers, 0..) |scaler, i| {
            if (input.float64(i)) |x| output.float64(i, scaler.apply(@splat(x))[0]);
        }
    }
};

comptime {
    weir.exportPlugin(Standardise);
}
