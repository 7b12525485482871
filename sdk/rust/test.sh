#!/usr/bin/env bash
# sdk/rust/test.sh: runs the tests of the SDK and of the examples in Rust, natively. Needs a C compiler to link with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rustc=$(scripts/toolchain.sh rust)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"$rustc" --edition 2021 -D warnings --test --crate-name weir sdk/rust/src/lib.rs -o "$tmp/weir"
"$tmp/weir"
"$rustc" --edition 2021 -D warnings --crate-type rlib --crate-name weir sdk/rust/src/lib.rs --out-dir "$tmp"
for example in sdk/examples/*/rust/lib.rs; do
	"$rustc" --edition 2021 --test --crate-name plugin --extern "weir=$tmp/libweir.rlib" "$example" -o "$tmp/example"
	"$tmp/example"
done
