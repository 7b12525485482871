#!/bin/sh
# Makes testdata/vectors.json of the plugins named (default: of all that have a testdata/vectors.py) with scikit-learn, scipy and numpy from
# examples/breast-cancer/requirements.txt. With --check it compares with what is committed instead. Needs a package index on the first run.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
check=
if [ "${1:-}" = --check ]; then check=1; shift; fi
python=$("$root/scripts/venv.sh" train "$root/examples/breast-cancer/requirements.txt")
cd "$root/plugins"
if [ $# -eq 0 ]; then set -- $(ls -d */testdata/vectors.py | cut -d/ -f1); fi
new=$(mktemp)
trap 'rm -f "$new"' EXIT
stale=
for name; do
	PYTHONDONTWRITEBYTECODE=1 "$python" "$name/testdata/vectors.py" >"$new"
	if [ -z "$check" ]; then cat "$new" >"$name/testdata/vectors.json"
	elif ! cmp -s "$new" "$name/testdata/vectors.json"; then stale="$stale $name"; fi
done
# The tables of characters come from the same Python.
"$python" internal/c/unicode.py >"$new"
if [ -z "$check" ]; then cat "$new" >internal/c/unicode.h
elif ! cmp -s "$new" internal/c/unicode.h; then stale="$stale internal/c/unicode.h"; fi
if [ -n "$stale" ]; then echo "vectors.sh: stale:$stale: run plugins/vectors.sh and look at what changed" >&2; exit 1; fi
