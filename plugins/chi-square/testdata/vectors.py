"""Computes vectors.json with scipy.stats.chi2_contingency and scipy.stats.chisquare: plugins/vectors.sh chi-square."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import math
from collections import Counter

import numpy as np
from cases import NAN, column, metric, score, write
from scipy import stats


def compare(name, reference, current, type="utf8", test=None):
    a, b = (Counter(v for v in side if v is not None) for side in (reference, current))
    values = sorted(set(a) | set(b), key=str)
    n, m = sum(a.values()), sum(b.values())
    note, detail = None, {}
    if not n or not m:
        statistic, p, note = NAN, None, "a side holds no value"
    elif len(values) < 2:
        statistic, p = 0.0, 1.0
    elif test == "goodness-of-fit":
        if any(not a[v] for v in values):
            statistic, p, note = NAN, 0.0, "the statistic is infinite: the current sample holds a value that the reference does not"
        else:
            statistic, p = stats.chisquare([b[v] for v in values], [a[v] * m / n for v in values])
    else:
        r = stats.chi2_contingency([[a[v] for v in values], [b[v] for v in values]], correction=False)
        statistic, p = r.statistic, r.pvalue
    if p is not None:
        detail["p_value"] = float(p)
    if not math.isnan(statistic):
        detail["cramers_v"] = math.sqrt(statistic / (n + m)) if len(values) > 1 else 0.0
    parameters = {"columns": [{"name": "x"}]}
    if test:
        parameters["test"] = test
    return metric(name, parameters, [column("x", reference, type)], [column("x", current, type)],
                  [score("x", "chi_square", float(statistic), note, values=len(values), degrees_of_freedom=max(len(values) - 1, 0), reference_count=n, current_count=m,
                         reference_missing=len(reference) - n, current_missing=len(current) - m, **detail)], 1e-11)


rng = np.random.default_rng(35)
draw = lambda n, p: [["red", "green", "blue", "ünïcode"][i] for i in rng.choice(4, n, p=p)]
some, other = draw(300, [0.4, 0.3, 0.2, 0.1]), draw(200, [0.3, 0.3, 0.3, 0.1])
write([
    compare("same law", some, draw(300, [0.4, 0.3, 0.2, 0.1])),
    compare("moved", some, other),
    compare("against the reference's shares", some, other, test="goodness-of-fit"),
    compare("a new value", some, other + ["new"]),
    compare("a new value, against the reference's shares", some, other + ["new"], test="goodness-of-fit"),
    compare("a lost value", some + ["old"] * 5, other),
    compare("far apart", ["a"] * 500 + ["b"], ["a"] + ["b"] * 500),
    compare("many values", [f"v{i}" for i in rng.integers(0, 300, 2000)], [f"v{i}" for i in rng.integers(0, 310, 2000)]),
    compare("whole numbers", [int(v) for v in rng.integers(-3, 3, 200)], [int(v) for v in rng.integers(-3, 4, 200)], "int64"),
    compare("whole numbers of 32 bits", [1, 2, 2, None], [2, 2, 1], "int32"),
    compare("booleans", [True, False, True, None], [True, True, False], "bool"),
    compare("one value", ["a"] * 3, ["a"] * 4),
    compare("the empty text is a value", ["", "a", ""], ["a", None, ""]),
    compare("no current rows", ["a", "b"], []),
    metric("numbers", {"columns": [{"name": "x"}]}, [column("x", [1.5])], [column("x", [1.5])], error='input column "x" is float64'),
    metric("too many values", {"columns": [{"name": "x"}]}, [column("x", list(range(10001)), "int32")], [column("x", [1], "int32")], error="more than 10000 different values"),
    metric("unknown test", {"columns": [{"name": "x"}], "test": "yates"}, [column("x", ["a"], "utf8")], [column("x", ["a"], "utf8")], error="test"),
])
