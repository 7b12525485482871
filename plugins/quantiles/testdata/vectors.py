"""Computes vectors.json with numpy and scipy.stats.wasserstein_distance: plugins/vectors.sh quantiles.

Whole numbers up to 512 are buckets of their own, so results are exact there but for half a bucket's width; others lie within the stated relative
error of numpy's."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import INF, NAN, column, metric, numbers_in, score, write
from scipy import stats

BITS = 9
USUAL = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]


def middles(values):
    """What stands for each value: the middle of its bucket, from the bits of the doubles."""
    u = (np.asarray(values, dtype=np.float64) + 0.0).view(np.uint64)
    shift = np.uint64(52 - BITS)
    k = np.where(u >> np.uint64(63), ~u, u | np.uint64(1 << 63)) >> shift

    def edge(k):
        v = k << shift
        return np.where(v >> np.uint64(63), v & np.uint64((1 << 63) - 1), ~v).view(np.float64)

    low, high = edge(k), edge(k + np.uint64(1))
    with np.errstate(all="ignore"):
        return np.where(low == 0, 0, np.where(np.isfinite(high), low + (high - low) / 2, low))


def compare(name, reference, current, probabilities=None, type="float64"):
    a, b = numbers_in(reference), numbers_in(current)
    p = probabilities or USUAL
    qa, qb = (np.sort(middles(v))[np.floor(np.array(p) * (len(v) - 1)).astype(int)] for v in (a, b))
    for q, v in ((qa, a), (qb, b)):
        true = np.quantile(v, p, method="lower")
        assert np.all(np.abs(q - true) <= np.abs(true) * 2.0 ** -(BITS + 1) * (1 + 1e-9)), name
    w = stats.wasserstein_distance(middles(a), middles(b))
    true = stats.wasserstein_distance(a, b)
    assert abs(w - true) <= 2.0 ** -(BITS + 1) * (np.abs(a).mean() + np.abs(b).mean()), name
    parameters = {"columns": [{"name": "x"}]}
    if probabilities:
        parameters["probabilities"] = probabilities
    return metric(name, parameters, [column("x", reference, type)], [column("x", current, type)],
                  [score("x", "wasserstein", w, probabilities=p, reference=list(qa), current=list(qb), reference_count=len(a), current_count=len(b),
                         reference_missing=len(reference) - len(a), current_missing=len(current) - len(b))], 1e-12)


rng = np.random.default_rng(32)
write([
    compare("moved mean", list(rng.normal(10, 2, 500)), list(rng.normal(11, 2, 400))),
    compare("both signs", list(rng.normal(0, 1, 300)), list(rng.normal(0, 3, 300)), [0, 0.1, 0.5, 0.9, 1]),
    compare("skewed", list(rng.lognormal(0, 3, 400)), list(rng.lognormal(1, 3, 300))),
    compare("whole numbers", [int(v) for v in rng.integers(0, 200, 300)], [int(v) for v in rng.integers(20, 250, 300)], None, "int64"),
    compare("holes", [1.0, None, NAN, 5.0, INF], [2.0, -INF, 2.0, None], [0.5]),
    compare("one value", [7.0], [7.0]),
    metric("an empty side", {"columns": [{"name": "x"}], "probabilities": [0.5]}, [column("x", [])], [column("x", [1.0])],
           [score("x", "wasserstein", NAN, "a side holds no number", reference=[None], reference_count=0, current_count=1)]),
    metric("a probability beyond 1", {"columns": [{"name": "x"}], "probabilities": [1.5]}, [column("x", [1.0])], [column("x", [1.0])], error="probabilities"),
    metric("missing column", {"columns": [{"name": "y"}]}, [column("x", [1.0])], [column("x", [1.0])], error='input column "y" is missing'),
])
