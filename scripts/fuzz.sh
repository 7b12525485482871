#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each (default 10s). The targets are found, not listed, so that a
# new one cannot be forgotten.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-10s}
ran=0
while IFS=: read -r file target; do
  echo "fuzz $target in $(dirname "$file") for $each"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^${target}\$" -fuzztime "$each" -fuzzminimizetime 1x
  ran=$((ran + 1))
done < <(git ls-files '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/' | sort)
echo "$ran fuzz targets ran for $each each"
test "$ran" -gt 0
