#!/usr/bin/env bash
# sdk/zig/test.sh: checks the formatting and runs the tests of the SDK and of the examples in Zig, natively.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
zig=$(scripts/toolchain.sh zig)
export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$PWD/.cache/zig} ZIG_LOCAL_CACHE_DIR=${ZIG_LOCAL_CACHE_DIR:-$PWD/.cache/zig}
"$zig" fmt --check sdk/zig/src sdk/examples/*/zig
"$zig" test sdk/zig/src/weir.zig
for example in cross-time gate; do
	"$zig" test --dep weir "-Mroot=sdk/examples/$example/zig/$example.zig" -Mweir=sdk/zig/src/weir.zig
done
