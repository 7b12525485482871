"""Computes vectors.json with numpy: python3 psi.py > vectors.json (numpy 1.26 or later).

The definition is Evidently's (0.7.23, legacy/calculations/stattests/psi.py and utils.get_binned_data): shares of the values that
are not missing, zeros filled on each side apart, sum of (r - c) ln(r / c). Edges are given here as the inner ones of Evidently's own
(numpy's "sturges" rule over both samples) or by hand; numpy.digitize(right=False) counts.
"""
import json

import numpy as np


def shares(x, edges):
    return np.bincount(np.digitize(x, edges, right=False), minlength=len(edges) + 1) / len(x)


def fill(s):
    s = s.copy()
    least = s[s != 0].min()
    s[s == 0] = 0.0001 if least > 0.0001 else least / 1e6
    return s


def case(name, ref, cur, edges):
    clean = [np.array([v for v in side if v is not None], dtype=float) for side in (ref, cur)]
    score = {"column": "x", "name": "psi", "value": None}
    if all(len(c) for c in clean):
        r, c = (shares(x, edges) for x in clean)
        score["detail"] = {"reference_shares": r.tolist()}
        r, c = fill(r), fill(c)
        score["value"] = float(np.sum((r - c) * np.log(r / c)))
    return {"name": name, "parameters": {"columns": [{"name": "x", "edges": [float(e) for e in edges]}]},
            "reference": column(ref), "current": column(cur), "scores": [score], "tolerance": 1e-12}


def column(side):
    """Missing travels as a null, a NaN or an infinity: all the same."""
    values = [[None, "NaN", "Infinity", "-Infinity"][i % 4] if v is None else v for i, v in enumerate(side)]
    return [{"name": "x", "type": "float64", "values": values}]


def refused(name, parameters, error):
    return {"name": name, "parameters": parameters, "error": error}


def rows(a):
    return [None if not np.isfinite(v) else float(v) for v in np.asarray(a, dtype=float)]


rng = np.random.default_rng(20240501)
a, b = rng.normal(0, 1, 400), rng.normal(0.4, 1.2, 300)
sturges = np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges")
holes = a.copy()
holes[::7] = np.nan
print(json.dumps([
    case("normal shift, sturges", rows(a), rows(b), sturges[1:-1]),
    case("same sample", rows(a), rows(a), sturges[1:-1]),
    case("missing values", rows(holes), rows(b), sturges[1:-1]),
    case("values on the edges", [0, 0, 1, 1, 1, 2, 2, 3], [0, 1, 1, 2, 3, 3, 3, 3], [0, 1, 2, 3]),
    case("empty bins on both sides", [1, 1, 2, 2], [5, 5, 6], [1.5, 3, 5.5]),
    case("one edge", [-1, 1, 1, 1], [-1, -1, -1, 1], [0]),
    case("nothing in common", [0] * 5, [10] * 7, [5]),
    case("a very small share", [0] * 19999 + [2], [0] * 10 + [1], [0.5, 1.5]),
    case("no current value", [1, 2, 3], [None, None], [2]),
    case("no reference row", [], [1, 2], [2]),
    refused("no columns", {}, "columns"),
    refused("descending edges", {"columns": [{"name": "x", "edges": [1, 0]}]}, "edge"),
    refused("an unknown key", {"columns": [{"name": "x", "edges": [1], "bins": 4}]}, "bins"),
], separators=(",", ":")))
