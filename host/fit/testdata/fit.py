"""Makes data.csv and expected.json beside this file: what scikit-learn and numpy learn from the same data.

Run it with the Python of `scripts/venv.sh train examples/breast-cancer/requirements.txt`. With --check it compares with
what is committed instead of writing."""

import csv
import io
import json
import pathlib
import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, PowerTransformer, QuantileTransformer, RobustScaler, StandardScaler

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(20261121)
n = 1000
data = {
    "normal": rng.normal(5, 3, n),
    "skewed": rng.lognormal(0, 1.5, n),
    "large": rng.normal(1e9, 1, n),
    "constant": np.full(n, 0.1),
    "whole": rng.integers(-50, 50, n),
}
data["holes"] = np.where(rng.random(n) < 0.3, np.nan, rng.normal(0, 1, n))
city = rng.choice(["Kraków", "Łódź", "a b", 'q"t', "zzz", "Aachen"], n, p=[0.4, 0.3, 0.15, 0.1, 0.04, 0.01])
shade = rng.choice(["red", "green"], n)
words = "the Train is late again, and coffee in Kraków was ÉTÉ-good x 42 times snake_case don't 東京 3.14".split()
review = [" ".join(rng.choice(words, rng.integers(0, 12))) for _ in range(n)]


def text(v):
    if isinstance(v, np.integer):
        return str(int(v))
    return "" if np.isnan(v) else repr(float(v))


buffer = io.StringIO()
w = csv.writer(buffer, lineterminator="\n")
w.writerow([*data, "city", "shade", "review"])
for i in range(n):
    w.writerow([*(text(data[k][i]) for k in data), "" if i % 50 == 7 else city[i], shade[i], review[i]])
table = buffer.getvalue()

numeric = list(data)
x = np.column_stack([np.asarray(data[k], dtype=np.float64) for k in numeric])
cities = [c for i, c in enumerate(city) if i % 50 != 7]
cases = []


def case(plugin, columns, parameters, options=None, tolerance=1e-12):
    cases.append({"plugin": plugin, "columns": columns, "options": options or {}, "tolerance": tolerance, "parameters": parameters})


s = StandardScaler().fit(x)
# scikit-learn writes a scale of 1 for a constant column; the plugin takes its std, 0.
std = np.where(s.scale_ == 1.0, 0.0, s.scale_)
case("standardize", numeric, {"columns": [{"name": k, "mean": s.mean_[i], "std": std[i]} for i, k in enumerate(numeric)]}, tolerance=1e-12)
m = MinMaxScaler(feature_range=(-1, 1)).fit(x)
case("minmax", numeric, {"columns": [{"name": k, "min": m.data_min_[i], "max": m.data_max_[i]} for i, k in enumerate(numeric)], "feature_range": [-1, 1]},
     {"feature_range": [-1, 1]}, 0)
for span, names, tolerance in [
    ((25.0, 75.0), [k for k in numeric if k != "large"], 1e-12),
    ((5.0, 90.0), [k for k in numeric if k != "large"], 1e-12),
    # Differences of quantiles near 1e9, each interpolated to within one unit in the last place, 1.2e-7.
    ((25.0, 75.0), ["large"], 3e-7),
]:
    at = [numeric.index(k) for k in names]
    r = RobustScaler(quantile_range=span).fit(x[:, at])
    scale = np.where(r.scale_ == 1.0, 0.0, r.scale_)
    case("robust", names, {"columns": [{"name": k, "center": r.center_[i], "scale": scale[i]} for i, k in enumerate(names)]},
         None if span[0] == 25 else {"quantile_range": list(span)}, tolerance)
low, high = np.nanpercentile(x, 1, axis=0), np.nanpercentile(x, 99, axis=0)
case("clip", numeric, {"columns": [{"name": k, "low": low[i], "high": high[i]} for i, k in enumerate(numeric)]})

for columns, rows in [(["city"], [cities]), (["city", "shade"], [cities, list(shade)])]:
    found = [list(OneHotEncoder().fit([[v] for v in r]).categories_[0]) for r in rows]
    case("onehot", columns, {"columns": [{"name": c, "categories": f} for c, f in zip(columns, found)]}, tolerance=0)
frequent = [c for c in OneHotEncoder(min_frequency=50).fit([[v] for v in cities]).categories_[0] if cities.count(c) >= 50]
case("onehot", ["city"], {"columns": [{"name": "city", "categories": frequent}]}, {"min_count": 50}, 0)

spread = [k for k in numeric if k != "constant"]
for bins, strategy in [(10, "quantile"), (4, "quantile"), (5, "uniform")]:
    edges = []
    for k in spread:
        v = np.asarray(data[k], dtype=np.float64)
        v = v[~np.isnan(v)]
        e = np.quantile(v, np.arange(1, bins) / bins) if strategy == "quantile" else np.linspace(v.min(), v.max(), bins + 1)[1:-1]
        edges.append({"name": k, "edges": [float(e) for e in np.unique(e)]})
    case("psi", spread, {"columns": edges}, {"bins": bins, "strategy": strategy})

