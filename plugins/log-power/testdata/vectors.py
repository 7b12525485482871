"""Computes vectors.json with numpy and scikit-learn's PowerTransformer: plugins/vectors.sh log-power.

sqrt is equal bit for bit. The tolerance of the others is relative: 2 ulp for logarithms and powers; what an exponential makes of 1 ulp of its
argument, up to 709, for Box-Cox and Yeo-Johnson.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import EDGES, NAN, case, column, floats, wild, with_nulls, write
from scipy import special, stats
from sklearn.preprocessing import PowerTransformer

ULP = 2.0**-52
FUNCTIONS = {"log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sqrt": np.sqrt}


def plain_method(name, method, values, tolerance=None):
    with np.errstate(all="ignore"):
        y = FUNCTIONS[method](floats(values))
    return case(name, {"columns": [{"name": "x", "method": method}]}, [column("x", values)], [column("x", with_nulls(y, values))], tolerance)


def powers(name, method, lambdas, values, tolerance):
    f = {"power": np.power, "box-cox": special.boxcox, "yeo-johnson": stats.yeojohnson}[method]
    columns, inputs, outputs = [], [], []
    for i, l in enumerate(lambdas):
        columns.append({"name": f"x{i}", "method": method, "lambda": l})
        inputs.append(column(f"x{i}", values))
        with np.errstate(all="ignore"):
            outputs.append(column(f"x{i}", with_nulls(f(floats(values), l), values)))
    return case(name, {"columns": columns}, inputs, outputs, tolerance)


def fitted(name, method, train, values, standardize):
    p = PowerTransformer(method=method, standardize=standardize).fit(train)
    y = p.transform(np.column_stack([floats(v) for v in values]))
    columns = []
    for i, l in enumerate(p.lambdas_):
        c = {"name": f"x{i}", "method": method, "lambda": l}
        if standardize:
            c |= {"mean": p._scaler.mean_[i], "std": p._scaler.scale_[i]}
        columns.append(c)
    return case(name, {"columns": columns}, [column(f"x{i}", v) for i, v in enumerate(values)],
                [column(f"x{i}", with_nulls(y[:, i], v)) for i, v in enumerate(values)], 1e-13)


rng = np.random.default_rng(8)
spread = [*np.exp(rng.normal(0, 5, 60)), *(1 + rng.normal(0, 1e-3, 20)), 1.0, 2.0, 10.0, 1e-300, 1e300]
signed = [*rng.normal(0, 3, 60), *rng.normal(0, 1e-6, 20), 0.0, -0.0, 1e-12, -1e-12, NAN, None]
some = [v for v in wild(120, 3) if v == v][:64]
train = np.column_stack([rng.lognormal(1, 0.7, 200), rng.gamma(2, 3, 200)])
test = [[*rng.lognormal(1, 1, 40), None, NAN], [*rng.gamma(2, 4, 40), 1.0, None]]
x = [column("x", [1.0])]
write([
    *[plain_method(m, m, spread, 2 * ULP) for m in ["log", "log2", "log10", "log1p"]],
    *[plain_method(f"{m}: edges", m, EDGES, 2 * ULP) for m in ["log", "log2", "log10", "log1p"]],
    *[plain_method(f"{m}: random bits", m, some, 2 * ULP) for m in ["log", "log2", "log10", "log1p"]],
    plain_method("sqrt", "sqrt", [*spread, *EDGES, *some]),
    powers("power", "power", [2, 0.5, -1, 0, 1 / 3, 3.7], [*spread, *signed], 2 * ULP),
    powers("power: edges", "power", [2, 3, 0.25, -1, -2.5, 0], EDGES, 2 * ULP),
    powers("Box-Cox", "box-cox", [0.5, 0, 1, -0.7, 2.3, 1e-20, 1e-9], spread, 2e-13),
    powers("Box-Cox: edges", "box-cox", [0.5, 0, -0.5, 3], EDGES, 2e-13),
    powers("Yeo-Johnson", "yeo-johnson", [0.5, 0, 2, -0.7, 2.3, 1, 1e-17, 2 + 4e-16], signed, 1e-14),
    powers("Yeo-Johnson: edges", "yeo-johnson", [0.5, 0, 2, 3], EDGES, 2e-13),
    *[fitted(f"PowerTransformer, {m}{', standardised' if s else ''}", m, train, test, s) for m in ["box-cox", "yeo-johnson"] for s in [False, True]],
    case("standardised logarithm", {"columns": [{"name": "x", "method": "log", "mean": 1, "std": 0, "output": "y"}]}, [column("x", [1, None], "int32")], [column("y", [-1.0, None])]),
    case("no rows", {"columns": [{"name": "x", "method": "sqrt"}]}, [column("x", [])], [column("x", [])]),
    case("lambda is missing", {"columns": [{"name": "x", "method": "box-cox"}]}, x, error="lambda"),
    case("lambda of a logarithm", {"columns": [{"name": "x", "method": "log", "lambda": 1}]}, x, error="columns"),
    case("mean without std", {"columns": [{"name": "x", "method": "log", "mean": 1}]}, x, error="std"),
    case("unknown method", {"columns": [{"name": "x", "method": "exp"}]}, x, error="method"),
    case("unknown key", {"columns": [{"name": "x", "method": "log", "base": 2}]}, x, error="base"),
    case("text", {"columns": [{"name": "x", "method": "log"}]}, [column("x", ["1"], "utf8")], error='input column "x" is utf8'),
])
