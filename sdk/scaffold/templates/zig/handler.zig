//! PLUGIN_NAME greets whoever the path names.
//!
//! A handler answers HTTP requests and events.

const std = @import("std");
const weir = @import("weir");
const Error = weir.Error;

const Greeter = struct {
    greeting: []const u8,

    pub const description: weir.Description = .{
        .name = "PLUGIN_NAME",
        .version = "0.1.0",
        .summary = "Greets whoever the path names.",
        .parameters =
        \\{"type":"object","additionalProperties":false,"properties":{"greeting":{"type":"string","default":"hello"}}}
        ,
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    pub fn init(parameters: []const u8) Error!Greeter {
        var greeting: []const u8 = "hello";
        var r: weir.json.Reader = .{ .what = "parameters", .text = parameters };
        try r.object();
        while (try r.key()) |key| {
            if (!weir.same(key, "greeting")) return r.unknown(key);
            greeting = try r.string(weir.allocator);
        }
        try r.end();
        return .{ .greeting = greeting };
    }

    pub fn handle(self: *Greeter, request: weir.Request) Error!weir.Response {
        if (weir.same(request.kind, "http") and !weir.same(request.method, "GET")) return text(405, "only GET\n");
        const who = if (request.path.len > 1) request.path[1..] else "world"; // without the slash
        return text(200, try std.fmt.allocPrint(weir.scratch, "{s}, {s}\n", .{ self.greeting, who }));
    }

    fn text(status: u16, body: []const u8) Error!weir.Response {
        const values = try weir.scratch.dupe([]const u8, &.{"text/plain; charset=utf-8"});
        const headers = try weir.scratch.dupe(weir.Header, &.{.{ .name = "Content-Type", .values = values }});
        return .{ .status = status, .headers = headers, .body = body };
    }
};

comptime {
    weir.exportPlugin(Greeter);
}
