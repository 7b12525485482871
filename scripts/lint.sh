#!/usr/bin/env bash
# gofmt, go vet and golangci-lint. The linter is compiled from the version pinned in tools/go.mod and kept in .cache, keyed
# by that file and the Go version, because compiling it takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
  echo "gofmt would change: $unformatted" >&2
  exit 1
fi
key=$(cat tools/go.sum <(go env GOVERSION) | sha256sum | cut -c1-16)
bin=.cache/bin/golangci-lint-$key
if [ ! -x "$bin" ]; then
  mkdir -p .cache/bin
  echo "compiling golangci-lint (once)"
  (cd tools && go build -o "../$bin.tmp" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
  mv "$bin.tmp" "$bin"
fi
exec "$bin" run ./...