case("js", ["normal"], {"columns": [{"name": "normal", "edges": [float(e) for e in np.quantile(data["normal"], np.arange(1, 10) / 10)]}]})
case("moments", numeric, {"columns": [{"name": k, "center": float(np.nanmean(x[:, i]))} for i, k in enumerate(numeric)]})

full = ["normal", "skewed", "large", "whole"]
for strategy, method in [("quantile", "linear"), ("uniform", "linear")]:
    k = KBinsDiscretizer(7, encode="ordinal", strategy=strategy, quantile_method=method, subsample=None).fit(np.column_stack([data[n] for n in full]))
    case("bucketise", full, {"columns": [{"name": n, "edges": list(map(float, k.bin_edges_[i][1:-1]))} for i, n in enumerate(full)], "encode": "onehot"},
         {"bins": 7, "strategy": strategy, "encode": "onehot"})
q = QuantileTransformer(n_quantiles=50, subsample=None).fit(x)
case("quantile-bins", numeric, {"columns": [{"name": n, "quantiles": list(map(float, q.quantiles_[:, i]))} for i, n in enumerate(numeric)], "as": "normal"},
     {"n_quantiles": 50, "as": "normal"})

text_column = np.array([[None if i % 50 == 7 else c] for i, c in enumerate(city)], dtype=object)
for strategy in ["mean", "median", "most_frequent"]:
    s = SimpleImputer(strategy=strategy).fit(x)
    case("impute", numeric, {"columns": [{"name": n, "value": float(s.statistics_[i])} for i, n in enumerate(numeric)]}, {"strategy": strategy})
common = SimpleImputer(strategy="most_frequent", missing_values=None).fit(text_column).statistics_[0]
case("impute", ["city"], {"columns": [{"name": "city", "value": common, "indicator": True}]}, {"indicator": True}, 0)
case("impute", ["city"], {"columns": [{"name": "city", "value": "unknown"}]}, {"strategy": "constant", "fill_value": "unknown"}, 0)

o = OrdinalEncoder().fit(np.column_stack([data["whole"]]))
case("ordinal", ["city", "whole"], {"columns": [{"name": "city", "categories": sorted(set(cities))}, {"name": "whole", "categories": list(map(float, o.categories_[0]))}],
     "handle_unknown": "value", "unknown_value": -1}, {"handle_unknown": "value", "unknown_value": -1}, 0)

for method, names in [("yeo-johnson", ["normal", "skewed", "holes", "whole"]), ("box-cox", ["skewed"])]:
    at = [numeric.index(k) for k in names]
    t = PowerTransformer(method=method).fit(x[:, at])
    # The likelihood is flat at its top: both searches stop within 1e-7 or so of it.
    case("log-power", names, {"columns": [{"name": n, "method": method, "lambda": float(t.lambdas_[i]), "mean": float(t._scaler.mean_[i]), "std": float(t._scaler.scale_[i])}
         for i, n in enumerate(names)]}, {"method": method}, 1e-5)

texts = [r for r in review if r]  # an empty cell is a null
for options in [{}, {"ngram_range": [1, 2], "min_df": 30, "max_df": 400, "stop_words": ["the", "is"], "norm": "l1"}, {"lowercase": False, "sublinear_tf": True}]:
    arguments = {k: tuple(v) if k == "ngram_range" else v for k, v in options.items()}
    v = TfidfVectorizer(**arguments).fit(texts)
    case("tfidf", ["review"], {"column": "review", "vocabulary": list(v.get_feature_names_out()), "idf": list(map(float, v.idf_)),
                               **{k: o for k, o in options.items() if k not in ("min_df", "max_df")}}, options)

expected = json.dumps(cases, indent=1, ensure_ascii=False, default=float) + "\n"
if sys.argv[1:] == ["--check"]:
    assert (here / "data.csv").read_text() == table, "data.csv differs"
    was = json.loads((here / "expected.json").read_text())
    assert len(was) == len(cases) and all(a["plugin"] == b["plugin"] for a, b in zip(was, cases)), "other cases"

    def near(a, b, where):
        if isinstance(a, dict):
            assert a.keys() == b.keys(), where
            for k in a:
                near(a[k], b[k], f"{where}.{k}")
        elif isinstance(a, list):
            assert len(a) == len(b), where
            for i, (p, q) in enumerate(zip(a, b)):
                near(p, q, f"{where}[{i}]")
        elif isinstance(a, float):
            assert abs(a - b) <= 1e-12 * max(1, abs(a)), f"{where}: {a} {b}"
        else:
            assert a == b, f"{where}: {a} {b}"

    near(was, json.loads(expected), "expected.json")
    print(f"{len(cases)} fits agree with what is committed")
else:
    (here / "data.csv").write_text(table)
    (here / "expected.json").write_text(expected)
