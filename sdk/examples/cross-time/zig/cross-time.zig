//! Hashes the cross of two texts, and takes a time apart.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

const hour_us = 3_600_000_000;
const day_us = 24 * hour_us;

/// sin(2π · hour / 24) for the hours 0 to 29, each the nearest double; the cosine is six hours further on.
const sines = [30]f64{
    0.0,  0.25881904510252074,  0.5,                 0.7071067811865476,  0.8660254037844386,  0.9659258262890683,
    1.0,  0.9659258262890683,   0.8660254037844386,  0.7071067811865476,  0.5,                 0.25881904510252074,
    0.0,  -0.25881904510252074, -0.5,                -0.7071067811865476, -0.8660254037844386, -0.9659258262890683,
    -1.0, -0.9659258262890683,  -0.8660254037844386, -0.7071067811865476, -0.5,                -0.25881904510252074,
    0.0,  0.25881904510252074,  0.5,                 0.7071067811865476,  0.8660254037844386,  0.9659258262890683,
};

/// The month, 1 to 12, of a day since 1970-01-01: H. Hinnant's civil_from_days.
fn month(day: i64) i32 {
    const doe = @mod(day + 719468, 146097); // of the era of 400 years, which begins on a first of March
    const yoe = @divTrunc(doe - @divTrunc(doe, 1460) + @divTrunc(doe, 36524) - @divTrunc(doe, 146096), 365);
    const doy = doe - (365 * yoe + @divTrunc(yoe, 4) - @divTrunc(yoe, 100));
    const mp = @divTrunc(5 * doy + 2, 153);
    return @intCast(if (mp < 10) mp + 3 else mp - 9);
}

const CrossTime = struct {
    a: []const u8,
    b: []const u8,
    time: []const u8,
    buckets: u64,
    /// The outputs' names, in order.
    names: [6][]const u8,

    pub const description: weir.Description = .{
        .name = "cross-time",
        .version = "1.0.0",
        .summary = "Hashes the cross of two texts, and takes a time apart.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"required":["a","b","time","buckets"],"properties":{
        \\"a":{"type":"string","minLength":1},"b":{"type":"string","minLength":1},"time":{"type":"string","minLength":1},
        \\"buckets":{"type":"integer","minimum":1,"maximum":2147483647}}}
        ,
    };

    pub fn init(parameters: []const u8) Error!CrossTime {
        var columns: [3]?[]const u8 = @splat(null);
        var buckets: ?f64 = null;
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "buckets")) {
                buckets = try r.number();
            } else inline for (.{ "a", "b", "time" }, &columns) |name, *column| {
                if (weir.same(key, name)) {
                    column.* = try r.string(weir.allocator);
                    break;
                }
            } else return r.unknown(key);
        }
        try r.end();
        inline for (.{ "a", "b", "time" }, columns) |name, column| {
            if (column == null) return r.missing(name);
            if (column.?.len == 0) return weir.fail("parameters: \"" ++ name ++ "\" is empty", .{});
        }
        const a, const b, const time = .{ columns[0].?, columns[1].?, columns[2].? };
        const twice = if (weir.same(a, b) or weir.same(a, time)) a else if (weir.same(b, time)) b else null;
        if (twice) |name| return weir.fail("parameters: column \"{s}\" is named twice: \"a\", \"b\" and \"time\" must be three different ones", .{name});
        const n = buckets orelse return r.missing("buckets");
        if (!(n >= 1 and n <= 2147483647 and @floor(n) == n)) return weir.fail("parameters: \"buckets\" must be a whole number from 1 to 2147483647", .{});
        var self: CrossTime = .{ .a = a, .b = b, .time = time, .buckets = @intFromFloat(n), .names = undefined };
        self.names[0] = try std.mem.concat(weir.allocator, u8, &.{ a, "_x_", b });
        for (self.names[1..], [_][]const u8{ "_hour", "_day_of_week", "_month", "_hour_sin", "_hour_cos" }) |*name, suffix| {
            name.* = try std.mem.concat(weir.allocator, u8, &.{ time, suffix });
        }
        return self;
    }

    pub fn schema(self: *CrossTime) Error!weir.Schema {
        const outputs = try weir.scratch.alloc(weir.Field, 6);
        for (outputs, self.names, [_]weir.Type{ .int64, .int32, .int32, .int32, .float64, .float64 }) |*field, name, kind| field.* = .{ .name = name, .type = kind };
        return .{
            .inputs = try weir.scratch.dupe(weir.Field, &.{ .{ .name = self.a, .type = .utf8 }, .{ .name = self.b, .type = .utf8 }, .{ .name = self.time, .type = .timestamp } }),
            .outputs = outputs,
        };
    }

    pub fn transform(self: *CrossTime, input: *const weir.Batch, output: *weir.Output) Error!void {
        const a = try input.column(0, self.a);
        const b = try input.column(1, self.b);
        const time = try input.column(2, self.time);
        const left, const right, const at = .{ try a.texts(), try b.texts(), try time.timestamps() };

        const nulls = try output.nulls(a.validity);
        const crosses = try output.i64s(self.names[0], nulls.bytes);
        for (crosses, 0..) |*cross, i| {
            const x = left.get(i) orelse continue;
            const y = right.get(i) orelse {
                nulls.set(i, false);
                continue;
            };
            var hash: std.hash.Fnv1a_64 = .init();
            hash.update(x);
            hash.update("\x1f");
            hash.update(y);
            cross.* = @intCast(hash.final() % self.buckets);
        }

        const hours = try output.i32s(self.names[1], time.validity);
        const days = try output.i32s(self.names[2], time.validity);
        const months = try output.i32s(self.names[3], time.validity);
        const sin = try output.f64s(self.names[4], time.validity);
        const cos = try output.f64s(self.names[5], time.validity);
        for (at, 0..) |t, i| {
            const day = @divFloor(t, day_us);
            const hour: usize = @intCast(@divTrunc(@mod(t, day_us), hour_us));
            hours[i] = @intCast(hour);
            days[i] = @intCast(@mod(day + 3, 7)); // 1970-01-01 was a Thursday
            months[i] = month(day);
            sin[i] = sines[hour];
            cos[i] = sines[hour + 6];
        }
    }
};

comptime {
    weir.exportPlugin(CrossTime);
}

test "before and after 1970" {
    var plugin = try CrossTime.init("{\"a\":\"a\",\"b\":\"b\",\"time\":\"t\",\"buckets\":1024}");
    // 1969-12-31 23:59:59.999999 was a Wednesday, 2024-02-29 06:00 a Thursday.
    const columns = [_]weir.Column{
        .ofTexts("a", "xy", &.{ 0, 1, 2 }),
        .ofTexts("b", "", &.{ 0, 0, 0 }),
        .of(i64, .timestamp, "t", &.{ -1, 1_709_186_400_000_000 }),
    };
    var output: weir.Output = .init(2);
    try plugin.transform(&.of(2, &columns), &output);
    const out = weir.Batch.of(2, output.columns.items);
    try std.testing.expectEqualSlices(i32, &.{ 23, 6 }, try (try out.column(1, "t_hour")).i32s());
    try std.testing.expectEqualSlices(i32, &.{ 2, 3 }, try (try out.column(2, "t_day_of_week")).i32s());
    try std.testing.expectEqualSlices(i32, &.{ 12, 2 }, try (try out.column(3, "t_month")).i32s());
    try std.testing.expectEqualSlices(f64, &.{ 0.9659258262890683, 0 }, try (try out.column(5, "t_hour_cos")).f64s());
}
