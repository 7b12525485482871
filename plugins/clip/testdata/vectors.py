"""Computes vectors.json with numpy.clip: plugins/vectors.sh clip. Equal bit for bit."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import EDGES, case, column, floats, wild, with_nulls, write


def clipped(name, columns, test):
    out = []
    for c in columns:
        v = test[c["name"]]
        out.append(column(c["name"], with_nulls(np.clip(floats(v), c.get("low", -np.inf), c.get("high", np.inf)), v)))
    return case(name, {"columns": columns}, [column(n, v) for n, v in test.items()], out)


x = [column("x", [1.0])]
write([
    clipped("both bounds", [{"name": "x", "low": -2.5, "high": 1e6}], {"x": EDGES}),
    clipped("low only, high only", [{"name": "x", "low": 0.5}, {"name": "y", "high": 0.5}], {"x": EDGES, "y": EDGES}),
    clipped("random bits", [{"name": "x", "low": -1e100, "high": 1e-100}], {"x": wild(64)}),
    clipped("one value", [{"name": "x", "low": 3, "high": 3}], {"x": [1.0, 3.0, 5.0, None]}),
    case("zeros keep their sign at a bound of 0", {"columns": [{"name": "x", "low": 0, "high": 1}]}, [column("x", [0.0, -0.0, -1.0])], [column("x", [0.0, -0.0, 0.0])]),
    case("no rows", {"columns": [{"name": "x", "low": 0}]}, [column("x", [])], [column("x", [])]),
    case("other numbers, another name", {"columns": [{"name": "x", "low": 0, "output": "y"}]}, [column("x", [1, -2, None], "int32")], [column("y", [1.0, 0.0, None])]),
    case("no bound", {"columns": [{"name": "x"}]}, x, error="low"),
    case("bounds upside down", {"columns": [{"name": "x", "low": 1, "high": 0}]}, x, error='columns[0]: "low" is above "high"'),
    case("unknown key", {"columns": [{"name": "x", "low": 1, "min": 0}]}, x, error="min"),
    case("not a number", {"columns": [{"name": "x", "low": "0"}]}, x, error="low"),
    case("missing column", {"columns": [{"name": "z", "low": 0}]}, x, error='input column "z" is missing'),
])
