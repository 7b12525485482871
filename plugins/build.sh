#!/bin/sh
# Rebuilds every compiled plugin from its source and writes its digest, its description and its exports to plugin.json. With
# --check it builds elsewhere and compares with what is committed. Needs Go and bash; zig comes from scripts/toolchain.sh.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
zig=$("$root/scripts/toolchain.sh" zig)
export ZIG_GLOBAL_CACHE_DIR="$root/.cache/zig" ZIG_LOCAL_CACHE_DIR="$root/.cache/zig"
cd "$root"
go run ./plugins/internal/wasmbuild -zig "$zig" "$@"
case ${1:-} in
--check | -check) exec go test -count=1 -run 'TestDescriptions|TestDigests' ./plugins ;;
*) exec go test -count=1 -run TestDescriptions ./plugins -update ;;
esac
