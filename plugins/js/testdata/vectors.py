"""Computes vectors.json with scipy.spatial.distance.jensenshannon: plugins/vectors.sh js."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

from collections import Counter

import numpy as np
from cases import INF, NAN, column, metric, numbers_in, score, write
from scipy.spatial.distance import jensenshannon


def result(name, parameters, reference, current, type, p, q, n, m, base):
    empty = not n or not m
    return metric(name, parameters | ({"base": base} if base else {}), [column("x", reference, type)], [column("x", current, type)],
                  [score("x", "js", NAN if empty else jensenshannon(p, q, base), "a side holds no value" if empty else None, cells=len(p), reference_count=n, current_count=m,
                         reference_missing=len(reference) - n, current_missing=len(current) - m)], 2e-9 if not empty and np.allclose(p, np.array(q) * sum(p) / max(sum(q), 1)) else 1e-12)


def binned(name, edges, reference, current, type="float64", base=None):
    a, b = numbers_in(reference), numbers_in(current)
    count = lambda v: np.bincount(np.digitize(v, edges), minlength=len(edges) + 1)
    return result(name, {"columns": [{"name": "x", "edges": edges}]}, reference, current, type, count(a), count(b), len(a), len(b), base)


def valued(name, reference, current, type="utf8", base=None):
    a, b = (Counter(v for v in side if v is not None) for side in (reference, current))
    values = sorted(set(a) | set(b), key=str)
    return result(name, {"columns": [{"name": "x"}]}, reference, current, type, [a[v] for v in values], [b[v] for v in values], sum(a.values()), sum(b.values()), base)


rng = np.random.default_rng(36)
normal = list(rng.normal(0, 1, 400))
words = lambda n: [["red", "green", "blue"][i] for i in rng.integers(0, 3, n)]
write([
    binned("moved mean", [-1, -0.5, 0, 0.5, 1], normal, list(rng.normal(0.5, 1, 300))),
    binned("base 2", [-1, 0, 1], normal, list(rng.normal(1, 1, 300)), base=2),
    binned("empty bins", [-100, 0, 100], normal, list(rng.normal(0, 1, 50))),
    binned("nothing in common", [10], normal, [20.0, 30.0]),
    binned("on the edges", [1, 2, 3], [1.0, 2.0, 3.0], [0.999, 1.0, 3.0]),
    binned("holes", [0.5], [1.0, None, NAN, 0.0, INF], [-INF, 2.0, None]),
    binned("whole numbers", [0, 10], [int(v) for v in rng.integers(-20, 20, 100)], [int(v) for v in rng.integers(-10, 30, 100)], "int32"),
    valued("categories", words(200), words(150) + ["new"] * 10),
    valued("categories, base 2", words(200), words(20), base=2),
    valued("whole numbers as categories", [1, 2, 2, None], [2, 3, 3], "int64"),
    valued("booleans", [True, False], [True, True, None], "bool"),
    valued("no current rows", ["a"], []),
    metric("edges that do not ascend", {"columns": [{"name": "x", "edges": [2, 1]}]}, [column("x", [1.0])], [column("x", [1.0])], error="ascend"),
    metric("numbers without edges", {"columns": [{"name": "x"}]}, [column("x", [1.0])], [column("x", [1.0])], error='input column "x" is float64'),
    metric("a base of 1", {"columns": [{"name": "x", "edges": [1]}], "base": 1}, [column("x", [1.0])], [column("x", [1.0])], error="base"),
])
