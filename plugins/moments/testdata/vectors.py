"""Computes vectors.json with exact fractions, and checks them against scipy.stats where that keeps its digits: plugins/vectors.sh moments."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import math
from fractions import Fraction

import numpy as np
from cases import INF, NAN, column, metric, numbers_in, score, write
from scipy import stats


def moments(values):
    """Population moments from fractions, rounded once."""
    if len(values) == 0:
        return [NAN] * 6
    x = [Fraction(float(v)) for v in values]
    n = len(x)
    mean = sum(x) / n
    c2, c3, c4 = (sum((v - mean) ** k for v in x) / n for k in (2, 3, 4))
    out = [float(mean), math.sqrt(c2), NAN, NAN, float(min(values)), float(max(values))]
    if c2:
        out[2], out[3] = float(c3) / float(c2) ** 1.5, float(c4 / (c2 * c2)) - 3
    return out


def compare(name, reference, current, center=None, type="float64", tolerance=1e-12, check=True):
    a, b = numbers_in(reference), numbers_in(current)
    ma, mb = moments(a), moments(b)
    for v, m in ((a, ma), (b, mb)):
        if check and len(v) > 1 and m[1]:
            np.testing.assert_allclose([v.mean(), v.std(), stats.skew(v), stats.kurtosis(v)], m[:4], rtol=1e-9, atol=1e-9)
    keys = ["mean", "std", "skewness", "kurtosis", "min", "max"]
    detail = {f"reference_{k}": v for k, v in zip(keys, ma)} | {f"current_{k}": v for k, v in zip(keys, mb)}
    detail |= {"reference_count": len(a), "current_count": len(b), "reference_missing": len(reference) - len(a), "current_missing": len(current) - len(b)}
    shift, note = abs(mb[0] - ma[0]), None
    if not len(a) or not len(b):
        shift, note = NAN, "a side holds no number"
    elif ma[1]:
        shift /= ma[1]
    elif shift:
        shift, note = NAN, "the reference does not vary, and the mean has moved"
    c = {"name": "x"}
    if center is not None:
        c["center"] = center
    return metric(name, {"columns": [c]}, [column("x", reference, type)], [column("x", current, type)], [score("x", "mean_shift", shift, note, **detail)], tolerance)


rng = np.random.default_rng(34)
write([
    compare("normal", list(rng.normal(3, 2, 400)), list(rng.normal(4, 2, 300))),
    compare("skewed", list(rng.lognormal(0, 1, 400)), list(rng.gamma(2, 3, 300)), tolerance=1e-11),
    compare("a large mean, with its center", list(1e9 + rng.normal(0, 1, 300)), list(1e9 + rng.normal(1, 1, 300)), 1e9, check=False),
    compare("whole numbers", [int(v) for v in rng.integers(-100, 100, 300)], [int(v) for v in rng.integers(-50, 150, 300)], type="int32"),
    compare("holes", [1.0, None, NAN, 2.0, INF, 4.0], [-INF, 2.0, 3.0, None, 9.0]),
    compare("constants", [0.1] * 7, [0.1] * 5),
    compare("a constant that moved", [1.0, 1.0], [2.0, 2.0]),
    compare("one row", [5.0], [7.0]),
    compare("far magnitudes that cancel", [1e60, 1.0, -1e60, 1e-300], [1e60, -1e60, 2.0], check=False),
    compare("no current rows", [1.0, 2.0], []),
    metric("beyond the fourth power", {"columns": [{"name": "x"}]}, [column("x", [1.0, 1e200])], [column("x", [1.0])],
           [score("x", "mean_shift", NAN, "values beyond 1e76 around the center have no fourth power", reference_count=2, reference_max=1e200)]),
    metric("missing column", {"columns": [{"name": "y"}]}, [column("x", [1.0])], [column("x", [1.0])], error='input column "y" is missing'),
    metric("text", {"columns": [{"name": "x"}]}, [column("x", ["a"], "utf8")], [column("x", ["a"], "utf8")], error='input column "x" is utf8'),
])
