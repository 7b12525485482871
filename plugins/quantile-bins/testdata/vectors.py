"""Computes vectors.json with scikit-learn's QuantileTransformer and KBinsDiscretizer: plugins/vectors.sh quantile-bins.

Ranks and bins are equal bit for bit, normal deviates within 8 ulp (their logarithms differ in the last bit).
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import warnings

import numpy as np
from cases import EDGES, INF, NAN, case, column, floats, wild, with_nulls, write
from sklearn.preprocessing import KBinsDiscretizer, QuantileTransformer

ULP = 2.0**-52


def transformed(name, distribution, n, train, test):
    """train and test: {column: values}."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        q = QuantileTransformer(n_quantiles=n, output_distribution=distribution).fit(np.column_stack([floats(v) for v in train.values()]))
    y = np.column_stack([q._transform_col(floats(test[c]), q.quantiles_[:, i], False) for i, c in enumerate(train)])
    # _transform_col is transform without its refusal of infinities.
    x = np.column_stack([floats(v) for v in test.values()])
    finite = ~np.isinf(x).any(axis=1)
    assert np.array_equal(q.transform(x[finite]), y[finite], equal_nan=True)
    parameters = {"columns": [{"name": c, "quantiles": list(q.quantiles_[:, i])} for i, c in enumerate(train)]}
    if distribution != "uniform" or n % 2:
        parameters["as"] = distribution
    return case(name, parameters, [column(c, v) for c, v in test.items()],
                [column(c, with_nulls(y[:, i], test[c])) for i, c in enumerate(train)], 8 * ULP if distribution == "normal" else None)


def bins(name, n, train, values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        k = KBinsDiscretizer(n, encode="ordinal", strategy="quantile", quantile_method="linear").fit(np.array(train)[:, None])
    got = k.transform(np.array([0.0 if v is None or v != v else v for v in values])[:, None])[:, 0]
    return case(name, {"columns": [{"name": "x", "quantiles": list(k.bin_edges_[0])}], "as": "bin"}, [column("x", values)],
                [column("x", [None if v is None or v != v else int(b) for b, v in zip(got, values)], "int64")])


rng = np.random.default_rng(9)
train = {"a": rng.normal(0, 1, 300), "b": [float(v) for v in rng.poisson(2, 300)]}  # b has many equal quantiles
test = {"a": [*rng.normal(0, 2, 60), *train["a"][:20], NAN, None, min(train["a"]), max(train["a"])], "b": [*[float(v) for v in rng.poisson(3, 60)], *(rng.poisson(2, 20) + 0.5), None, NAN, 0.0, 99.0]}
few = {"x": [-2.0, 0.0, 0.0, 5.0]}
one = {"columns": [{"name": "x", "quantiles": [0, 1]}]}
x = [column("x", [0.5])]
write([
    transformed("ranks, 100 quantiles", "uniform", 100, train, test),
    transformed("ranks, 11 quantiles", "uniform", 11, train, test),
    transformed("ranks, 2 quantiles", "uniform", 2, train, test),
    transformed("normal, 100 quantiles", "normal", 100, train, test),
    transformed("normal, 11 quantiles", "normal", 11, train, test),
    transformed("normal, near the ends", "normal", 100, {"x": list(np.linspace(0, 1, 100))}, {"x": [0.0, 1e-9, 9e-8, 1.1e-7, 1e-6, 1e-4, 0.01, 0.5, 0.99, 1 - 1e-4, 1 - 1e-6, 1 - 1.1e-7, 1 - 9e-8, 1.0, -1.0, 2.0]}),
    transformed("edges", "uniform", 4, few, {"x": EDGES}),
    transformed("edges, normal", "normal", 4, few, {"x": EDGES}),
    transformed("random bits", "uniform", 4, {"x": [-1e300, -1.0, 1e-300, 1e300]}, {"x": wild(64)}),
    transformed("constant column", "uniform", 3, {"x": [2.0, 2.0, 2.0]}, {"x": [1.0, 2.0, 3.0]}),
    transformed("constant column, normal", "normal", 3, {"x": [2.0, 2.0, 2.0]}, {"x": [1.0, 2.0, 3.0]}),
    bins("bins", 10, rng.normal(0, 1, 500), [*rng.normal(0, 2, 100), NAN, None, 1e300, -1e300]),
    bins("bins of counts", 4, [float(v) for v in rng.poisson(3, 500)], [float(v) for v in range(-1, 12)]),
    case("a bin has its lower edge", {"columns": [{"name": "x", "quantiles": [0, 1, 2, 3]}], "as": "bin"}, [column("x", [-INF, -1.0, 0.0, 1.0, 1.5, 2.0, 3.0, 4.0, INF])], [column("x", [0, 0, 0, 1, 1, 2, 2, 2, 2], "int64")]),
    case("two quantiles make one bin", {**one, "as": "bin"}, [column("x", [-1.0, 0.5, 2.0])], [column("x", [0, 0, 0], "int64")]),
    case("other numbers, another name", {"columns": [{"name": "x", "quantiles": [0, 4], "output": "rank"}]}, [column("x", [1, 3, None], "int64")], [column("rank", [0.25, 0.75, None])]),
    case("no rows", one, [column("x", [])], [column("x", [])]),
    case("quantiles descend", {"columns": [{"name": "x", "quantiles": [1, 0]}]}, x, error='columns[0]: "quantiles" must not descend'),
    case("one quantile", {"columns": [{"name": "x", "quantiles": [1]}]}, x, error="quantiles"),
    case("unknown form", {**one, "as": "ordinal"}, x, error="as"),
    case("unknown key", {**one, "references": [0, 1]}, x, error="references"),
    case("missing column", one, [column("y", [1.0])], error='input column "x" is missing'),
])
