//! The documents that cross the boundary (sdk/abi/ABI.md, section 6).

const std = @import("std");
const weir = @import("weir.zig");
const Error = weir.Error;
const Reader = weir.json.Reader;
const Writer = weir.json.Writer;
const base64 = std.base64.standard;

/// What a module says about itself. Its worlds are those of which it has the functions.
pub const Description = struct {
    /// a-z, 0-9 and dashes, at most 64 bytes.
    name: []const u8,
    /// The plugin's own version.
    version: []const u8,
    /// One line.
    summary: []const u8 = "",
    /// The JSON Schema (2020-12) of the parameters, by which the host checks them; empty for none.
    parameters: []const u8 = "",
    /// What the module wants of the host, such as "log" or "kv.read:prefix*".
    grants: []const []const u8 = &.{},

    pub fn write(self: Description, worlds: []const []const u8) Error![]const u8 {
        var w: Writer = .{ .allocator = weir.scratch };
        _ = w.beginObject().key("name").string(self.name).key("version").string(self.version);
        if (self.summary.len > 0) _ = w.key("summary").string(self.summary);
        strings(&w, "worlds", worlds);
        if (self.parameters.len > 0) _ = w.key("parameters").raw(self.parameters);
        if (self.grants.len > 0) strings(&w, "grants", self.grants);
        return w.endObject().finish();
    }
};

fn strings(w: *Writer, key: []const u8, all: []const []const u8) void {
    _ = w.key(key).beginArray();
    for (all) |s| _ = w.string(s);
    _ = w.endArray();
}

/// One column of a schema.
pub const Field = struct {
    name: []const u8,
    type: weir.Type,
    /// Elements a row of a float vector, otherwise 0.
    list_size: u32 = 0,
};

/// The columns of a plugin with its parameters, inputs and outputs in order. Empty lists are not fixed.
pub const Schema = struct {
    inputs: []const Field = &.{},
    outputs: []const Field = &.{},

    pub fn write(self: Schema) Error![]const u8 {
        var w: Writer = .{ .allocator = weir.scratch };
        fields(w.beginObject().key("inputs"), self.inputs);
        fields(w.key("outputs"), self.outputs);
        return w.endObject().finish();
    }

    fn fields(w: *Writer, all: []const Field) void {
        _ = w.beginArray();
        for (all) |field| {
            _ = w.beginObject().key("name").string(field.name).key("type").string(@tagName(field.type));
            if (field.list_size > 0) _ = w.key("list_size").integer(field.list_size);
            _ = w.endObject();
        }
        _ = w.endArray();
    }
};

/// One figure of a metric.
pub const Score = struct {
    /// The column it is about; empty for none.
    column: []const u8 = "",
    /// What is measured, such as "psi".
    name: []const u8,
    /// null = undefined, with the reason in the note. NaN and infinities are written as undefined, too.
    value: ?f64 = null,
    note: []const u8 = "",
    /// A JSON object with details; empty for none.
    detail: []const u8 = "",
};

pub fn writeScores(scores: []const Score) Error![]const u8 {
    var w: Writer = .{ .allocator = weir.scratch };
    _ = w.beginArray();
    for (scores) |score| {
        _ = w.beginObject();
        if (score.column.len > 0) _ = w.key("column").string(score.column);
        _ = w.key("name").string(score.name).key("value").number(score.value);
        if (score.note.len > 0) _ = w.key("note").string(score.note);
        if (score.detail.len > 0) _ = w.key("detail").raw(score.detail);
        _ = w.endObject();
    }
    return w.endArray().finish();
}

/// What a gate decides.
pub const Outcome = enum { pass, fail, review };

/// A decision with its reasons.
pub const Verdict = struct {
    outcome: Outcome,
    /// Sentences with their figures; at least one.
    reasons: []const []const u8,
    /// A JSON object with the figures; empty for none.
    evidence: []const u8 = "",

    pub fn write(self: Verdict) Error![]const u8 {
        var w: Writer = .{ .allocator = weir.scratch };
        _ = w.beginObject().key("outcome").string(@tagName(self.outcome));
        strings(&w, "reasons", self.reasons);
        if (self.evidence.len > 0) _ = w.key("evidence").raw(self.evidence);
        return w.endObject().finish();
    }
};

/// A header's name and its values.
pub const Header = struct { name: []const u8, values: []const []const u8 };

/// What a handler is asked. Its memory is `weir.scratch`.
pub const Request = struct {
    /// "http" or "event".
    kind: []const u8 = "",
    method: []const u8 = "",
    /// The path below the function.
    path: []const u8 = "",
    /// The query without "?".
    query: []const u8 = "",
    headers: []const Header = &.{},
    /// An event's subject.
    subject: []const u8 = "",
    /// An event's id.
    id: []const u8 = "",
    body: []const u8 = "",

    /// The first value of a header, whose name is compared without regard to case.
    pub fn header(self: Request, name: []const u8) ?[]const u8 {
        for (self.headers) |h| if (std.ascii.eqlIgnoreCase(h.name, name) and h.values.len > 0) return h.values[0];
        return null;
    }

    pub fn read(document: []const u8) Error!Request {
        var self: Request = .{};
        var r: Reader = .{ .what = "request", .text = document };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "headers")) {
                self.headers = try readHeaders(&r);
            } else if (weir.same(key, "body")) {
                self.body = try readBody(&r);
            } else inline for (.{ "kind", "method", "path", "query", "subject", "id" }) |name| {
                if (weir.same(key, name)) {
                    @field(self, name) = try r.string(weir.scratch);
                    break;
                }
            } else try r.skip();
        }
        try r.end();
        return self;
    }
};

