"""Computes vectors.json with scikit-learn's OrdinalEncoder: plugins/vectors.sh ordinal. Equal."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import NAN, case, column, write
from sklearn.preprocessing import OrdinalEncoder


def encoded(name, columns, dtype=None, unknown=None, missing=None):
    """columns: {name: (type, categories, values)}. Missing values are None, and NaN in numbers."""
    options = {"handle_unknown": "use_encoded_value", "unknown_value": NAN if unknown == "null" else unknown} if unknown is not None else {}
    if missing is not None:
        options["encoded_missing_value"] = missing
    parameters = {"columns": [{"name": n, "categories": c} for n, (_, c, _) in columns.items()]}
    if unknown is not None:
        parameters |= {"handle_unknown": "value", "unknown_value": None if unknown == "null" else unknown}
    if missing is not None:
        parameters["missing_value"] = missing
    if dtype:
        parameters["type"] = dtype
    outputs = []
    for n, (type, categories, values) in columns.items():
        # Each column alone, for scikit-learn wants one dtype; NaN is what it takes for missing.
        gap = NAN
        kind = object if type == "utf8" else float
        encoder = OrdinalEncoder(categories=[np.array([*sorted(categories), gap], dtype=kind)], **options)
        encoder.fit(np.array([[c] for c in [*categories, gap]], dtype=kind))
        codes = encoder.transform(np.array([[gap if v is None else v] for v in values], dtype=kind))[:, 0]
        # scikit-learn wants numeric categories sorted; the plugin takes any order.
        order = {i: categories.index(c) for i, c in enumerate(sorted(categories))}
        result = []
        for code, v in zip(codes, values):
            lacks = v is None or v != v
            known = not lacks and v in categories
            r = order[int(code)] if known else (None if np.isnan(code) else code)
            result.append(r if r is None or dtype == "float64" else int(r))
        outputs.append(column(n, [float(r) if r is not None and dtype == "float64" else r for r in result], dtype or "int64"))
    return case(name, parameters, [column(n, v, t) for n, (t, _, v) in columns.items()], outputs)


rng = np.random.default_rng(3)
cities = ["Łódź", "Kraków", "", "zażółć gęślą", "東京", "a", "aa"]
many = [f"c{i}" for i in range(500)]
x = [column("x", ["a"], "utf8")]
ab = {"columns": [{"name": "x", "categories": ["a", "b"]}]}
write([
    encoded("texts", {"city": ("utf8", cities, [*cities, None, "a", ""])}),
    encoded("texts and numbers", {"city": ("utf8", cities, ["a", "aa", None, "東京"]), "size": ("float64", [4.5, -1.0, 0.0, 1e300], [-0.0, 4.5, NAN, None])}),
    encoded("unknown is -1", {"city": ("utf8", cities, ["a", "b", "Lodz", None, "A"]), "n": ("float64", [1.0, 2.0], [3.0, 2.0, NAN, -1e300, None])}, unknown=-1),
    encoded("unknown is null, missing is -2", {"city": ("utf8", cities, ["a", "b", None])}, "float64", unknown="null", missing=-2),
    encoded("float64 codes, missing", {"n": ("float64", [10.0, 20.0], [20.0, NAN, None, 10.0, 7.0])}, "float64", unknown=-7, missing=-1.5),
    encoded("many categories", {"c": ("utf8", many, [f"c{i}" for i in rng.integers(0, 600, 300)])}, unknown=-1),
    case("other numbers, another name", {"columns": [{"name": "i", "categories": [3, 1, -7], "output": "code"}, {"name": "b", "categories": [1, 0]}]},
         [column("b", [True, False, None], "bool"), column("i", [1, -7, None], "int32")], [column("code", [1, 2, None], "int64"), column("b", [0, 1, None], "int64")]),
    case("no rows", ab, [column("x", [], "utf8")], [column("x", [], "int64")]),
    case("unknown is an error", ab, [column("x", ["a", "ż"], "utf8")], error='column "x", row 1: "ż" is none of the categories'),
    case("unknown number is an error", {"columns": [{"name": "x", "categories": [1]}]}, [column("x", [2.0])], error='column "x", row 0'),
    case("a category twice", {"columns": [{"name": "x", "categories": ["a", "b", "a"]}]}, x, error="categories"),
    case("both zeros", {"columns": [{"name": "x", "categories": [0, -0.0]}]}, [column("x", [2.0])], error="categories"),
    case("mixed categories", {"columns": [{"name": "x", "categories": ["a", 1]}]}, x, error="categories"),
    case("no categories", {"columns": [{"name": "x", "categories": []}]}, x, error="categories"),
    case("unknown_value alone", {**ab, "unknown_value": -1}, x, error="handle_unknown"),
    case("unknown_value lacking", {**ab, "handle_unknown": "value"}, x, error="unknown_value"),
    case("unknown_value in use", {**ab, "handle_unknown": "value", "unknown_value": 1}, x, error="unknown_value"),
    case("fraction as int64", {**ab, "missing_value": 0.5}, x, error="missing_value"),
    case("unknown key", {**ab, "dtype": "int64"}, x, error="dtype"),
    case("numbers for texts", ab, [column("x", [1.0])], error='input column "x" is float64, it must be utf8'),
])
