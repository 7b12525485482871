// Package scripts carries the script that installs the compilers of plugins, and its pins, so that the weir binary can run it
// on a machine that has no copy of the repository. The other scripts are for the repository itself.
package scripts

import "embed"

// Toolchain has toolchain.sh and the lists of pinned packages beside it.
//
//go:embed toolchain.sh rust.txt node.txt
var Toolchain embed.FS
