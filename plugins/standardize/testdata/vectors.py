"""Computes vectors.json: python3 vectors.py > vectors.json. Python's floats are IEEE doubles, so results must be equal bit for bit.

The rule is that of scikit-learn's StandardScaler: a scale of 0 becomes 1. Values that JSON lacks travel as text.
"""
import json
import random
import struct


def text(v):
    if v is None:
        return None
    if v != v:
        return "NaN"
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(v, v)


def case(name, columns):
    params, inputs, outputs = [], [], []
    for n, (mean, std, x) in columns.items():
        params.append({"name": n, "mean": mean, "std": std})
        inputs.append({"name": n, "type": "float64", "values": [text(v) for v in x]})
        outputs.append({"name": n, "type": "float64", "values": [text(None if v is None else (v - mean) / (std or 1.0)) for v in x]})
    return {"name": name, "parameters": {"columns": params}, "input": inputs, "output": outputs}


random.seed(7)
wild = [struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0] for _ in range(64)]
nan, inf = float("nan"), float("inf")
print(json.dumps([
    case("plain", {"x": (1.0, 2.0, [1.0, 2.0, 3.0, -1.5]), "y": (0.1, 0.3, [0.1, 0.2, 0.7, 1e9])}),
    case("nulls, NaN and infinities", {"x": (0.5, 0.25, [None, nan, inf, -inf, None])}),
    case("signed zeros and subnormals", {"x": (0.0, 3.0, [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308]), "y": (-0.0, 1.0, [0.0, -0.0, 5e-324, 1.0, -1.0])}),
    case("std of 0", {"x": (4.0, 0.0, [4.0, 5.0, nan])}),
    case("parameters that need every bit", {"x": (0.1 + 0.2, 1.7976931348623157e308, [0.30000000000000004, 1e300]), "y": (2.2250738585072011e-308, 4.9406564584124654e-324, [1e-320, 0.0])}),
    case("random bits", {"x": (wild[0] if wild[0] == wild[0] else 1.0, 1e-3, wild)}),
], indent=None, separators=(",", ":"), allow_nan=False))
