"""Computes vectors.json by counting with Python's sets: plugins/vectors.sh distinct.

The tolerance of the large cases is four standard errors (4 · 1.04/64 = 6.5 %, taken of the true count); small counts must be right to a value or two."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import NAN, column, metric, score, write


def compare(name, reference, current, type="float64", tolerance=None):
    values = lambda v: [x for x in v if x is not None and x == x]
    a, b = len(set(values(reference))), len(set(values(current)))
    return metric(name, {"columns": [{"name": "x"}]}, [column("x", reference, type)], [column("x", current, type)],
                  [score("x", "distinct", b, reference=a, reference_rows=len(reference), current_rows=len(current),
                         reference_missing=len(reference) - len(values(reference)), current_missing=len(current) - len(values(current)))],
                  tolerance or 0.02)


rng = np.random.default_rng(33)
words = [f"user-{i}" for i in range(3000)]
write([
    compare("few texts", ["a", "b", "a", None, "c"], ["a"] * 10, "utf8"),
    compare("thousands of texts", [words[i] for i in rng.integers(0, 3000, 4000)], words, "utf8", 0.065),
    compare("whole numbers", [int(v) for v in rng.integers(0, 10**12, 2000)], [int(v) for v in rng.integers(0, 50, 2000)], "int64", 0.065),
    compare("numbers", list(rng.normal(0, 1, 1000)), [0.0, -0.0, 1.5, 1.5, NAN, None], "float64", 0.065),
    compare("booleans", [True, False, True], [True], "bool"),
    compare("times", [0, 1, 1, None], [5, 5, 6], "timestamp"),
    compare("binary", ["AA==", "AQ==", "AA=="], ["AA=="], "binary"),
    compare("no rows", [], []),
    metric("a vector", {"columns": [{"name": "x"}]}, [column("x", [[1.0, 2.0]], "float_vector", 2)], [column("x", [[1.0, 2.0]], "float_vector", 2)], error='input column "x" is float_vector'),
    metric("missing column", {"columns": [{"name": "y"}]}, [column("x", [1.0])], [column("x", [1.0])], error='input column "y" is missing'),
])
