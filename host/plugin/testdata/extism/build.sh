#!/usr/bin/env bash
# Builds the Extism modules of the tests with the development kits as they are (go.sum and package-lock.json hold their digests) and
# puts them below .cache/extism, as LANGUAGE-NAME.wasm. What is up to date is left alone. Needs Go, and node 20 with npm.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
mkdir -p "$here/../../../../.cache/extism"
out=$(cd "$here/../../../../.cache/extism" && pwd -P)
die() { echo "extism/build.sh: $*" >&2; exit 1; }
exec 9>"$out/lock"
flock 9
want=$(cd "$here" && { go env GOVERSION; find . -type f ! -path '*/node_modules/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; } | sha256sum | cut -d' ' -f1)
[ -f "$out/stamp" ] && [ "$(cat "$out/stamp")" = "$want" ] && exit 0
rm -f "$out/stamp"

for dir in "$here"/go/*/; do
	name=$(basename "$dir")
	(cd "$here/go" && CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm GOFLAGS=-mod=readonly go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$out/go-$name.wasm" "./$name") ||
		die "building go/$name failed (see above)"
done

tmp=$(mktemp -d "$out/npm.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cp "$here"/assemblyscript/* "$here/assemblyscript/.npmrc" "$tmp"
(cd "$tmp" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
	die "npm ci with assemblyscript/package-lock.json failed (see above). Without a network: fill npm's cache elsewhere and set npm_config_cache and npm_config_prefer_offline=true"
for source in "$tmp"/*.ts; do
	name=$(basename "$source" .ts)
	(cd "$tmp" && node node_modules/assemblyscript/bin/asc.js "$name.ts" -O3 --outFile "$out/assemblyscript-$name.wasm") || die "building assemblyscript/$name.ts failed (see above)"
done
printf '%s\n' "$want" >"$out/stamp"
