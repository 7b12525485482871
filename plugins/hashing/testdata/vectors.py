"""Computes vectors.json with scikit-learn's FeatureHasher: plugins/vectors.sh hashing. Equal bit for bit, float vectors after rounding to float32."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import random

import numpy as np
from cases import INF, NAN, case, column, write
from sklearn.feature_extraction import FeatureHasher


def hashed(name, n, columns, alternate=None, tokens=False, as_columns=False, output=None):
    """columns: {name: (type, values, separator)}"""
    rows = len(next(iter(columns.values()))[1])
    raw = []
    for r in range(rows):
        row = []
        for c, (type, values, separator) in columns.items():
            v = values[r]
            if v is None or v != v:
                continue
            if type != "utf8":
                row.append((c, v))
                continue
            parts = [p for p in v.split(separator) if p] if separator else [v]
            row += parts if tokens else [(c, p) for p in parts]
        raw.append(row)
    # A row of pairs is what FeatureHasher makes of a dict; a list may have a name twice.
    hasher = FeatureHasher(n, input_type="string" if tokens else "pair", alternate_sign=alternate is not False)
    y = hasher.transform(raw).toarray() if raw else np.zeros((0, n))
    specs = []
    for c, (type, _, separator) in columns.items():
        spec = {"name": c}
        if type != "utf8":
            spec["type"] = "float64"
        if separator:
            spec["separator"] = separator
        specs.append(spec if len(spec) > 1 else c)
    parameters = {"columns": specs, "n_features": n}
    if alternate is not None:
        parameters["alternate_sign"] = alternate
    if tokens:
        parameters["input_type"] = "string"
    if as_columns:
        parameters["as"] = "columns"
    if output:
        parameters["output"] = output
    to = output or "hashed"
    out = [column(f"{to}_{i}", y[:, i]) for i in range(n)] if as_columns else [column(to, y, "float_vector", n)]
    return case(name, parameters, [column(c, v, t) for c, (t, v, _) in columns.items()], out)


rng = random.Random(1)
cities = ["Kraków", "Łódź", "", None, "東京", "a", "ab", "abc", "abcd", "abcde", "São Paulo"]
city = ("utf8", [rng.choice(cities) for _ in range(60)], None)
device = ("utf8", [rng.choice(["phone", "tablet", None, "📱"]) for _ in range(60)], None)
tags = ("utf8", [rng.choice(["red,green", "red", ",", ",,blue,red,", None, "", "green,red,green"]) for _ in range(60)], ",")
price = ("float64", [rng.choice([0.0, -0.0, 1.5, -2.25, NAN, None, 1e10, 3.0]) for _ in range(60)], None)
many = ("utf8", [f"user-{i}" for i in range(200)], None)
x = [column("x", ["a"], "utf8")]
one = {"columns": ["x"], "n_features": 4}
write([
    hashed("texts", 16, {"city": city, "device": device}),
    hashed("texts, tokens and numbers", 32, {"city": city, "tags": tags, "price": price}),
    hashed("columns", 7, {"city": city, "price": price, "tags": tags}, as_columns=True, output="h"),
    hashed("no signs", 8, {"city": city, "tags": tags}, alternate=False),
    hashed("signs", 8, {"tags": tags}, alternate=True),
    hashed("tokens alone", 16, {"tags": tags, "city": city}, tokens=True),
    hashed("a long separator", 8, {"t": ("utf8", ["a::b", "a:b::", "::", "x:::y", None], "::")}),
    hashed("many values", 11, {"user": many}),
    hashed("one cell", 1, {"city": city}),
    hashed("no rows", 4, {"city": ("utf8", [], None)}),
    case("whole numbers and bools", {"columns": [{"name": "i", "type": "float64"}, {"name": "b", "type": "float64"}], "n_features": 1, "alternate_sign": False, "as": "columns"},
         [column("b", [True, False, None], "bool"), column("i", [2, -5, 7], "int32")], [column("hashed_0", [3.0, -5.0, 7.0])]),
    case("opposite infinities", {"columns": [{"name": "a", "type": "float64"}, {"name": "b", "type": "float64"}], "n_features": 1, "alternate_sign": False},
         [column("a", [INF, INF, 1e300]), column("b", [-INF, 1.0, 0.0])], [column("hashed", [[NAN], [INF], [INF]], "float_vector", 1)]),
    case("no n_features", {"columns": ["x"]}, x, error="n_features"),
    case("no cells", {"columns": ["x"], "n_features": 0}, x, error="n_features"),
    case("numbers as tokens", {"columns": [{"name": "x", "type": "float64"}], "n_features": 4, "input_type": "string"}, x, error="input_type"),
    case("separated numbers", {"columns": [{"name": "x", "type": "float64", "separator": ","}], "n_features": 4}, x, error="separator"),
    case("too many columns", {**one, "n_features": 5000, "as": "columns"}, x, error="5000 columns are more than 4096"),
    case("a column twice", {**one, "columns": ["x", "x"]}, x, error='column "x" is listed twice'),
    case("unknown key", {**one, "seed": 1}, x, error="seed"),
    case("a number for a text", one, [column("x", [1.0])], error='input column "x" is float64, it must be utf8'),
])
