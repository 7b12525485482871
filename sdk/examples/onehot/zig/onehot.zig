//! One 0/1 column for each category of text columns, as scikit-learn's OneHotEncoder(handle_unknown="ignore").

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

const max_outputs = 4096;
const max_name = 1024;

const Encoder = struct {
    name: []const u8,
    /// The outputs' names, in the categories' order.
    outputs: [][]const u8,
    /// The place of each category.
    places: std.StringHashMapUnmanaged(usize),

    fn read(r: *weir.json.Reader) Error!Encoder {
        var name: ?[]const u8 = null;
        var categories: std.ArrayList([]const u8) = .empty;
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "name")) {
                name = try r.string(weir.allocator);
            } else if (weir.same(key, "categories")) {
                try r.array();
                while (try r.next()) try categories.append(weir.allocator, try r.string(weir.allocator));
            } else return r.unknown(key);
        }
        var self: Encoder = .{ .name = name orelse return r.missing("name"), .outputs = try weir.allocator.alloc([]const u8, categories.items.len), .places = .empty };
        if (self.name.len == 0) return weir.fail("parameters: a column's \"name\" is empty", .{});
        if (categories.items.len == 0) return weir.fail("parameters: column \"{s}\": \"categories\" is missing or empty", .{self.name});
        for (categories.items, self.outputs, 0..) |category, *output, i| {
            const entry = try self.places.getOrPut(weir.allocator, category);
            if (entry.found_existing) return weir.fail("parameters: column \"{s}\" lists the category \"{s}\" twice", .{ self.name, category });
            entry.value_ptr.* = i;
            output.* = try std.mem.concat(weir.allocator, u8, &.{ self.name, "=", category });
        }
        return self;
    }
};

const OneHot = struct {
    encoders: []Encoder,
    /// The outputs of the encoder at hand.
    values: [][]f64,

    pub const description: weir.Description = .{
        .name = "onehot",
        .version = "1.0.0",
        .summary = "One 0/1 column for each category of text columns.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["columns"],"properties":{"columns":{"type":"array","minItems":1,
        \\"items":{"type":"object","additionalProperties":false,"required":["name","categories"],"properties":{
        \\"name":{"type":"string","minLength":1},"categories":{"type":"array","minItems":1,"items":{"type":"string"}}}}}}}
        ,
    };

    pub fn init(parameters: []const u8) Error!OneHot {
        var all: std.ArrayList(Encoder) = .empty;
        var names: std.StringHashMapUnmanaged(void) = .empty;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (!weir.same(key, "columns")) return r.unknown(key);
            try r.array();
            while (try r.next()) {
                const encoder = try Encoder.read(&r);
                for (all.items) |other| if (weir.same(other.name, encoder.name)) return weir.fail("parameters: column \"{s}\" is listed twice", .{encoder.name});
                try all.append(weir.allocator, encoder);
                for (encoder.outputs) |name| {
                    if ((try names.getOrPut(weir.allocator, name)).found_existing) return weir.fail("parameters: two outputs of \"columns\" would be named \"{s}\"", .{name});
                    if (name.len > max_name) return weir.fail("parameters: an output of column \"{s}\" would have a name of more than {d} bytes", .{ encoder.name, max_name });
                }
            }
        }
        try r.end();
        if (all.items.len == 0) return weir.fail("parameters: \"columns\" is missing or empty: give [{{\"name\", \"categories\"}}]", .{});
        if (names.count() > max_outputs) return weir.fail("parameters: \"columns\" has {d} categories, at most {d} can be", .{ names.count(), max_outputs });
        return .{ .encoders = all.items, .values = try weir.allocator.alloc([]f64, names.count()) };
    }

    pub fn schema(self: *OneHot) Error!weir.Schema {
        var inputs: std.ArrayList(weir.Field) = .empty;
        var outputs: std.ArrayList(weir.Field) = .empty;
        for (self.encoders) |encoder| {
            try inputs.append(weir.scratch, .{ .name = encoder.name, .type = .utf8 });
            for (encoder.outputs) |name| try outputs.append(weir.scratch, .{ .name = name, .type = .float64 });
        }
        return .{ .inputs = inputs.items, .outputs = outputs.items };
    }

    pub fn transform(self: *OneHot, input: *const weir.Batch, output: *weir.Output) Error!void {
        for (self.encoders, 0..) |encoder, i| {
            const texts = try (try input.column(i, encoder.name)).texts();
            for (encoder.outputs, self.values[0..encoder.outputs.len]) |name, *values| {
                values.* = try output.f64s(name, null);
                @memset(values.*, 0);
            }
            for (0..input.rows) |at| {
                const text = texts.get(at) orelse continue;
                const place = encoder.places.get(text) orelse continue;
                self.values[place][at] = 1;
            }
        }
    }
};

comptime {
    weir.exportPlugin(OneHot);
}
