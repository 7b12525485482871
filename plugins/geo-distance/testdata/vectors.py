"""Computes vectors.json with scikit-learn's haversine_distances and numpy: plugins/vectors.sh geo-distance. The tolerance is relative, or absolute below 1."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import INF, NAN, case, column, write
from sklearn.metrics.pairwise import haversine_distances

RADIUS = 6371.0088


def good(lat, lon):
    return lat is not None and lon is not None and abs(lat) <= 90 and abs(lon) <= 180  # False for NaN


def distance(a, b):
    return haversine_distances(np.radians([a]), np.radians([b]))[0, 0] * RADIUS


def bearing(a, b):
    (p, l), (q, m) = np.radians(a), np.radians(b)
    d = np.degrees(np.arctan2(np.sin(m - l) * np.cos(q), np.cos(p) * np.sin(q) - np.sin(p) * np.cos(q) * np.cos(m - l))) % 360
    return 0.0 if d >= 360 else d + 0.0


def measured(name, points, to=None, bearings=False, tolerance=1e-13, **more):
    """points: [(lat, lon, lat, lon)], or [(lat, lon)] beside to."""
    names = ["lat", "lon", "lat2", "lon2"][: len(points[0])]
    pairs = [(p[:2], to or p[2:]) for p in points]
    d = {"from": ["lat", "lon"], "to": to or ["lat2", "lon2"], "output": "km"}
    out = [column("km", [distance(a, b) if good(*a) and good(*b) else None for a, b in pairs])]
    if bearings:
        d["bearing"] = "bearing"
        out.append(column("bearing", [bearing(a, b) if good(*a) and good(*b) else None for a, b in pairs]))
    return case(name, {"distances": [d], **more}, [column(n, [p[i] for p in points]) for i, n in enumerate(names)], out, tolerance)


rng = np.random.default_rng(10)
world = [(float(rng.uniform(-90, 90)), float(rng.uniform(-180, 180)), float(rng.uniform(-90, 90)), float(rng.uniform(-180, 180))) for _ in range(100)]
near = [(52.2297 + float(d), 21.0122 + float(e), 52.2297, 21.0122) for d, e in rng.normal(0, 1e-3, (40, 2))]
gaps = [(None, 0.0, 1.0, 1.0), (1.0, NAN, 1.0, 1.0), (90.0, 180.0, -90.0, -180.0), (90.0000001, 0.0, 0.0, 0.0), (0.0, 180.0000001, 0.0, 0.0), (0.0, 0.0, INF, 0.0), (0.0, 0.0, 0.0, -INF), (1.0, 2.0, 3.0, None), (0.0, 0.0, 0.0, 0.0), (10.0, 20.0, 10.0, 20.0), (-0.0, -0.0, 0.0, 0.0)]
one = {"distances": [{"from": ["lat", "lon"], "to": [0, 0], "output": "km"}]}
x = [column("lat", [1.0]), column("lon", [2.0])]
write([
    measured("around the world", world),
    measured("around the world, with bearings", world, bearings=True, tolerance=1e-12),
    measured("within a town", near, tolerance=1e-11),
    measured("to a fixed point", [p[:2] for p in world], to=[52.2297, 21.0122], bearings=True, tolerance=1e-12),
    measured("opposite points", [(0.0, 0.0, 0.0, 180.0), (45.0, 30.0, -45.0, -150.0), (90.0, 0.0, -90.0, 0.0)], tolerance=1e-8),
    measured("poles and the date line", [(90.0, 0.0, 0.0, 77.0), (0.0, 179.5, 0.0, -179.5), (10.0, -180.0, 10.0, 180.0)], tolerance=1e-12),
    measured("nulls, NaN, outside", gaps, bearings=True, tolerance=1e-8),
    case("compass", {"distances": [{"from": ["lat", "lon"], "to": ["b", "c"], "output": "km", "bearing": "deg"}]},
         [column("lat", [0.0] * 4), column("lon", [0.0] * 4), column("b", [1.0, 0.0, -1.0, 0.0]), column("c", [0.0, 1.0, 0.0, -1.0])],
         [column("km", [RADIUS * np.pi / 180] * 4), column("deg", [0.0, 90.0, 180.0, 270.0])], 1e-14),
    case("whole degrees, two distances of one point", {"distances": [{"from": ["lat", "lon"], "to": [0, 0], "output": "a"}, {"from": ["lat", "lon"], "to": ["lat", "lon"], "output": "b"}]},
         [column("lat", [0, 0], "int32"), column("lon", [90, -180], "int64")], [column("a", [RADIUS * np.pi / 2, RADIUS * np.pi]), column("b", [0.0, 0.0])], 1e-14),
    case("no rows", one, [column("lat", []), column("lon", [])], [column("km", [])]),
    case("outside is an error", {**one, "outside": "error"}, [column("lat", [1.0, 91.0]), column("lon", [2.0, 2.0])], error='column "lat", row 1'),
    case("a fixed point off the earth", {"distances": [{"from": ["lat", "lon"], "to": [91, 0], "output": "km"}]}, x, error="distances"),
    case("three coordinates", {"distances": [{"from": ["lat", "lon"], "to": [1, 0, 0], "output": "km"}]}, x, error="distances"),
    case("a column and a number", {"distances": [{"from": ["lat", "lon"], "to": ["lat", 0], "output": "km"}]}, x, error="distances"),
    case("no output", {"distances": [{"from": ["lat", "lon"], "to": [0, 0]}]}, x, error="output"),
    case("unknown key", {**one, "unit": "miles"}, x, error="unit"),
    case("missing column", one, x[:1], error='input column "lon" is missing'),
])
