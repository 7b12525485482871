#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each (default 10s), each with one worker, two a processor at a time: an engine spends
# half of its time on starting and compiling. The targets are found, not listed, so that a new one cannot be forgotten.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-10s}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# one FILE:TARGET runs one; its output goes to a file of its own, and is shown when it fails.
one() {
	local dir target out
	dir=$(dirname "${1%%:*}") target=${1##*:}
	out=$logs/${dir//\//_}.$target
	if go test "./$dir" -run '^$' -fuzz "^${target}\$" -fuzztime "$each" -fuzzminimizetime 1x -parallel 1 >"$out" 2>&1; then
		echo "fuzz $target in $dir for $each: $(grep -o 'execs: [0-9]*' "$out" | tail -1)"
	# Go's fuzzing engine now and then reports the end of its own time as a failure: nothing but this line, and no input.
	# A crash, a hang or a failed check always names the input that it wrote.
	elif grep -q '^    context deadline exceeded$' "$out" && ! grep -qE 'Failing input written|panic|hung or terminated|_test\.go:' "$out"; then
		echo "fuzz $target in $dir for $each: the engine stopped at the end of its time; no input failed"
	else
		cat "$out"
		echo "fuzz $target in $dir FAILED"
		return 1
	fi
	touch "$out.ran"
}
export -f one
export each logs

git ls-files '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/' | sort |
	xargs -P "$(($(nproc) * 2))" -I{} bash -euo pipefail -c 'one "$1"' - {}
ran=$(find "$logs" -name '*.ran' | wc -l)
echo "$ran fuzz targets ran for $each each"
test "$ran" -gt 0
