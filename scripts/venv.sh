#!/usr/bin/env bash
# scripts/venv.sh NAME REQUIREMENTS: makes .cache/venv-NAME hold exactly what the hash-pinned lock REQUIREMENTS lists, and
# prints the path of its python. A second call with the same lock and interpreter does nothing; concurrent calls wait for
# each other. PYTHON chooses the interpreter (default: python3.11 if it runs, else python3).
set -euo pipefail

die() { echo "venv.sh: $*" >&2; exit 1; }
[ $# -eq 2 ] || die "usage: scripts/venv.sh NAME REQUIREMENTS, for example: scripts/venv.sh train examples/breast-cancer/requirements.txt"
name=$1
case $name in '' | *[!a-z0-9-]*) die "the name '$name' may hold only a-z, 0-9 and dashes" ;; esac
[ -f "$2" ] || die "no such lock file: $2"
lock=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$root/.cache/venv-$name

python=${PYTHON:-}
if [ -z "$python" ]; then
	python=python3
	if python3.11 -c '' 2>/dev/null; then python=python3.11; fi
fi
version=$("$python" -c 'import sys; print("%d.%d.%d %s" % (*sys.version_info[:3], sys.base_prefix))') || die "cannot run $python; set PYTHON to a Python 3.11 or later"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$python is Python ${version%% *}, the lock needs 3.11 or later; set PYTHON"

want="$(sha256sum "$lock" | cut -d' ' -f1) python $version"
mkdir -p "$root/.cache"
exec 9>"$root/.cache/venv-$name.lock"
flock 9
if [ ! -f "$dir/.weir-lock" ] || [ "$(cat "$dir/.weir-lock")" != "$want" ]; then
	# The stamp is written last: an interrupted call leaves none, and the next one starts over.
	rm -rf "$dir"
	"$python" -m venv "$dir" || die "cannot create $dir"
	"$dir/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary=:all: -r "$lock" >&2 ||
		die "installing $lock failed (see above). Without a network: point pip at a local folder with PIP_FIND_LINKS and PIP_NO_INDEX=1"
	printf '%s\n' "$want" >"$dir/.weir-lock"
fi
echo "$dir/bin/python"
