//! JSON for parameters and documents: `Reader` pulls values one after the other and builds no tree, `Writer` appends.

const std = @import("std");
const weir = @import("weir.zig");
const Error = weir.Error;

/// How deeply a document may nest.
const max_depth = 64;

/// Reads one document, strictly as RFC 8259 has it. Errors name the document, the line and the column (in bytes, from 1).
///
///     var r: weir.json.Reader = .{ .what = "parameters", .text = text };
///     try r.object();
///     while (try r.key()) |key| {
///         if (weir.same(key, "mean")) mean = try r.number() else return r.unknown(key);
///     }
///     try r.end();
pub const Reader = struct {
    /// What the document is called in errors.
    what: []const u8,
    text: []const u8,
    at: usize = 0,
    depth: usize = 0,
    /// No item of the innermost object or array was read.
    first: bool = false,

    /// An error at the place where the reader is.
    pub fn wrong(self: *const Reader, problem: []const u8) error{Failed} {
        const at = @min(self.at, self.text.len);
        const before = self.text[0..at];
        const line = std.mem.count(u8, before, "\n") + 1;
        const column = at - (if (std.mem.lastIndexOfScalar(u8, before, '\n')) |i| i + 1 else 0) + 1;
        return weir.fail("{s}: line {d}, column {d}: {s}", .{ self.what, line, column, problem });
    }

    /// The error of a key that has no meaning.
    pub fn unknown(self: *const Reader, name: []const u8) error{Failed} {
        return weir.fail("{s}: unknown key \"{s}\"", .{ self.what, name });
    }

    /// The error of a key that is not there.
    pub fn missing(self: *const Reader, name: []const u8) error{Failed} {
        return weir.fail("{s}: \"{s}\" is missing", .{ self.what, name });
    }

    fn byte(self: *const Reader) u8 {
        return if (self.at < self.text.len) self.text[self.at] else 0;
    }

    /// The first byte of the next value; 0 at the end. Takes nothing but white space.
    pub fn peek(self: *Reader) u8 {
        while (true) switch (self.byte()) {
            ' ', '\n', '\t', '\r' => self.at += 1,
            else => |c| return c,
        };
    }

    fn open(self: *Reader, bracket: u8, problem: []const u8) Error!void {
        if (self.peek() != bracket) return self.wrong(problem);
        if (self.depth == max_depth) return self.wrong("nested too deeply");
        self.depth += 1;
        self.at += 1;
        self.first = true;
    }

    /// Enters an object; `key` reads on.
    pub fn object(self: *Reader) Error!void {
        return self.open('{', "an object is expected");
    }

    /// Enters an array; `next` reads on.
    pub fn array(self: *Reader) Error!void {
        return self.open('[', "an array is expected");
    }

    fn item(self: *Reader, close: u8) Error!bool {
        const first = self.first;
        self.first = false;
        if (self.peek() == close) {
            self.at += 1;
            self.depth -= 1;
            return false;
        }
        if (!first) {
            if (self.peek() != ',') return self.wrong("a comma or the closing bracket is expected");
            self.at += 1;
            if (self.peek() == close) return self.wrong("a value is expected after the comma");
        }
        return true;
    }

    /// Moves to the next item of the array just entered; false at its end, which it leaves.
    pub fn next(self: *Reader) Error!bool {
        return self.item(']');
    }

    /// Moves to the next member of the object just entered and reads its key; null at its end, which it leaves. The key is valid
    /// until the next call into the instance.
    pub fn key(self: *Reader) Error!?[]const u8 {
        if (!try self.item('}')) return null;
        const name = try self.string(weir.scratch);
        if (self.peek() != ':') return self.wrong("a colon is expected");
        self.at += 1;
        return name;
    }

    /// Reads a string into memory of its own.
    pub fn string(self: *Reader, allocator: std.mem.Allocator) Error![]const u8 {
        if (self.peek() != '"') return self.wrong("a string is expected");
        self.at += 1;
        const from = self.at;
        while (self.byte() != '"') {
            if (self.at >= self.text.len) return self.wrong("the string does not end");
            if (self.byte() < 0x20) return self.wrong("a control character in a string must be escaped");
            self.at += @as(usize, 1) + @intFromBool(self.byte() == '\\');
        }
        const close = self.at;
        // No escape is shorter than what it stands for.
        const out = try allocator.alloc(u8, close - from);
        self.at = from;
        var n: usize = 0;
        while (self.at < close) {
            const c = self.byte();
            self.at += 1;
            if (c != '\\') {
                out[n] = c;
                n += 1;
                continue;
            }
            n += std.unicode.utf8Encode(try self.escape(), out[n..]) catch return self.wrong("an unpaired surrogate");
        }
        if (!std.unicode.utf8ValidateSlice(out[0..n])) return self.wrong("the string is not UTF-8");
        self.at = close + 1;
        return out[0..n];
    }

    fn escape(self: *Reader) Error!u21 {
        const c = self.byte();
        self.at += 1;
        switch (c) {
            '"', '\\', '/' => return c,
            'b' => return 8,
            'f' => return 12,
            'n' => return '\n',
            'r' => return '\r',
            't' => return '\t',
            'u' => {
                const high = try self.hex4();
                if (high < 0xd800 or high > 0xdfff) return high;
                if (high > 0xdbff or !std.mem.startsWith(u8, self.text[self.at..], "\\u")) return self.wrong("an unpaired surrogate");
                self.at += 2;
                const low = try self.hex4();
                if (low < 0xdc00 or low > 0xdfff) return self.wrong("an unpaired surrogate");
                return 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
            },
            else => {
                self.at -= 1;
                return self.wrong("an unknown escape");
            },
        }
    }

    fn hex4(self: *Reader) Error!u21 {
        var v: u21 = 0;
        for (0..4) |i| {
            const c = if (self.at + i < self.text.len) self.text[self.at + i] else 0;
            v = v << 4 | (std.fmt.charToDigit(c, 16) catch return self.wrong("four hex digits are expected after \\u"));
        }
        self.at += 4;
        return v;
    }

    fn digits(self: *Reader) usize {
        const from = self.at;
        while (std.ascii.isDigit(self.byte())) self.at += 1;
        return self.at - from;
    }

    /// Reads a finite number: the nearest double.
    pub fn number(self: *Reader) Error!f64 {
        _ = self.peek();
        const from = self.at;
        if (self.byte() == '-') self.at += 1;
        const zero = self.byte() == '0';
        const whole = self.digits();
        if (whole == 0 or zero and whole > 1) {
            self.at = from;
            return self.wrong("a number is expected");
        }
        if (self.byte() == '.') {
            self.at += 1;
            if (self.digits() == 0) return self.wrong("digits are expected after the point");
        }
        if (self.byte() | 0x20 == 'e') {
            self.at += 1;
            if (self.byte() == '+' or self.byte() == '-') self.at += 1;
            if (self.digits() == 0) return self.wrong("digits are expected in the exponent");
        }
        // The form is one that parseFloat takes; it rounds to the nearest double.
        const v = std.fmt.parseFloat(f64, self.text[from..self.at]) catch std.math.inf(f64);
        if (std.math.isFinite(v)) return v;
        self.at = from;
        return self.wrong("the number is too large for a double");
    }

    /// Reads an array of numbers into memory of its own.
    pub fn numbers(self: *Reader, allocator: std.mem.Allocator) Error![]f64 {
        var all: std.ArrayList(f64) = .empty;
        try self.array();
        while (try self.next()) try all.append(allocator, try self.number());
        return all.items;
    }

    /// Reads true or false.
    pub fn boolean(self: *Reader) Error!bool {
        switch (self.peek()) {
            't' => try self.word("true"),
            'f' => {
                try self.word("false");
                return false;
            },
            else => return self.wrong("true or false is expected"),
        }
        return true;
    }

    fn word(self: *Reader, name: []const u8) Error!void {
        if (!std.mem.startsWith(u8, self.text[self.at..], name)) return self.wrong("a value is expected");
        self.at += name.len;
    }

    /// Reads a number if there is one, and skips any other value.
    pub fn numberOrSkip(self: *Reader) Error!?f64 {
        switch (self.peek()) {
            '-', '0'...'9' => return try self.number(),
            else => {},
        }
        try self.skip();
        return null;
    }

    /// Enters an object if there is one, and skips any other value; false then.
    pub fn objectOrSkip(self: *Reader) Error!bool {
        if (self.peek() == '{') {
            try self.object();
            return true;
        }
        try self.skip();
        return false;
    }

    /// Reads any value and forgets it.
    pub fn skip(self: *Reader) Error!void {
        switch (self.peek()) {
            '{' => {
                try self.object();
                while (try self.key()) |_| try self.skip();
            },
            '[' => {
                try self.array();
                while (try self.next()) try self.skip();
            },
            '"' => _ = try self.string(weir.scratch),
            't' => try self.word("true"),
            'f' => try self.word("false"),
            'n' => try self.word("null"),
            '-', '0'...'9' => _ = try self.number(),
            else => return self.wrong("a value is expected"),
        }
    }

    /// Checks that nothing follows the document.
    pub fn end(self: *Reader) Error!void {
        _ = self.peek();
        if (self.at < self.text.len) return self.wrong("nothing may follow the document");
    }
};

