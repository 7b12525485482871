"""Computes vectors.json by counting: plugins/vectors.sh missing."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import math

from cases import INF, NAN, column, metric, score, write


def counts(values):
    f = [v for v in values if isinstance(v, float)]
    return {"rows": len(values), "null": sum(v is None for v in values), "nan": sum(math.isnan(v) for v in f), "infinite": sum(math.isinf(v) for v in f),
            "empty": sum(v == "" for v in values)}


def compare(name, reference, current, type="float64", **options):
    share = lambda c: NAN if not c["rows"] else (c["null"] + c["nan"] + c["infinite"] + (c["empty"] if options.get("empty_text") else 0)) / c["rows"]
    r, c = counts(reference), counts(current)
    detail = {f"reference_{k}": v for k, v in r.items()} | {f"current_{k}": v for k, v in c.items()} | {"reference_share": share(r)}
    return metric(name, {"columns": [{"name": "x"}], **options}, [column("x", reference, type)], [column("x", current, type)],
                  [score("x", "missing", share(c), None if current else "the current sample has no row", **detail)])


write([
    compare("numbers", [1.0, None, 3.0], [NAN, INF, -INF, None, 5.0, 0.0]),
    compare("float32", [1.0, 2.0], [NAN, 1.5, None], "float32"),
    compare("texts", ["a", None, ""], ["", "", "b"], "utf8"),
    compare("texts of no length are missing", ["a", None, ""], ["", "", "b"], "utf8", empty_text=True),
    compare("whole numbers", [1, None], [2, 3], "int64"),
    compare("booleans", [True, None], [None, None], "bool"),
    compare("times", [0, None], [1, 2], "timestamp"),
    compare("no current rows", [1.0], []),
    compare("no rows", [], []),
    metric("missing column", {"columns": [{"name": "y"}]}, [column("x", [1.0])], [column("x", [1.0])], error='input column "y" is missing'),
    metric("listed twice", {"columns": [{"name": "x"}, {"name": "x"}]}, [column("x", [1.0])], [column("x", [1.0])], error='"x" is listed twice'),
])
