#!/usr/bin/env bash
# scripts/onnxruntime.sh: installs ONNX Runtime's shared library into .cache/onnxruntime/VERSION/ and prints its path.
# The library comes out of the Python wheel pinned in scripts/onnxruntime.txt; wheel and library are both checked against
# their sha256. An installed library is left alone; concurrent calls wait for each other. Needs python3 with pip, unless the
# library is there already. WEIR_ONNXRUNTIME_LIB at run time names another library instead.
set -euo pipefail

version=1.27.0
die() { echo "onnxruntime.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$here/../.cache/onnxruntime
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
name=libonnxruntime.so.$version
# The interpreter's version is pinned too: the same release's wheels for other interpreters are other bytes.
case $(uname -s)/$(uname -m) in
Linux/x86_64) platform=manylinux_2_28_x86_64 want=b5c9d4f124d24707f514dad926dc181820807178855df1c528e3addb2dd0e6f7 ;;
Linux/aarch64) platform=manylinux_2_28_aarch64 want=9275ef52956228686ae47b0219f67476a1148505084bdc5571e7bf1bf69b11f2 ;;
*) die "no pinned library for $(uname -s)/$(uname -m): install ONNX Runtime $version yourself and set WEIR_ONNXRUNTIME_LIB to its shared library" ;;
esac

exec 9>"$dir/lock"
flock 9
lib=$dir/$version/$name
digest() { sha256sum "$1" | cut -d' ' -f1; }
if [ -f "$lib" ] && [ "$(digest "$lib")" = "$want" ]; then
	echo "$lib"
	exit 0
fi

tmp=$(mktemp -d "$dir/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
python3 -m pip --disable-pip-version-check --quiet download --require-hashes --no-deps --only-binary=:all: \
	--implementation cp --python-version 3.11 --platform "$platform" --dest "$tmp" -r "$here/onnxruntime.txt" >&2 ||
	die "cannot get the wheel of onnxruntime $version for $platform (see above). Without a network: put the wheel into a folder and set PIP_FIND_LINKS=FOLDER PIP_NO_INDEX=1, or copy $name (sha256 $want) to $lib"
mkdir "$tmp/new"
python3 - "$tmp"/onnxruntime-*.whl "onnxruntime/capi/$name" "$tmp/new/$name" <<'PY' || die "the wheel holds no $name"
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as src, open(sys.argv[3], "wb") as dst:
    shutil.copyfileobj(src, dst)
PY
got=$(digest "$tmp/new/$name")
[ "$got" = "$want" ] || die "$name has sha256 $got, want $want"
chmod 755 "$tmp/new/$name" "$tmp/new"
rm -rf "${dir:?}/$version"
mv -T "$tmp/new" "$dir/$version"
echo "$lib"
