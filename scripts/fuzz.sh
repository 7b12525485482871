#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each (default 10s). The targets are found, not listed, so that a
# new one cannot be forgotten.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-10s}
ran=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
while IFS=: read -r file target; do
  echo "fuzz $target in $(dirname "$file") for $each"
  if ! go test "./$(dirname "$file")" -run '^$' -fuzz "^${target}\$" -fuzztime "$each" -fuzzminimizetime 1x 2>&1 | tee "$out"; then
    # Go's fuzzing engine now and then reports the end of its own time as a failure: nothing but this line, and no input.
    # A crash, a hang or a failed check always names the input that it wrote.
    if grep -q '^    context deadline exceeded$' "$out" && ! grep -qE 'Failing input written|panic|hung or terminated|_test\.go:' "$out"; then
      echo "the engine stopped at the end of its time; no input failed"
    else
      exit 1
    fi
  fi
  ran=$((ran + 1))
done < <(git ls-files '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/' | sort)
echo "$ran fuzz targets ran for $each each"
test "$ran" -gt 0