/// What a handler answers, and what `weir.host.httpRequest` got.
pub const Response = struct {
    /// The HTTP status, 200..599; 0 = 200.
    status: u16 = 200,
    headers: []const Header = &.{},
    body: []const u8 = "",

    pub fn read(document: []const u8) Error!Response {
        var self: Response = .{ .status = 0 };
        var r: Reader = .{ .what = "response", .text = document };
        try r.object();
        while (try r.key()) |key| {
            if (weir.same(key, "status")) {
                const status = try r.number();
                if (!(status >= 0 and status <= 999)) return r.wrong("the status is no HTTP status");
                self.status = @intFromFloat(status);
            } else if (weir.same(key, "headers")) {
                self.headers = try readHeaders(&r);
            } else if (weir.same(key, "body")) {
                self.body = try readBody(&r);
            } else try r.skip();
        }
        try r.end();
        return self;
    }

    pub fn write(self: Response) Error![]const u8 {
        var w: Writer = .{ .allocator = weir.scratch };
        _ = w.beginObject().key("status").integer(self.status);
        writeHeaders(&w, self.headers);
        return w.key("body").string(try encode(self.body)).endObject().finish();
    }
};

pub fn writeHeaders(w: *Writer, headers: []const Header) void {
    _ = w.key("headers").beginObject();
    for (headers) |header| strings(w, header.name, header.values);
    _ = w.endObject();
}

fn readHeaders(r: *Reader) Error![]const Header {
    var all: std.ArrayList(Header) = .empty;
    if (try r.objectOrSkip()) while (try r.key()) |name| {
        var values: std.ArrayList([]const u8) = .empty;
        try r.array();
        while (try r.next()) try values.append(weir.scratch, try r.string(weir.scratch));
        try all.append(weir.scratch, .{ .name = name, .values = values.items });
    };
    return all.items;
}

fn readBody(r: *Reader) Error![]const u8 {
    const text = try r.string(weir.scratch);
    const size = base64.Decoder.calcSizeForSlice(text) catch return r.wrong("the body is not base64");
    const body = try weir.scratch.alloc(u8, size);
    base64.Decoder.decode(body, text) catch return r.wrong("the body is not base64");
    return body;
}

/// base64 with padding (RFC 4648, section 4).
pub fn encode(bytes: []const u8) Error![]const u8 {
    return base64.Encoder.encode(try weir.scratch.alloc(u8, base64.Encoder.calcSize(bytes.len)), bytes);
}

test "documents" {
    const expect = std.testing.expectEqualStrings;
    const q = try Request.read("{\"kind\":\"http\",\"method\":\"GET\",\"headers\":{\"Accept\":[\"a\",\"b\"]},\"body\":\"aGk=\",\"later\":[{}]}");
    try expect("http", q.kind);
    try expect("a", q.header("accept").?);
    try expect("hi", q.body);
    for ([_][]const u8{ "{\"body\":\"?\"}", "{\"body\":\"Zg=\"}" }) |bad| {
        try std.testing.expectError(error.Failed, Request.read(bad));
        try std.testing.expect(std.mem.indexOf(u8, weir.failure(), "not base64") != null);
    }
    const response: Response = .{ .status = 201, .headers = &.{.{ .name = "Content-Type", .values = &.{"text/plain"} }}, .body = "hi" };
    const text = try response.write();
    try expect("{\"status\":201,\"headers\":{\"Content-Type\":[\"text/plain\"]},\"body\":\"aGk=\"}", text);
    try std.testing.expectEqualDeep(response, try Response.read(text));
    try expect("[{\"column\":\"x\",\"name\":\"psi\",\"value\":null,\"note\":\"none\",\"detail\":{\"n\":1}}]", try writeScores(&.{.{ .column = "x", .name = "psi", .note = "none", .detail = "{\"n\":1}" }}));
    try expect("{\"outcome\":\"review\",\"reasons\":[\"so\"]}", try (Verdict{ .outcome = .review, .reasons = &.{"so"} }).write());
    try expect("{\"name\":\"n\",\"version\":\"1\",\"worlds\":[\"gate\"]}", try (Description{ .name = "n", .version = "1" }).write(&.{"gate"}));
    try expect("{\"inputs\":[],\"outputs\":[{\"name\":\"v\",\"type\":\"float_vector\",\"list_size\":2}]}", try (Schema{ .outputs = &.{.{ .name = "v", .type = .float_vector, .list_size = 2 }} }).write());
}
