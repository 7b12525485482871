#!/usr/bin/env bash
# sdk/rust/build.sh LIB.rs OUT.wasm: compiles a plugin in Rust with scripts/toolchain.sh's rustc. The same source gives the same bytes,
# whatever folder it lies in. `cargo build --release --target wasm32-unknown-unknown` with the profile of README.md does as much.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: sdk/rust/build.sh LIB.rs OUT.wasm" >&2; exit 2; }
sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rustc=$("$sdk/../../scripts/toolchain.sh" rust)
source=$(realpath "$1")
out=$(realpath "$(dirname "$2")")/$(basename "$2")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
flags=(--edition 2021 --target wasm32-unknown-unknown -C opt-level=3 -C panic=abort -C codegen-units=1 -C embed-bitcode=yes
	-C target-feature=+simd128,+bulk-memory,+nontrapping-fptoint,+mutable-globals)
# Paths get into panics' texts: both crates are compiled from their own folder, under the names that they have there.
(cd "$sdk/src" && "$rustc" "${flags[@]}" --crate-type rlib --crate-name weir --remap-path-prefix "$sdk/src=weir" lib.rs --out-dir "$tmp")
(cd "$(dirname "$source")" && "$rustc" "${flags[@]}" --remap-path-prefix "$PWD=plugin" -C lto=fat -C strip=symbols -C link-arg=-zstack-size=65536 \
	--crate-type cdylib --crate-name plugin --extern "weir=$tmp/libweir.rlib" "$(basename "$source")" -o "$out")
