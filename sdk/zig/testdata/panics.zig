//! A gate that panics, for the test that the host tells why.

const weir = @import("weir");

pub const panic = weir.panic;

const Panics = struct {
    pub const description: weir.Description = .{ .name = "panics", .version = "1.0.0" };

    pub fn init(_: []const u8) weir.Error!Panics {
        return .{};
    }

    pub fn gate(_: *Panics, _: []const u8) weir.Error!weir.Verdict {
        @panic("żółć: this gate always panics");
    }
};

comptime {
    weir.exportPlugin(Panics);
}
