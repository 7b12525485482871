"""Computes vectors.json with scipy.stats.ks_2samp: plugins/vectors.sh ks.

Values on a grid that the buckets keep apart give the exact distance; others are compared with the sketch's own rule, computed here with numpy
from the doubles' bits, and must lie within the stated bound of scipy's."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import EDGES, INF, NAN, column, metric, numbers_in, score, write
from scipy import special, stats

BITS = 10


def keys(values):
    u = (np.asarray(values, dtype=np.float64) + 0.0).view(np.uint64)
    u = np.where(u >> np.uint64(63), ~u, u | np.uint64(1 << 63))
    return (u >> np.uint64(52 - BITS)).astype(np.int64)


def bucketed(a, b):
    ka, kb = keys(a), keys(b)
    both = np.unique(np.concatenate([ka, kb]))
    fa = np.searchsorted(np.sort(ka), both, side="right") / len(ka)
    fb = np.searchsorted(np.sort(kb), both, side="right") / len(kb)
    heaviest = max(np.unique(ka, return_counts=True)[1].max() / len(ka), np.unique(kb, return_counts=True)[1].max() / len(kb))
    return np.abs(fa - fb).max(), heaviest


def compare(name, reference, current, exact, type="float64"):
    a, b = numbers_in(reference), numbers_in(current)
    d, heaviest = bucketed(a, b)
    true = stats.ks_2samp(a, b).statistic
    assert (d == true or abs(d - true) < 1e-15) if exact else abs(d - true) <= heaviest, (name, d, true)
    en = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    return metric(name, {"columns": [{"name": "x"}]}, [column("x", reference, type)], [column("x", current, type)],
                  [score("x", "ks", d, p_value=special.kolmogorov((en + 0.12 + 0.11 / en) * d), error_bound=heaviest, reference_count=len(a), current_count=len(b),
                         reference_missing=len(reference) - len(a), current_missing=len(current) - len(b))], 1e-12)


rng = np.random.default_rng(31)
normal = list(rng.normal(0, 1, 400))
write([
    compare("moved mean", normal, list(rng.normal(0.3, 1, 300)), False),
    compare("same law", normal, list(rng.normal(0, 1, 500)), False),
    compare("skewed, far apart", list(rng.lognormal(0, 2, 200)), list(-rng.lognormal(1, 2, 200)), False),
    compare("whole numbers are exact", [int(v) for v in rng.integers(-500, 500, 300)], [int(v) for v in rng.integers(-400, 600, 200)], True, "int32"),
    compare("a grid is exact", list(rng.integers(0, 64, 300) / 64), list(rng.integers(0, 80, 300) / 64), True),
    compare("nulls, NaN and infinities are left out", [1.0, None, NAN, 2.0, INF], [-INF, 2.0, 3.0, 4.0, None], True),
    compare("identical constants", [3.0] * 20, [3.0] * 10, True),
    compare("nothing in common", [1.0, 2.0], [3.0, 4.0, 5.0], True),
    compare("signed zeros are one value", [0.0, -0.0, 0.0], [-0.0, -0.0], True),
    compare("the edges of the doubles", [v for v in EDGES if v is not None], [v for v in EDGES if v is None or v > 0], False),
    metric("no current rows", {"columns": [{"name": "x", "edges": [1, 2]}]}, [column("x", [1.0])], [column("x", [])],
           [score("x", "ks", NAN, "a side holds no number", reference_count=1, current_count=0)]),
    metric("text", {"columns": [{"name": "x"}]}, [column("x", ["a"], "utf8")], [column("x", ["a"], "utf8")], error='input column "x" is utf8'),
    metric("missing column", {"columns": [{"name": "y"}]}, [column("x", [1.0])], [column("x", [1.0])], error='input column "y" is missing'),
    metric("unknown key", {"columns": [{"name": "x", "bins": 3}]}, [column("x", [1.0])], [column("x", [1.0])], error="bins"),
])
