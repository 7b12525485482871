//! What a plugin may ask of the host (sdk/abi/ABI.md, section 9). Each function needs the grant of its name, which the plugin's
//! description asks for and its manifest gives. In a transform and a metric everything but `log` is refused. Natively
//! everything is refused. Replies lie in `weir.scratch`.

const std = @import("std");
const builtin = @import("builtin");
const weir = @import("weir.zig");
const documents = @import("documents.zig");

/// Why the host did not do it; `reason` has its words.
pub const Error = error{ Absent, Refused, Limit, HostFailed, OutOfMemory };

/// How loud a line of the log is.
pub const Level = enum(i32) { debug, info, warning, err };

const imports = if (builtin.cpu.arch.isWasm()) struct {
    extern "weir:host" fn log(level: i32, at: [*]const u8, n: usize) i32;
    extern "weir:host" fn clock(at: *i64) i32;
    extern "weir:host" fn random(at: [*]u8, n: usize) i32;
    extern "weir:host" fn kv_get(key: [*]const u8, key_n: usize) i32;
    extern "weir:host" fn kv_put(key: [*]const u8, key_n: usize, value: [*]const u8, value_n: usize) i32;
    extern "weir:host" fn kv_delete(key: [*]const u8, key_n: usize) i32;
    extern "weir:host" fn features_read(at: [*]const u8, n: usize) i32;
    extern "weir:host" fn model_infer(at: [*]const u8, n: usize) i32;
    extern "weir:host" fn http_request(at: [*]const u8, n: usize) i32;
    extern "weir:host" fn reply_size() i32;
    extern "weir:host" fn reply_read(at: [*]u8) void;
} else struct {
    fn log(_: i32, _: [*]const u8, _: usize) i32 {
        return 2;
    }
    fn clock(_: *i64) i32 {
        return 2;
    }
    fn random(_: [*]u8, _: usize) i32 {
        return 2;
    }
    fn kv_put(_: [*]const u8, _: usize, _: [*]const u8, _: usize) i32 {
        return 2;
    }
    fn refused(_: [*]const u8, _: usize) i32 {
        return 2;
    }
    const kv_get = refused;
    const kv_delete = refused;
    const features_read = refused;
    const model_infer = refused;
    const http_request = refused;
    fn reply_size() i32 {
        return 0;
    }
    fn reply_read(_: [*]u8) void {}
};

var words: []const u8 = "";

/// The host's words about the last call that was not done.
pub fn reason() []const u8 {
    return words;
}

fn reply() Error![]const u8 {
    const bytes = try weir.scratch.alloc(u8, @intCast(@max(imports.reply_size(), 0)));
    if (bytes.len > 0) imports.reply_read(bytes.ptr);
    return bytes;
}

fn done(status: i32) Error!void {
    if (status == 0) return;
    words = try reply();
    return switch (status) {
        1 => error.Absent,
        2 => error.Refused,
        3 => error.Limit,
        else => error.HostFailed,
    };
}

/// Writes a line to the host's log. Grant `log`. A refusal is no failure of the plugin, so there is nothing to handle.
pub fn log(level: Level, text: []const u8) void {
    _ = imports.log(@backingInt(level), text.ptr, text.len);
}

/// Microseconds since 1970-01-01T00:00:00Z. Grant `clock`.
pub fn clock() Error!i64 {
    var now: i64 = 0;
    try done(imports.clock(&now));
    return now;
}

/// Fills the bytes with random ones. Grant `random`.
pub fn random(bytes: []u8) Error!void {
    try done(imports.random(bytes.ptr, bytes.len));
}

/// The value of a key, null when there is none. Grant `kv.read`.
pub fn kvGet(key: []const u8) Error!?[]const u8 {
    done(imports.kv_get(key.ptr, key.len)) catch |e| return if (e == error.Absent) null else e;
    return try reply();
}

/// Sets the value of a key. Grant `kv.write`.
pub fn kvPut(key: []const u8, value: []const u8) Error!void {
    try done(imports.kv_put(key.ptr, key.len, value.ptr, value.len));
}

/// Forgets a key. Grant `kv.write`.
pub fn kvDelete(key: []const u8) Error!void {
    try done(imports.kv_delete(key.ptr, key.len));
}

/// Reads features: document in, document out. Grant `features.read`.
pub fn featuresRead(document: []const u8) Error![]const u8 {
    try done(imports.features_read(document.ptr, document.len));
    return reply();
}

/// Asks a model: {"model":"name","rows":[{"x":1}]} in, {"predictions":[…],"model_version":"1"} out. Grant `model.infer`.
pub fn modelInfer(document: []const u8) Error![]const u8 {
    try done(imports.model_infer(document.ptr, document.len));
    return reply();
}

/// Sends an HTTP request. Grant `http.out`. A status of failure is a response, not an error.
pub fn httpRequest(method: []const u8, url: []const u8, headers: []const weir.Header, body: []const u8) (Error || weir.Error)!weir.Response {
    var w: weir.json.Writer = .{ .allocator = weir.scratch };
    documents.writeHeaders(w.beginObject().key("method").string(method).key("url").string(url), headers);
    const document = try w.key("body").string(try documents.encode(body)).endObject().finish();
    try done(imports.http_request(document.ptr, document.len));
    return weir.Response.read(try reply());
}

test "everything is refused without a host" {
    log(.info, "nobody hears it");
    const expect = std.testing.expectError;
    var bytes: [4]u8 = undefined;
    try expect(error.Refused, clock());
    try expect(error.Refused, random(&bytes));
    try expect(error.Refused, kvGet("k"));
    try expect(error.Refused, kvPut("k", "v"));
    try expect(error.Refused, kvDelete("k"));
    try expect(error.Refused, featuresRead("{}"));
    try expect(error.Refused, modelInfer("{}"));
    try expect(error.Refused, httpRequest("GET", "https://example.com", &.{}, ""));
    try std.testing.expectEqualStrings("", reason());
}
