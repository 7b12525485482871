"""Computes vectors.json with scikit-learn's RobustScaler: plugins/vectors.sh robust. Equal bit for bit."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import EDGES, NAN, case, column, floats, wild, with_nulls, write
from sklearn.preprocessing import RobustScaler


def scaled(name, train, test, **options):
    scaler = RobustScaler(**options).fit(np.column_stack([np.asarray(v, dtype=float) for v in train.values()]))
    columns = []
    for i, n in enumerate(train):
        c = {"name": n}
        if scaler.center_ is not None:
            c["center"] = scaler.center_[i]
        if scaler.scale_ is not None:
            c["scale"] = scaler.scale_[i]
        columns.append(c)
    x = np.column_stack([floats(v) for v in test.values()])
    finite = ~np.isinf(x).any(axis=1)
    y = np.empty_like(x)
    with np.errstate(all="ignore"):
        y[finite] = scaler.transform(x[finite])
        # RobustScaler refuses infinities; its operations do not.
        far = x[~finite]
        y[~finite] = (far - (0 if scaler.center_ is None else scaler.center_)) / (1 if scaler.scale_ is None else scaler.scale_)
    return case(name, {"columns": columns}, [column(n, v) for n, v in test.items()],
                [column(n, with_nulls(y[:, i], v)) for i, (n, v) in enumerate(test.items())])


rng = np.random.default_rng(12)
train = {"age": rng.normal(40, 12, 50), "income": rng.lognormal(10, 1, 50)}
test = {"age": [*rng.normal(40, 20, 40), NAN, None], "income": [*rng.lognormal(10, 2, 40), None, NAN]}
x = [column("x", [1.0])]
write([
    scaled("two columns", train, test),
    scaled("no centre", train, test, with_centering=False),
    scaled("no scale", train, test, with_scaling=False),
    scaled("unit variance, other quantiles", train, test, unit_variance=True, quantile_range=(10.0, 90.0)),
    scaled("constant column", {"x": [3.0, 3.0, 3.0]}, {"x": [3.0, 1.0, None]}),
    scaled("edges", {"x": [-3.0, 0.5, 7.0]}, {"x": EDGES}),
    scaled("random bits", {"x": [-1e3, 1.0, 1e5]}, {"x": wild(64)}),
    case("scale of 0", {"columns": [{"name": "x", "center": 1, "scale": 0}]}, [column("x", [1.0, 3.5])], [column("x", [0.0, 2.5])]),
    case("no rows", {"columns": [{"name": "x"}]}, [column("x", [])], [column("x", [])]),
    case("other numbers, another name", {"columns": [{"name": "x", "center": 1, "scale": 2, "output": "y"}]}, [column("x", [1, 2, None], "int64")], [column("y", [0.0, 0.5, None])]),
    case("unknown key", {"columns": [{"name": "x", "mean": 1}]}, x, error="mean"),
    case("negative scale", {"columns": [{"name": "x", "scale": -1}]}, x, error="scale"),
    case("two outputs of one name", {"columns": [{"name": "x"}, {"name": "z", "output": "x"}]}, x, error='two outputs would be named "x"'),
    case("missing column", {"columns": [{"name": "z"}]}, x, error='input column "z" is missing'),
])
