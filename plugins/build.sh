#!/bin/sh
# Rebuilds every compiled plugin from its source and writes its digest, its description and its exports to plugin.json. With
# --check it builds elsewhere and compares with what is committed. Needs Go, Python 3 with venv, and on the first run a package index for requirements.txt.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.cache/venv-wasm
lock=$root/plugins/requirements.txt
if ! cmp -s "$lock" "$venv/requirements.txt"; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$lock"
	cp "$lock" "$venv/requirements.txt"
fi
export ZIG_GLOBAL_CACHE_DIR="$root/.cache/zig" ZIG_LOCAL_CACHE_DIR="$root/.cache/zig"
cd "$root"
go run ./plugins/internal/wasmbuild -python "$venv/bin/python" "$@"
case ${1:-} in
--check | -check) exec go test -count=1 -run 'TestDescriptions|TestDigests' ./plugins ;;
*) exec go test -count=1 -run TestDescriptions ./plugins -update ;;
esac