/// Writes one document. It puts the commas; that brackets and keys match is the caller's to see to. Memory that runs out is
/// told by `finish`.
pub const Writer = struct {
    allocator: std.mem.Allocator,
    out: std.ArrayList(u8) = .empty,
    full: bool = false,

    fn append(self: *Writer, bytes: []const u8) void {
        self.out.appendSlice(self.allocator, bytes) catch {
            self.full = true;
        };
    }

    fn value(self: *Writer, bytes: []const u8) *Writer {
        if (self.out.items.len > 0) switch (self.out.items[self.out.items.len - 1]) {
            '{', '[', ':' => {},
            else => self.append(","),
        };
        self.append(bytes);
        return self;
    }

    fn closing(self: *Writer, bytes: []const u8) *Writer {
        self.append(bytes);
        return self;
    }

    pub fn beginObject(self: *Writer) *Writer {
        return self.value("{");
    }

    pub fn endObject(self: *Writer) *Writer {
        return self.closing("}");
    }

    pub fn beginArray(self: *Writer) *Writer {
        return self.value("[");
    }

    pub fn endArray(self: *Writer) *Writer {
        return self.closing("]");
    }

    /// Writes a member's key; its value must follow.
    pub fn key(self: *Writer, name: []const u8) *Writer {
        return self.string(name).closing(":");
    }

    pub fn string(self: *Writer, s: []const u8) *Writer {
        _ = self.value("\"");
        var from: usize = 0;
        for (s, 0..) |c, i| {
            if (c >= 0x20 and c != '"' and c != '\\') continue;
            self.append(s[from..i]);
            from = i + 1;
            const hex = "0123456789abcdef";
            self.append(if (c < 0x20) &.{ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] } else &.{ '\\', c });
        }
        self.append(s[from..]);
        return self.closing("\"");
    }

    /// Writes a number that reads back as the same double; null for null, NaN and infinities.
    pub fn number(self: *Writer, v: ?f64) *Writer {
        const x = v orelse return self.value("null");
        if (!std.math.isFinite(x)) return self.value("null");
        var buffer: [std.fmt.float.min_buffer_size]u8 = undefined;
        return self.value(std.fmt.float.render(&buffer, x, .{ .mode = .scientific }) catch unreachable);
    }

    pub fn integer(self: *Writer, v: i64) *Writer {
        var buffer: [24]u8 = undefined;
        return self.value(std.fmt.bufPrint(&buffer, "{d}", .{v}) catch unreachable);
    }

    pub fn boolean(self: *Writer, v: bool) *Writer {
        return self.value(if (v) "true" else "false");
    }

    /// Writes a value that is JSON already.
    pub fn raw(self: *Writer, text: []const u8) *Writer {
        return self.value(text);
    }

    /// The document.
    pub fn finish(self: *Writer) Error![]const u8 {
        return if (self.full) error.OutOfMemory else self.out.items;
    }
};

