"""Computes vectors.json with scikit-learn's MinMaxScaler: plugins/vectors.sh minmax. Equal bit for bit."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import EDGES, NAN, case, column, floats, wild, with_nulls, write
from sklearn.preprocessing import MinMaxScaler


def scaled(name, train, test, feature_range=None, clip=None):
    """train and test: {column: values}."""
    scaler = MinMaxScaler(feature_range=feature_range or (0, 1), clip=bool(clip))
    scaler.fit(np.column_stack([np.asarray(v, dtype=float) for v in train.values()]))
    parameters = {"columns": [{"name": n, "min": scaler.data_min_[i], "max": scaler.data_max_[i]} for i, n in enumerate(train)]}
    if feature_range:
        parameters["feature_range"] = list(feature_range)
    if clip is not None:
        parameters["clip"] = clip
    with np.errstate(all="ignore"):
        # MinMaxScaler.transform refuses infinities; its two operations do not.
        x = np.column_stack([floats(v) for v in test.values()]) * scaler.scale_ + scaler.min_
        if clip:
            x = np.clip(x, *scaler.feature_range)
    finite = np.isfinite(np.column_stack([floats(v) for v in test.values()])).all(axis=1)
    if finite.any():
        kept = np.column_stack([floats(v) for v in test.values()])[finite]
        assert np.array_equal(scaler.transform(kept), x[finite])
    return case(name, parameters, [column(n, v) for n, v in test.items()],
                [column(n, with_nulls(x[:, i], v)) for i, (n, v) in enumerate(test.items())])


rng = np.random.default_rng(11)
train = {"age": rng.normal(40, 12, 50), "income": rng.lognormal(10, 1, 50)}
test = {"age": [*rng.normal(40, 20, 40), NAN, None], "income": [*rng.lognormal(10, 2, 40), None, NAN]}
one = {"columns": [{"name": "x", "min": 0, "max": 2}]}
x = [column("x", [1.0])]
write([
    scaled("two columns", train, test),
    scaled("another range", train, test, (-1, 1)),
    scaled("clip", train, test, (0.25, 0.75), True),
    scaled("clip off", train, test, None, False),
    scaled("constant and nearly constant columns", {"x": [3.0, 3.0], "y": [1.0, 1.0 + 1e-15], "z": [0.0, 1e-14]}, {n: [3.0, 1.0, -2.5, 1e-15] for n in "xyz"}),
    scaled("edges", {"x": [-3.0, 7.0]}, {"x": EDGES}),
    scaled("edges, clip", {"x": [-3.0, 7.0]}, {"x": EDGES}, (-2, 5), True),
    scaled("random bits", {"x": [-1e3, 1e5]}, {"x": wild(64)}),
    case("no rows", one, [column("x", [])], [column("x", [])]),
    case("other numbers, other columns, another name", {"columns": [{"name": "i", "output": "i_scaled", "min": 0, "max": 4}, {"name": "b", "min": -1, "max": 1}, {"name": "f", "min": 0, "max": 1}, {"name": "l", "min": 0, "max": 10}]},
         [column("f", [0.5, 0.25, None], "float32"), column("unused", ["a", "b", None], "utf8"), column("l", [1, -5, None], "int64"), column("b", [True, False, None], "bool"), column("i", [1, None, 4], "int32")],
         [column("i_scaled", [0.25, None, 1.0]), column("b", [1.0, 0.5, None]), column("f", [0.5, 0.25, None]), column("l", [0.1, -0.5, None])]),
    case("unknown key", {**one, "range": [0, 1]}, x, error="range"),
    case("unknown key of a column", {"columns": [{"name": "x", "min": 0, "max": 2, "mean": 1}]}, x, error="mean"),
    case("missing max", {"columns": [{"name": "x", "min": 0}]}, x, error="max"),
    case("min above max", {"columns": [{"name": "x", "min": 2, "max": 1}]}, x, error='columns[0]: "min" is above "max"'),
    case("a column twice", {"columns": one["columns"] * 2}, x, error='column "x" is listed twice'),
    case("range upside down", {**one, "feature_range": [1, 0]}, x, error="feature_range"),
    case("missing column", one, [column("y", [1.0])], error='input column "x" is missing'),
    case("wrong type", one, [column("x", ["1"], "utf8")], error='input column "x" is utf8'),
])
