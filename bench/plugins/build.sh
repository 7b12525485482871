#!/usr/bin/env bash
# bench/plugins/build.sh: builds the bench's guests to .cache/bench-plugins, the SDK's examples, and a venv with numpy and wasmtime.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=.cache/bench-plugins
mkdir -p "$out"
sdk/examples/build.sh all standardise log1p-clip-bucketise
zig=$(scripts/toolchain.sh zig)
export ZIG_GLOBAL_CACHE_DIR=$PWD/.cache/zig ZIG_LOCAL_CACHE_DIR=$PWD/.cache/zig
for guest in weir connect extism; do
	"$zig" cc --target=wasm32-wasi -O3 -s -mexec-model=reactor -Wl,-z,stack-size=65536 -msimd128 -Wno-unused-function \
		-I sdk/c -o "$out/$guest.wasm" "bench/plugins/guests/$guest.c"
done
scripts/venv.sh bench-plugins bench/plugins/requirements.txt
