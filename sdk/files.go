// Package sdk carries the sources of the guest SDKs, so that the weir binary can put the SDK of a language beside a new plugin,
// which then builds without any network. Guests do not import it: they import sdk/abi and sdk/guest, or the files of their
// language.
package sdk

import "embed"

// Files has a folder for each SDK: c, rust, zig, assemblyscript; and abi, guest and internal for Go.
//
//go:embed c rust zig assemblyscript assemblyscript/.npmrc abi guest internal
var Files embed.FS
