#!/usr/bin/env bash
# sdk/zig/build.sh PLUGIN.zig OUT.wasm: compiles a plugin in Zig with scripts/toolchain.sh's zig. The same source gives the same bytes,
# whatever folder it lies in.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: sdk/zig/build.sh PLUGIN.zig OUT.wasm" >&2; exit 2; }
sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$sdk/../..
zig=$("$root/scripts/toolchain.sh" zig)
export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$root/.cache/zig} ZIG_LOCAL_CACHE_DIR=${ZIG_LOCAL_CACHE_DIR:-$root/.cache/zig}
source=$(realpath "$1")
out=$(realpath "$(dirname "$2")")/$(basename "$2")
# The source's name must not get into the module: it is compiled from its own folder under the name that it has there.
cd "$(dirname "$source")"
exec "$zig" build-exe -fno-entry -rdynamic -target wasm32-freestanding -OReleaseFast -fstrip --stack 65536 \
	-mcpu=generic+simd128+bulk_memory+sign_ext+nontrapping_fptoint+multivalue+mutable_globals \
	--name plugin --dep weir "-Mroot=$(basename "$source")" "-Mweir=$sdk/src/weir.zig" "-femit-bin=$out"
