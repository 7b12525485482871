const std = @import("std");

/// Four doubles: two of WebAssembly's vectors.
pub const V = @Vector(4, f64);

/// ln(1 + x), at most 0.86 ulp from the true value, and the same bits in every SDK of weir, on every machine. NaN and x below -1
/// give the canonical NaN, -1 gives -infinity; zeros keep their sign.
pub fn log1p(x: f64) f64 {
    return log1ps(@as(@Vector(1, f64), @splat(x)))[0];
}

/// `log1p` of each element of a vector of doubles, without branches.
///
/// fdlibm's s_log1p.c (Sun Microsystems, 1993) with k, the power of two, chosen for every x; sdk/examples/SPEC.md has the
/// operations one by one. They must not be reordered or fused.
pub inline fn log1ps(x: anytype) @TypeOf(x) {
    const n = @typeInfo(@TypeOf(x)).vector.len;
    const F = @Vector(n, f64);
    const U = @Vector(n, u64);
    const one: F = @splat(1);
    const u = one + x;
    const b = @as(U, @bitCast(u)) +% @as(U, @splat(0x00095f619980c433));
    const power = b >> @splat(52);
    const k_is_0 = power == @as(U, @splat(1023));
    const d = @as(F, @bitCast(power | @as(U, @splat(0x4330000000000000)))) - @as(F, @splat(4503599627371519.0));
    const m: F = @bitCast((b & @as(U, @splat(0x000fffffffffffff))) + @as(U, @splat(0x3fe6a09e667f3bcd)));
    const e = @select(f64, x < one, x - (u - one), one - (u - x));
    const c = @select(f64, k_is_0, @as(F, @splat(0)), e / u);
    const f = @select(f64, k_is_0, x, m - one);
    const s = f / (@as(F, @splat(2)) + f);
    const z = s * s;
    const w = z * z;
    const t1 = w * (of(F, 0x1.999999997fa04p-2) + w * (of(F, 0x1.c71c51d8e78afp-3) + w * of(F, 0x1.39a09d078c69fp-3)));
    const t2 = z * (of(F, 0x1.5555555555593p-1) + w * (of(F, 0x1.2492494229359p-2) + w * (of(F, 0x1.7466496cb03dep-3) + w * of(F, 0x1.2f112df3e5244p-3))));
    const r = t2 + t1;
    const h = (of(F, 0.5) * f) * f;
    const y = (((s * (h + r) + (d * of(F, 0x1.a39ef35793c76p-33) + c)) - h) + f) + d * of(F, 0x1.62e42fee00000p-1);

    const infinity = of(F, std.math.inf(f64));
    const itself = @select(f64, x == of(F, 0), x, @select(f64, x == infinity, x, y));
    const with_pole = @select(f64, x == of(F, -1), -infinity, itself);
    return @select(f64, x >= of(F, -1), with_pole, of(F, nan));
}

inline fn of(comptime F: type, comptime v: f64) F {
    return @splat(v);
}

const nan: f64 = @bitCast(@as(u64, 0x7ff8000000000000));

/// v with every NaN replaced by the one that is the same on all machines, bits 0x7ff8000000000000.
pub inline fn canonical(v: anytype) @TypeOf(v) {
    if (@TypeOf(v) == f64) return if (v == v) v else nan;
    return @select(f64, v == v, v, of(@TypeOf(v), nan));
}

/// y[i] = f(context, x[i]), four rows at a time; f is `fn (context, V) V` and must treat elements alike. x and y have the same length.
pub inline fn map(y: []f64, x: []const f64, context: anytype, comptime f: fn (@TypeOf(context), V) callconv(.@"inline") V) void {
    const from = x[0..y.len];
    var i: usize = 0;
    while (i + 4 <= y.len) : (i += 4) y[i..][0..4].* = f(context, from[i..][0..4].*);
    if (i == y.len) return;
    var rest: [4]f64 = @splat(0);
    @memcpy(rest[0 .. y.len - i], from[i..]);
    rest = f(context, rest);
    @memcpy(y[i..], rest[0 .. y.len - i]);
}

test log1p {
    const cases = [_]struct { f64, u64 }{
        .{ 1.0, 0x3fe62e42fefa39ef },                   .{ 0.5, 0x3fd9f323ecbf984c },
        .{ -0.5, 0xbfe62e42fefa39ef },                  .{ 1e-05, 0x3ee4f8aea9ae7317 },
        .{ -0.999, 0xc01ba18a998fff9f },                .{ 0.4142135623730951, 0x3fd62e42fefa39f0 },
        .{ -0.2929, 0xbfd62e6b3842a25c },               .{ 3.0, 0x3ff62e42fefa39ef },
        .{ 1e10, 0x4037069e2aa3184e },                  .{ 1e300, 0x4085963447f87fb5 },
        .{ 8.673617379884035e-19, 0x3c30000000000000 }, .{ -0.9999999999999999, 0xc0425e4f7b2737fa },
        .{ 99.0, 0x40126bb1bbb55516 },                  .{ 0.1, 0x3fb8663f793c46c7 },
        .{ 0.0, 0 },                                    .{ -0.0, 1 << 63 },
        .{ -1.0, 0xfff0000000000000 },                  .{ std.math.inf(f64), 0x7ff0000000000000 },
        .{ -std.math.inf(f64), 0x7ff8000000000000 },    .{ -1.5, 0x7ff8000000000000 },
        .{ -std.math.nan(f64), 0x7ff8000000000000 },
    };
    for (cases) |case| try std.testing.expectEqual(case[1], @as(u64, @bitCast(log1p(case[0]))));
}

test map {
    const twice = struct {
        inline fn f(by: f64, x: V) V {
            return x * @as(V, @splat(by));
        }
    }.f;
    const x = [_]f64{ 1, 2, 3, 4, 5, 6, 7 };
    for (0..x.len + 1) |n| {
        var y: [7]f64 = @splat(-1);
        map(y[0..n], x[0..n], @as(f64, 2), twice);
        for (y, 0..) |v, i| try std.testing.expectEqual(if (i < n) 2 * x[i] else -1, v);
    }
}
