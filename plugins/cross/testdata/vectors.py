"""Computes vectors.json with a few lines of Python: plugins/vectors.sh cross. Equal.

The hash is checked against the test vectors of its authors (http://www.isthe.com/chongo/src/fnv/test_fnv.c).
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import random

from cases import case, column, write


def fnv1a(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 % 2**64
    return h


assert fnv1a(b"") == 0xCBF29CE484222325 and fnv1a(b"a") == 0xAF63DC4C8601EC8C and fnv1a(b"foobar") == 0x85944171F73967E8


def bytes_of(v):
    return (v if isinstance(v, str) else str(int(v))).encode()


def crossed(name, crosses, inputs):
    """inputs: {name: (type, values)}"""
    out = []
    for c in crosses:
        names = [n if isinstance(n, str) else n["name"] for n in c["columns"]]
        rows = zip(*[inputs[n][1] for n in names])
        y = [None if None in row else fnv1a(b"\x1f".join(bytes_of(v) for v in row)) % c["buckets"] for row in rows]
        out.append(column(c.get("output", "_x_".join(names)), y, "int64"))
    return case(name, {"crosses": crosses}, [column(n, v, t) for n, (t, v) in inputs.items()], out)


rng = random.Random(2)
cities = ["Kraków", "Łódź", "", None, "東京", "a\x1fb", "nul\x00"]
devices = ["phone", "tablet", "", None, "📱"]
many = ("utf8", [rng.choice(cities) for _ in range(100)]), ("utf8", [rng.choice(devices) for _ in range(100)]), ("int64", [rng.choice([None, 0, -1, 7, 2**63 - 1, -(2**63)]) for _ in range(100)])
x = [column("a", ["x"], "utf8"), column("b", ["y"], "utf8")]
write([
    crossed("two texts", [{"columns": ["city", "device"], "buckets": 1024}], {"city": many[0], "device": many[1]}),
    crossed("three columns, several crosses", [{"columns": ["city", "device", {"name": "n", "type": "int64"}], "buckets": 2147483647}, {"columns": [{"name": "n", "type": "int64"}, "city"], "buckets": 10, "output": "nc"},
                                               {"columns": ["device"], "buckets": 7, "output": "device_bucket"}], {"n": many[2], "city": many[0], "device": many[1]}),
    crossed("int32 and bool", [{"columns": [{"name": "i", "type": "int64"}, {"name": "b", "type": "int64"}], "buckets": 100}], {"b": ("bool", [True, False, None]), "i": ("int32", [-2147483648, 0, 5])}),
    crossed("one bucket", [{"columns": ["a", "b"], "buckets": 1}], {"a": ("utf8", ["x", None]), "b": ("utf8", ["y", "z"])}),
    crossed("no rows", [{"columns": ["a", "b"], "buckets": 5}], {"a": ("utf8", []), "b": ("utf8", [])}),
    case("no buckets", {"crosses": [{"columns": ["a", "b"]}]}, x, error="buckets"),
    case("zero buckets", {"crosses": [{"columns": ["a", "b"], "buckets": 0}]}, x, error="buckets"),
    case("half a bucket", {"crosses": [{"columns": ["a", "b"], "buckets": 1.5}]}, x, error="buckets"),
    case("a column twice", {"crosses": [{"columns": ["a", "a"], "buckets": 5}]}, x, error='"columns" has "a" twice'),
    case("a column with two types", {"crosses": [{"columns": ["a", "b"], "buckets": 5}, {"columns": [{"name": "a", "type": "int64"}], "buckets": 5}]}, x, error='column "a" is used with two types'),
    case("the same cross twice", {"crosses": [{"columns": ["a", "b"], "buckets": 5}, {"columns": ["a", "b"], "buckets": 6}]}, x, error='two outputs would be named "a_x_b"'),
    case("unknown key", {"crosses": [{"columns": ["a", "b"], "buckets": 5, "seed": 1}]}, x, error="seed"),
    case("a float", {"crosses": [{"columns": ["a", {"name": "b", "type": "int64"}], "buckets": 5}]}, [column("a", ["x"], "utf8"), column("b", [1.0])], error='input column "b" is float64'),
])
