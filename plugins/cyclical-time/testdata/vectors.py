"""Computes vectors.json with Python's datetime and decimal: plugins/vectors.sh cyclical-time.

Fields are equal; sines and cosines are the doubles nearest to the true values.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import decimal
import random
from datetime import datetime, timedelta

from cases import case, column, write

decimal.getcontext().prec = 60
PI = decimal.Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
FIRST = {"hour": 0, "minute_of_day": 0, "day_of_week": 0, "day_of_month": 1, "day_of_year": 1, "month": 1, "quarter": 1}
PERIOD = {"hour": 24, "minute_of_day": 1440, "day_of_week": 7, "day_of_month": 31, "day_of_year": 366, "month": 12, "quarter": 4}
ALL = [*PERIOD, "is_weekend", "year"]
CYCLE = 146097 * 86400 * 10**6  # microseconds of 400 Gregorian years


def sin_cos(k, n):
    """The doubles nearest to sine and cosine of 2 pi k / n, by their series; exact at quarters."""
    if 4 * k % n == 0:
        return [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)][4 * k // n]
    x = 2 * PI * k / n
    sums = [decimal.Decimal(0), decimal.Decimal(0)]
    term = decimal.Decimal(1)
    for i in range(80):
        sums[i % 2] += term * (-1 if i % 4 >= 2 else 1)
        term = term * x / (i + 1)
    return float(sums[1]), float(sums[0])


def fields(t, offset):
    t += offset * 60 * 10**6
    # The calendar repeats every 400 years; datetime knows the years 1 to 9999.
    cycles, t = divmod(t, CYCLE)
    d = datetime(1970, 1, 1) + timedelta(microseconds=t)
    return {"hour": d.hour, "minute_of_day": d.hour * 60 + d.minute, "day_of_week": d.weekday(), "day_of_month": d.day, "day_of_year": d.timetuple().tm_yday,
            "month": d.month, "quarter": (d.month + 2) // 3, "is_weekend": int(d.weekday() >= 5), "year": d.year + 400 * cycles}


def taken_apart(name, times, wanted, cyclical, offset=None, output=None):
    c = {"name": "at"}
    if output:
        c["output"] = output
    if wanted:
        c["fields"] = wanted
    if cyclical:
        c["cyclical"] = cyclical
    if offset is not None:
        c["offset_minutes"] = offset
    got = [None if t is None else fields(t, offset or 0) for t in times]
    to = output or "at"
    out = [column(f"{to}_{f}", [None if g is None else g[f] for g in got], "int32") for f in wanted]
    for f in cyclical:
        points = [None if g is None else sin_cos(g[f] - FIRST[f], PERIOD[f]) for g in got]
        out += [column(f"{to}_{f}_{s}", [None if p is None else p[i] for p in points]) for i, s in enumerate(["sin", "cos"])]
    return case(name, {"columns": [c]}, [column("at", times, "timestamp")], out)


def at(*parts):
    return (datetime(*parts) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


rng = random.Random(6)
turns = [0, -1, 1, at(2024, 2, 29), at(2024, 12, 31, 23, 59, 59, 999999), at(2023, 3, 1), at(2000, 2, 29, 12), at(1900, 2, 28, 23, 59, 59), at(1900, 3, 1),
         at(1969, 12, 31, 23), at(1, 1, 1), at(9999, 12, 31), at(2100, 2, 28), at(2100, 3, 1), at(2024, 3, 31, 1), None]
spread = [rng.randrange(at(1800, 1, 1), at(2200, 1, 1)) for _ in range(60)]
far = [2**63 - 1, -(2**63), *[rng.randrange(-(2**63), 2**63) for _ in range(30)]]
step = 86400 * 10**6
year = [at(2024, 1, 1) + i * step for i in range(366)]
hours = [at(2024, 1, 1) + i * 3600 * 10**6 for i in range(24)]
x = [column("at", [0], "timestamp")]
write([
    taken_apart("turns of the calendar", turns, ALL, []),
    taken_apart("spread over four centuries", spread, ALL, []),
    taken_apart("all of int64", far, ALL, []),
    taken_apart("east", [*turns, *far], ALL, [], 330),
    taken_apart("west", [*turns, *far], ALL, [], -570),
    taken_apart("circles of hours", [*hours, None], ["hour"], ["hour"]),
    taken_apart("circles of weekdays and months", year, [], ["day_of_week", "month", "quarter"]),
    taken_apart("circles of days", year, ["is_weekend"], ["day_of_year", "day_of_month"]),
    taken_apart("circle of minutes", [at(2024, 5, 5) + i * 60 * 10**6 for i in range(1440)], [], ["minute_of_day"]),
    taken_apart("another name", turns, ["month", "hour"], ["hour"], 60, output="when"),
    taken_apart("no rows", [], ["hour"], ["month"]),
    case("nothing asked for", {"columns": [{"name": "at"}]}, x, error="fields"),
    case("unknown field", {"columns": [{"name": "at", "fields": ["week"]}]}, x, error="week"),
    case("a circle of years", {"columns": [{"name": "at", "cyclical": ["year"]}]}, x, error="year"),
    case("a field twice", {"columns": [{"name": "at", "fields": ["hour", "hour"]}]}, x, error="fields"),
    case("offset of a fraction", {"columns": [{"name": "at", "fields": ["hour"], "offset_minutes": 0.5}]}, x, error="offset_minutes"),
    case("offset too far", {"columns": [{"name": "at", "fields": ["hour"], "offset_minutes": 1441}]}, x, error="offset_minutes"),
    case("unknown key", {"columns": [{"name": "at", "fields": ["hour"], "zone": "CET"}]}, x, error="zone"),
    case("no timestamp", {"columns": [{"name": "at", "fields": ["hour"]}]}, [column("at", [0], "int64")], error='input column "at" is int64, it must be timestamp'),
])
