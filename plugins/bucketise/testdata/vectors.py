"""Computes vectors.json with numpy.digitize and scikit-learn's KBinsDiscretizer: plugins/vectors.sh bucketise. Equal."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import warnings

import numpy as np
from cases import EDGES, INF, NAN, case, column, floats, wild, write
from sklearn.preprocessing import KBinsDiscretizer


def digitised(name, columns, values, right=None):
    parameters = {"columns": columns}
    if right is not None:
        parameters["right"] = right
    out = []
    for c in columns:
        v = values[c["name"]]
        buckets = np.digitize(floats(v), c["edges"], right=bool(right))
        out.append(column(c["name"], [None if x is None or x != x else int(b) for b, x in zip(buckets, v)], "int64"))
    return case(name, parameters, [column(n, v) for n, v in values.items()], out)


def discretised(name, n_bins, strategy, encode):
    """KBinsDiscretizer's fit gives the edges: all but the first and the last."""
    rng = np.random.default_rng(n_bins)
    train = np.column_stack([rng.normal(0, 1, 400), rng.integers(0, 30, 400).astype(float)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bins = KBinsDiscretizer(n_bins, strategy=strategy, encode=encode, quantile_method="averaged_inverted_cdf").fit(train)
    test = np.column_stack([rng.normal(0, 2, 60), rng.integers(-3, 33, 60).astype(float)])
    result = bins.transform(test)
    names = ["a", "b"]
    parameters = {"columns": [{"name": n, "edges": list(bins.bin_edges_[i][1:-1])} for i, n in enumerate(names)], "encode": "ordinal"}
    if encode == "ordinal":
        out = [column(n, [int(v) for v in result[:, i]], "int64") for i, n in enumerate(names)]
    else:
        parameters["encode"] = "onehot"
        labels = [f"{n}={b}" for i, n in enumerate(names) for b in range(bins.n_bins_[i])]
        out = [column(n, result[:, i]) for i, n in enumerate(labels)]
    return case(name, parameters, [column(n, test[:, i]) for i, n in enumerate(names)], out)


rng = np.random.default_rng(5)
many = sorted({float(v) for v in rng.normal(0, 100, 200)})
x = [column("x", [1.0])]
one = {"columns": [{"name": "x", "edges": [1, 2]}]}
write([
    digitised("edges of intervals", [{"name": "x", "edges": [1.0, 10.0]}], {"x": [0.0, 1.0, 5.0, 10.0, 11.0, None, NAN, INF, -INF]}),
    digitised("right", [{"name": "x", "edges": [1.0, 10.0]}], {"x": [0.0, 1.0, 5.0, 10.0, 11.0, None, NAN, INF, -INF]}, True),
    digitised("zeros and far numbers", [{"name": "x", "edges": [-1e308, 0.0, 5e-324, 1e308]}], {"x": EDGES}, False),
    digitised("many edges", [{"name": "x", "edges": many}], {"x": [*rng.normal(0, 120, 100), *many[:20], None, NAN]}),
    digitised("many edges, right", [{"name": "x", "edges": many}], {"x": [*rng.normal(0, 120, 100), *many[:20], None, NAN]}, True),
    digitised("random bits", [{"name": "x", "edges": [-1e100, -1e-100, 0.0, 1.0]}], {"x": wild(64)}),
    discretised("quantiles, ordinal", 5, "quantile", "ordinal"),
    discretised("uniform, one-hot", 4, "uniform", "onehot-dense"),
    discretised("k-means, 40 bins", 40, "kmeans", "ordinal"),
    case("one-hot: nulls and NaN have zeros", {"columns": [{"name": "x", "edges": [0], "output": "bin"}], "encode": "onehot"}, [column("x", [-1.0, 0.0, None, NAN])],
         [column("bin=0", [1.0, 0.0, 0.0, 0.0]), column("bin=1", [0.0, 1.0, 0.0, 0.0])]),
    case("other numbers, another name", {"columns": [{"name": "x", "edges": [0, 5], "output": "b"}]}, [column("x", [-1, 0, 7, None], "int32")], [column("b", [0, 1, 2, None], "int64")]),
    case("no rows", one, [column("x", [])], [column("x", [], "int64")]),
    case("edges fall", {"columns": [{"name": "x", "edges": [2, 1]}]}, x, error='columns[0]: "edges" must ascend'),
    case("an edge twice", {"columns": [{"name": "x", "edges": [2, 2]}]}, x, error='columns[0]: "edges" must ascend'),
    case("no edges", {"columns": [{"name": "x", "edges": []}]}, x, error="edges"),
    case("unknown key", {**one, "bins": 3}, x, error="bins"),
    case("unknown encoding", {**one, "encode": "onehot-dense"}, x, error="encode"),
    case("text", one, [column("x", ["1"], "utf8")], error='input column "x" is utf8'),
])
