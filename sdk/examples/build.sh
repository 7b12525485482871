#!/usr/bin/env bash
# sdk/examples/build.sh LANGUAGE|all [EXAMPLE…]: compiles the examples to .cache/examples/LANGUAGE/EXAMPLE.wasm. What is up to date, by the
# contents of its sources, of the SDK and of the toolchain's lock, is left alone; concurrent calls wait for each other. Toolchains come from
# scripts/toolchain.sh, which installs what is missing. WEIR_EXAMPLES names another folder to write to.
#
# A language is two functions here: sources_LANGUAGE lists the files and folders beside the example's own that its module depends on, and
# build_LANGUAGE compiles: source folder, example, output.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
out=${WEIR_EXAMPLES:-$root/.cache/examples}
examples=(cross-time gate ks log1p-clip-bucketise onehot psi standardise)
languages=(c go assemblyscript rust zig)

# ---- C: zig's clang, one file an example ----

sources_c() { echo sdk/c plugins/requirements.txt; }
build_c() {
	local zig
	zig=$(scripts/toolchain.sh zig)
	export ZIG_GLOBAL_CACHE_DIR=$root/.cache/zig ZIG_LOCAL_CACHE_DIR=$root/.cache/zig
	"$zig" cc --target=wasm32-wasi -O3 -s -mexec-model=reactor -Wl,-z,stack-size=65536 -msimd128 -Wall -Werror -Wno-unused-function -I sdk/c -o "$3" "$1/$2.c"
}

# ---- Go: the standard toolchain, one package an example ----

sources_go() { echo sdk/abi/*.go sdk/guest sdk/internal go.mod; }
build_go() {
	GOTOOLCHAIN=local GOFLAGS='' GOWORK=off CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm \
		go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$3" "./$1"
}

# ---- AssemblyScript: asc of the SDK's lock, one file an example ----

sources_assemblyscript() { echo sdk/assemblyscript/assembly sdk/assemblyscript/asconfig.json sdk/assemblyscript/build.sh sdk/assemblyscript/package-lock.json; }
build_assemblyscript() { sdk/assemblyscript/build.sh "$1/$2.ts" "$3"; }

# ---- Rust: Debian's rustc, one crate an example ----

sources_rust() { echo sdk/rust/src sdk/rust/build.sh scripts/rust.txt; }
build_rust() { sdk/rust/build.sh "$1/lib.rs" "$3"; }

# ---- Zig: one file an example ----

sources_zig() { echo sdk/zig/src sdk/zig/build.sh plugins/requirements.txt; }
build_zig() { sdk/zig/build.sh "$1/$2.zig" "$3"; }

# ---- what is common ----

# digest of all files in the arguments and below them, and of how they are compiled.
digest() { { cat sdk/examples/build.sh; find "$@" -type f -not -path '*/node_modules/*' -not -path '*/testdata/*' -not -name '*_test.go' -not -name '*.md' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; } | sha256sum; }

one() {
	local language=$1 example=$2 source=sdk/examples/$2/$1 wasm=$out/$1/$2.wasm want
	[ -d "$source" ] || { echo "build.sh: there is no $source" >&2; exit 1; }
	# shellcheck disable=SC2046
	want=$(digest "$source" $("sources_$language"))
	[ -f "$wasm" ] && [ "$(cat "$wasm.digest" 2>/dev/null)" = "$want" ] && return
	rm -f "$wasm.digest"
	"build_$language" "$source" "$example" "$wasm.new"
	mv "$wasm.new" "$wasm"
	echo "$want" >"$wasm.digest"
	echo "$wasm: $(stat -c %s "$wasm") bytes"
}

[ $# -gt 0 ] || { echo "usage: sdk/examples/build.sh ${languages[*]} | all [example…]" >&2; exit 2; }
case " ${languages[*]} all " in *" $1 "*) ;; *) echo "build.sh: unknown language $1: use ${languages[*]} or all" >&2; exit 2 ;; esac
[ "$1" = all ] || languages=("$1")
shift
[ $# -eq 0 ] || examples=("$@")
for language in "${languages[@]}"; do
	mkdir -p "$out/$language"
	exec 8>"$out/$language/lock"
	flock 8
	for example in "${examples[@]}"; do one "$language" "$example"; done
done
