"""What the scripts that make testdata/vectors.json share: columns and cases in the format of host/plugin/plugintest.

A script computes its results with scikit-learn, scipy, numpy or Python itself, never with code that was copied from the plugin, and prints
all cases. plugins/vectors.sh runs the scripts with the Python packages of examples/breast-cancer/requirements.txt.
"""
import json
import math
import random
import struct

import numpy as np

NAN, INF = float("nan"), float("inf")
# What transforms of numbers meet in practice, and what they should survive.
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-9, -1e-9, 5e-324, -5e-324, 2.2250738585072014e-308, 1e15, -1e15, 1.7e308, -1.7e308, INF, -INF, NAN, None]


def wild(n, seed=7):
    """n doubles with random bits."""
    rng = random.Random(seed)
    return [struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0] for _ in range(n)]


def plain(v):
    """A value as the vectors write it: NaN and infinities as text."""
    if isinstance(v, (list, tuple, np.ndarray)):
        return [plain(x) for x in v]
    if isinstance(v, np.generic):
        v = v.item()
    if isinstance(v, float):
        if math.isnan(v):
            return "NaN"
        if math.isinf(v):
            return "Infinity" if v > 0 else "-Infinity"
    return v


def column(name, values, type="float64", list_size=None):
    c = {"name": name, "type": type}
    if list_size is not None:
        c["list_size"] = list_size
        # float32 in the shortest form that reads back the same
        values = [None if v is None else [float(str(np.float32(x))) for x in v] for v in values]
    c["values"] = [plain(v) for v in values]
    return c


def case(name, parameters, input, output=None, tolerance=None, error=None):
    c = {"name": name, "parameters": parameters}
    if input is not None:
        c["input"] = input
    if output is not None:
        c["output"] = output
    if tolerance:
        c["tolerance"] = tolerance
    if error:
        c["error"] = error
    return c


def floats(values):
    """A numpy column with NaN in the place of nulls."""
    return np.array([NAN if v is None else float(v) for v in values], dtype=float)


def with_nulls(result, *inputs):
    """The results, null where one of the inputs is."""
    return [None if any(x is None for x in row) else r for r, *row in zip(result, *inputs)]


def write(cases):
    names = [c["name"] for c in cases]
    assert len(set(names)) == len(names), names
    print("[" + ",\n".join(json.dumps(c, ensure_ascii=False, allow_nan=False) for c in cases) + "]")


def metric(name, parameters, reference, current, scores=None, tolerance=None, error=None):
    """A case of a metric: reference and current are lists of columns."""
    c = {"name": name, "parameters": parameters, "reference": reference, "current": current}
    if error:
        c["error"] = error
    else:
        c["scores"] = scores
    if tolerance:
        c["tolerance"] = tolerance
    return c


def score(column, name, value, note=None, **detail):
    """A Score; NaN is null."""
    s = {"column": column, "name": name, "value": None if value is None or math.isnan(value) else float(value)}
    if note:
        s["note"] = note
    if detail:
        s["detail"] = {k: None if isinstance(v, float) and math.isnan(v) else plain(v) for k, v in detail.items()}
    return s


def numbers_in(values):
    """The finite numbers of a column, as float64."""
    x = np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    return x[np.isfinite(x)]
