#!/bin/sh
# sdk/assemblyscript/build.sh PLUGIN.ts OUT.wasm: compiles a plugin of this repository, or of anywhere, with the pinned compiler and the
# SDK's settings. The same source gives the same bytes wherever the repository lies.
set -eu
[ $# -eq 2 ] || { echo "usage: sdk/assemblyscript/build.sh PLUGIN.ts OUT.wasm" >&2; exit 1; }
sdk=$(cd "$(dirname "$0")" && pwd -P)
asc=$("$sdk/../../scripts/toolchain.sh" assemblyscript)
source=$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")
out=$(cd "$(dirname "$2")" && pwd -P)/$(basename "$2")
exec "$asc" "$source" --baseDir "$sdk" --config asconfig.json --outFile "$out"