fn skipAll(text: []const u8) Error!void {
    var r: Reader = .{ .what = "document", .text = text };
    try r.skip();
    try r.end();
}

test "what is JSON and what is not" {
    for ([_][]const u8{ "{}", " [ ] ", "[1,-0,0.5e-3,1E9]", "{\"a\":[true,false,null,\"\\u00e9\\ud83d\\ude00\"]}", "\"\"", "1e308", "[[],[1],{}]" }) |good| try skipAll(good);
    const cases = [_][2][]const u8{
        .{ "", "column 1: a value is expected" },
        .{ "[1,]", "column 4: a value is expected after the comma" },
        .{ "[1 2]", "column 4: a comma or the closing bracket is expected" },
        .{ "{\"a\" 1}", "column 6: a colon is expected" },
        .{ "01", "column 1: a number is expected" },
        .{ "1.", "column 3: digits are expected after the point" },
        .{ "1e", "column 3: digits are expected in the exponent" },
        .{ "1e999", "column 1: the number is too large for a double" },
        .{ "\"a", "column 3: the string does not end" },
        .{ "\"a\\", "the string does not end" },
        .{ "\"\x01\"", "column 2: a control character in a string must be escaped" },
        .{ "\"\\x\"", "column 3: an unknown escape" },
        .{ "\"\\ud800\"", "an unpaired surrogate" },
        .{ "\"\\ud800\\u0041\"", "an unpaired surrogate" },
        .{ "\"\\ud800\\ue000\"", "an unpaired surrogate" },
        .{ "\"\\udc00\"", "an unpaired surrogate" },
        .{ "\"\\u12g4\"", "four hex digits are expected" },
        .{ "\"\xff\"", "not UTF-8" },
        .{ "nul", "column 1: a value is expected" },
        .{ "{}\n x", "line 2, column 2: nothing may follow the document" },
        .{ &@as([65]u8, @splat('[')), "nested too deeply" },
    };
    for (cases) |case| {
        try std.testing.expectError(error.Failed, skipAll(case[0]));
        if (std.mem.indexOf(u8, weir.failure(), case[1]) == null) {
            std.debug.print("{s}: {s}\n", .{ case[0], weir.failure() });
            return error.TestUnexpectedResult;
        }
    }
}

test "what is written reads back" {
    var w: Writer = .{ .allocator = weir.scratch };
    _ = w.beginObject().key("a\"\\\n").beginArray().number(0.1).number(1e300).number(null).integer(-3).boolean(true).beginObject().endObject().endArray();
    const text = try w.key("b").string("żółć").endObject().finish();
    try std.testing.expectEqualStrings("{\"a\\\"\\\\\\u000a\":[1e-1,1e300,null,-3,true,{}],\"b\":\"żółć\"}", text);
    var r: Reader = .{ .what = "document", .text = text };
    try r.object();
    try std.testing.expectEqualStrings("a\"\\\n", (try r.key()).?);
    try r.array();
    for ([_]?f64{ 0.1, 1e300, null, -3, null, null }) |want| {
        try std.testing.expect(try r.next());
        try std.testing.expectEqual(want, try r.numberOrSkip());
    }
    try std.testing.expect(!try r.next());
    try std.testing.expectEqualStrings("b", (try r.key()).?);
    try std.testing.expectEqualStrings("żółć", try r.string(weir.scratch));
    try std.testing.expectEqual(null, try r.key());
    try r.end();
}
