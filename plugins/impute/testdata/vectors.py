"""Computes vectors.json with scikit-learn's SimpleImputer: plugins/vectors.sh impute. Equal bit for bit."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import EDGES, NAN, case, column, floats, wild, write
from sklearn.impute import SimpleImputer


def imputed(name, strategy, columns, indicator, **options):
    """columns of numbers: {name: (training values, values)}; both hold NaN and None for what is missing."""
    imputer = SimpleImputer(strategy=strategy, add_indicator=indicator, **options).fit(np.column_stack([floats(t) for t, _ in columns.values()]))
    y = imputer.transform(np.column_stack([floats(v) for _, v in columns.values()]))
    parameters = {"columns": [{"name": n, "value": imputer.statistics_[i]} for i, n in enumerate(columns)]}
    labels = list(columns)
    if indicator:
        for f in imputer.indicator_.features_:
            parameters["columns"][f]["indicator"] = True
            labels.append(labels[f] + "_missing")
    return case(name, parameters, [column(n, v) for n, (_, v) in columns.items()], [column(n, y[:, i]) for i, n in enumerate(labels)])


def texts(name, strategy, values, **options):
    imputer = SimpleImputer(missing_values=None, strategy=strategy, **options).fit(np.array([[v] for v in values], dtype=object))
    y = imputer.transform(np.array([[v] for v in values], dtype=object))[:, 0]
    return case(name, {"columns": [{"name": "city", "value": str(imputer.statistics_[0])}]}, [column("city", values, "utf8")], [column("city", list(y), "utf8")])


rng = np.random.default_rng(4)


def holes(n, every):
    v = [float(x) for x in rng.normal(0, 10, n)]
    return [None if i % every == 0 else NAN if i % every == 1 else x for i, x in enumerate(v)]


two = {"a": (holes(30, 5), holes(30, 4)), "b": (holes(30, 7), holes(30, 3))}
whole = {"a": (holes(30, 5), holes(30, 4)), "full": ([float(i) for i in range(30)], [float(i) for i in range(30)])}
x = [column("x", [1.0])]
finite = [v for v in wild(64) if v == v]
write([
    imputed("mean", "mean", two, False),
    imputed("median, indicators", "median", two, True),
    imputed("most frequent, one indicator", "most_frequent", whole, True),
    imputed("constant", "constant", two, False, fill_value=-1.0),
    texts("most frequent text", "most_frequent", ["Łódź", None, "a", "Łódź", None, "", "東京"]),
    texts("constant text", "constant", [None, "a", "", None], fill_value="brak"),
    texts("all are there", "most_frequent", ["a", "b", "ż"]),
    case("edges", {"columns": [{"name": "x", "value": 7, "indicator": True}]}, [column("x", EDGES)],
         [column("x", [7.0 if v is None or v != v else v for v in EDGES]), column("x_missing", [1.0 if v is None or v != v else 0.0 for v in EDGES])]),
    case("NaN is kept", {"columns": [{"name": "x", "value": 7, "indicator": True}], "nan": "keep"}, [column("x", EDGES)],
         [column("x", [7.0 if v is None else v for v in EDGES]), column("x_missing", [1.0 if v is None else 0.0 for v in EDGES])]),
    case("random bits", {"columns": [{"name": "x", "value": -0.0}]}, [column("x", finite)], [column("x", finite)]),
    case("whole numbers, times, bools", {"columns": [{"name": "i", "value": -3, "type": "int64"}, {"name": "l", "value": 9007199254740992, "type": "int64", "indicator": True}, {"name": "at", "value": 0, "type": "timestamp"},
                                                    {"name": "t", "value": True, "output": "yes"}, {"name": "f", "value": False}]},
         [column("i", [1, None, -2147483648] * 4, "int32"), column("l", [None, 9223372036854775807, -5] * 4, "int64"), column("at", [-1, None, 1700000000000000] * 4, "timestamp"),
          column("t", [True, False, None] * 4, "bool"), column("f", [True, False, None] * 4, "bool")],
         [column("i", [1, -3, -2147483648] * 4, "int64"), column("l", [9007199254740992, 9223372036854775807, -5] * 4, "int64"), column("at", [-1, 0, 1700000000000000] * 4, "timestamp"),
          column("yes", [True, False, True] * 4, "bool"), column("f", [True, False, False] * 4, "bool"), column("l_missing", [1.0, 0.0, 0.0] * 4)]),
    case("widened", {"columns": [{"name": "f", "value": 0.5}]}, [column("f", [0.25, None, NAN], "float32")], [column("f", [0.25, 0.5, 0.5])]),
    case("no rows", {"columns": [{"name": "x", "value": 1}, {"name": "s", "value": "a"}]}, [column("x", []), column("s", [], "utf8")], [column("x", []), column("s", [], "utf8")]),
    case("empty text", {"columns": [{"name": "s", "value": ""}]}, [column("s", [None, None], "utf8")], [column("s", ["", ""], "utf8")]),
    case("no value", {"columns": [{"name": "x"}]}, x, error="value"),
    case("value of another type", {"columns": [{"name": "x", "value": "a", "type": "int64"}]}, x, error='"value" does not fit the type int64'),
    case("fraction", {"columns": [{"name": "x", "value": 0.5, "type": "int64"}]}, x, error="value"),
    case("unknown key", {"columns": [{"name": "x", "value": 0, "strategy": "mean"}]}, x, error="strategy"),
    case("indicator's name is taken", {"columns": [{"name": "x", "value": 0, "indicator": True}, {"name": "x_missing", "value": 0}]}, x, error='two outputs would be named "x_missing"'),
    case("floats for int64", {"columns": [{"name": "x", "value": 0, "type": "int64"}]}, x, error='input column "x" is float64, it must be int64 or int32'),
])
