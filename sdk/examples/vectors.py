"""Makes <example>/vectors.json, or with --check compares what it would make with what is there:

    "$(scripts/venv.sh train examples/breast-cancer/requirements.txt)" sdk/examples/vectors.py [--check]

Expected values come from rules.py and are meant bit for bit. Before any is written, rules.py itself is compared with scikit-learn, scipy and
numpy; cases with a tolerance hold the libraries' own values. Random data are drawn with Python's generator, and the data that scikit-learn
learns from are whole numbers whose sums are exact, so that every machine makes the same file.
"""
import datetime
import json
import pathlib
import random
import struct
import sys

import numpy as np
import scipy.special
import scipy.stats
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import rules
from rules import INF, NAN

ULP = 2.220446049250313e-16  # a relative distance: one unit in the last place, at most


def wild(n):
    """n doubles of random bits, none of them NaN."""
    drawn = (struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0] for _ in range(2 * n))
    return [v for v in drawn if v == v][:n]


EDGE = [None, NAN, INF, -INF, 0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, -2.225073858507201e-308, 1.7976931348623157e308,
        -1.7976931348623157e308, 1.0, -1.0, 0.1, None]


def json_value(v):
    if isinstance(v, float) and v != v:
        return "NaN"
    return {INF: "Infinity", -INF: "-Infinity"}.get(v, v) if isinstance(v, float) else v


def column(name, kind, values):
    return {"name": name, "type": kind, "values": [json_value(v) for v in values]}


def transform(rule, name, p, columns, kinds="float64", **more):
    """A case of a transform; kinds is the type of all columns or a list of them."""
    kinds = [kinds] * len(columns) if isinstance(kinds, str) else kinds
    case = {"name": name, "parameters": p, "input": [column(n, k, v) for (n, v), k in zip(columns.items(), kinds)]}
    return case | ({"output": [column(*c) for c in rule(p, columns)]} if not more else more)


def refused(name, p, names, text, columns=None, kinds="float64"):
    """A case that must fail with text: because of its parameters, or of its input."""
    return transform(None, name, p, columns or {names: [1.0]}, kinds, error=text)


def table():
    """What scikit-learn learns and answers: a ColumnTransformer of two numbers and two texts over 64 rows."""
    x = np.array([[float(random.randrange(-40, 90)), random.randrange(1000) * 64.0, 7.0] for _ in range(64)])
    text = np.array([[random.choice("Kraków|Łódź|Gdańsk|a b".split("|")), random.choice(["", "x", "=x", "𝄞"])] for _ in range(64)], dtype=object)
    rows = np.hstack([x.astype(object), text])
    both = ColumnTransformer([("scale", StandardScaler(), [0, 1, 2]), ("hot", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [3, 4])])
    out = both.fit_transform(rows).astype(float)
    scaler, hot = both.named_transformers_["scale"], both.named_transformers_["hot"]
    assert scaler.var_[2] == 0 and scaler.scale_[2] == 1
    std = [float(np.sqrt(v)) for v in scaler.var_]
    names = ["age", "income", "seven"]
    numbers = {"columns": [{"name": n, "mean": float(m), "std": s} for n, m, s in zip(names, scaler.mean_, std)]}
    texts = {"columns": [{"name": n, "categories": list(c)} for n, c in zip(["city", "tag"], hot.categories_)]}
    width = len(names)
    by_number = {n: [float(v) for v in x[:, i]] for i, n in enumerate(names)}
    by_text = {n: list(text[:, i]) for i, n in enumerate(["city", "tag"])}
    for got, want in ((rules.standardise(numbers, by_number), out[:, :width]), (rules.onehot(texts, by_text), out[:, width:])):
        assert [v for _, _, v in got] == want.T.tolist(), "scikit-learn answers something else"
    unknown = hot.transform(np.array([["Oslo", "x"]], dtype=object))[0].tolist()
    assert unknown == [v[0] for _, _, v in rules.onehot(texts, {"city": ["Oslo"], "tag": ["x"]})]
    return numbers, by_number, texts, by_text


def standardise(numbers, by_number):
    one = {"columns": [{"name": "x", "mean": 0.5, "std": 0.25}]}
    rule = rules.standardise
    with_key = {"columns": [{"name": "x", "mean": 0.5, "std": 0.25, "colour": 1}]}
    two = {"columns": [{"name": "x", "mean": 0, "std": 1}, {"name": "twin", "mean": 0, "std": 1}, {"name": "twin", "mean": 0, "std": 1}]}
    return [
        transform(rule, "a ColumnTransformer's StandardScaler", numbers, by_number),
        transform(rule, "columns in another order", numbers, dict(reversed(by_number.items()))),
        transform(rule, "nulls, NaN, infinities, signed zeros, subnormals", one, {"x": EDGE}),
        transform(rule, "std of 0", {"columns": [{"name": "x", "mean": 4.0, "std": 0.0}]}, {"x": [4.0, 5.0, NAN, None, -0.0]}),
        transform(rule, "parameters that need every bit", {"columns": [
            {"name": "x", "mean": 0.1 + 0.2, "std": 1.7976931348623157e308}, {"name": "y", "mean": 2.2250738585072011e-308, "std": 5e-324}]},
            {"x": [0.30000000000000004, 1e300], "y": [1e-320, 0.0]}),
        transform(rule, "random bits", {"columns": [{"name": "x", "mean": -1.5, "std": 1e-3}, {"name": "z", "mean": 1e300, "std": 1e-300}]},
                  {"x": wild(200), "z": wild(200)}),
        transform(rule, "no rows", one, {"x": []}),
        transform(rule, "a name of many bytes", {"columns": [{"name": "größe \"\\\n𝄞", "mean": 1, "std": 2}]}, {"größe \"\\\n𝄞": [1.0, 2.0]}),
        refused("an unknown key of a column", with_key, "x", "colour"),
        refused("an unknown key", one | {"colour": 1}, "x", "colour"),
        refused("a key is missing", {"columns": [{"name": "x", "mean": 0.5}]}, "x", "std"),
        refused("std below 0", {"columns": [{"name": "width", "mean": 0, "std": -1}]}, "width", "columns"),
        refused("a column twice", two, "x", "twin", {"x": [1.0], "twin": [1.0]}),
        refused("no columns", {"columns": []}, "x", "columns"),
        refused("a missing column", {"columns": two["columns"][:2]}, None, "twin", {"x": [1.0]}),
        refused("a column of another type", one, None, "x", {"x": ["1"]}, "utf8"),
        refused("a column that the parameters do not name", one, None, "other", {"x": [1.0], "other": [1.0]}),
    ]


def onehot(texts, by_text):
    rule = rules.onehot
    one = {"columns": [{"name": "city", "categories": ["Kraków", "Łódź", ""]}]}
    many = [f"c{i}" for i in range(300)]
    return [
        transform(rule, "a ColumnTransformer's OneHotEncoder", texts, by_text, "utf8"),
        transform(rule, "unknown, null, empty, a part, another normal form", one, {"city": ["Oslo", None, "", "Krak", "Krako\u0301w", "Kraków", "Łódź", "Łódź "]}, "utf8"),
        transform(rule, "further columns are passed over", one, {"n": [1.0, 2.0], "city": ["Kraków", None]}, ["float64", "utf8"]),
        transform(rule, "300 categories", {"columns": [{"name": "c", "categories": many}]}, {"c": [random.choice(many + ["c300", "c"]) for _ in range(20)]}, "utf8"),
        transform(rule, "no rows", one, {"city": []}, "utf8"),
        transform(rule, "bytes of every length", {"columns": [{"name": "s", "categories": ["\u0000", "\u007f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\"\\/"]}]},
                  {"s": ["\u0000", "\u007f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\"\\/", "\u0000\u0000"]}, "utf8"),
        refused("an unknown key", one | {"colour": 1}, None, "colour", {"city": ["a"]}, "utf8"),
        refused("a category twice", {"columns": [{"name": "twin", "categories": ["twin", "b", "twin"]}]}, None, "twin", {"twin": ["a"]}, "utf8"),
        refused("a column twice", {"columns": [{"name": "twin", "categories": ["a"]}, {"name": "twin", "categories": ["b"]}]}, None, "twin", {"twin": ["a"]}, "utf8"),
        refused("no categories", {"columns": [{"name": "city", "categories": []}]}, None, "categories", {"city": ["a"]}, "utf8"),
        refused("a missing column", one, None, "city", {"other": ["a"]}, "utf8"),
        refused("a column of another type", one, None, "city", {"city": [1.0]}),
    ]


def check_log1p():
    """rules.log1p against scipy (within two of its own roundings) and against 64-bit extended precision where the machine has it."""
    x = [random.uniform(-1, 2) for _ in range(20000)] + [10.0 ** random.uniform(-320, 308) for _ in range(20000)]
    x += [-(10.0 ** random.uniform(-320, 0)) for _ in range(20000)] + [-1 + 2.0 ** random.uniform(-53, 0) for _ in range(20000)]
    x = np.array([v for v in x if v > -1])
    got, peer = np.array([rules.log1p(float(v)) for v in x]), scipy.special.log1p(x)
    assert np.all(np.abs(got - peer) <= 2 * np.spacing(np.abs(peer)))
    if np.finfo(np.longdouble).nmant >= 63:
        true = np.log1p(x.astype(np.longdouble))
        assert np.max(np.abs(got - true) / np.spacing(np.abs(true.astype(float)))) <= 1, "more than one unit in the last place"


def clip_bucketise():
    check_log1p()
    rule, p = rules.clip_bucketise, {"column": "x", "low": 0, "high": 100, "edges": [1, 10]}
    wide = {"column": "x", "low": -0.9999999999999999, "high": 1.7976931348623157e308, "edges": [-0.5, 0, 1e-300, 1, 1e300]}
    points = [-1 + 2.0 ** -i for i in range(1, 54, 4)] + [2.0 ** i for i in range(-1074, 1024, 61)] + [-(2.0 ** -i) for i in range(2, 1075, 67)]
    near = [v for c in (1.0, 10.0, 0.4142135623730951, -0.29289321881345254, 0.5, 3.0) for v in (np.nextafter(c, -9).item(), c, np.nextafter(c, 99).item())]
    some = [random.uniform(-2, 120) for _ in range(200)]
    edges = np.array(p["edges"], dtype=float)
    clipped = np.clip(np.array(some), p["low"], p["high"])
    peers = [column("x_log1p", "float64", scipy.special.log1p(clipped).tolist()), column("x_clip", "float64", clipped.tolist()),
             column("x_bucket", "int64", np.digitize(clipped, edges).tolist())]
    ours = rule(p, {"x": some})
    assert ours[1][2] == peers[1]["values"] and ours[2][2] == peers[2]["values"]
    grid = [v / 4 for v in range(-8, 60)]
    hundred = {"column": "größe", "low": -0.5, "high": 12.5, "edges": [v / 8 for v in range(-8, 92)]}
    bad = lambda **q: p | q
    return [
        transform(rule, "nulls, NaN, infinities, signed zeros, subnormals", p, {"x": EDGE}),
        transform(rule, "the same with wide bounds", wide, {"x": EDGE}),
        transform(rule, "every size", wide, {"x": points + near}),
        transform(rule, "random", p, {"x": some}),
        transform(rule, "scipy and numpy", p, {"x": some}, output=peers, tolerance=2 * ULP),
        transform(rule, "random near 0", wide, {"x": [random.uniform(-1, 1) ** 3 for _ in range(200)]}),
        transform(rule, "random bits", wide, {"x": wild(300)}),
        transform(rule, "on a hundred edges", hundred, {"größe": grid}),
        transform(rule, "further columns are passed over", p, {"other": [0.0, 1.0], "x": [5.0, None]}),
        transform(rule, "one edge, low is high", {"column": "x", "low": 2, "high": 2, "edges": [2]}, {"x": [1.0, 2.0, NAN, None, 3.0]}),
        transform(rule, "no rows", p, {"x": []}),
        refused("an unknown key", bad(colour=1), "x", "colour"),
        refused("a key is missing", {k: v for k, v in p.items() if k != "edges"}, "x", "edges"),
        refused("low is -1", bad(low=-1), "x", "low"),
        refused("low above high", bad(low=5, high=4), "x", "low"),
        refused("edges that do not ascend", bad(edges=[1, 1]), "x", "edges"),
        refused("no edges", bad(edges=[]), "x", "edges"),
        refused("a text for a number", bad(high="100"), "x", "high"),
        refused("a missing column", p, None, "x", {"other": [1.0]}),
        refused("a column of another type", p, None, "x", {"x": [1]}, "int64"),
    ]


def cross_time():
    rule, p = rules.cross_time, {"a": "city", "b": "device", "time": "at", "buckets": 1024}
    kinds = ["utf8", "utf8", "timestamp"]
    hour, day = 3_600_000_000, 86_400_000_000

    def case(name, rows, q=p, order=None):
        columns = {q["a"]: [r[0] for r in rows], q["b"]: [r[1] for r in rows], q["time"]: [r[2] for r in rows]}
        return transform(rule, name, q, columns, kinds)

    def at(*when):
        return (datetime.datetime(*when) - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)

    for _ in range(20000):  # against Python's calendar, years 1 to 9999
        t = random.randrange(at(1, 1, 1), at(9999, 12, 31))
        w = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=t)
        assert rules.civil(t) == (w.hour, w.weekday(), w.month)
    for h in range(24):
        assert abs(rules.sin24(h) - np.sin(2 * np.pi * h / 24)) < 1e-15 and abs(rules.sin24(h + 6) - np.cos(2 * np.pi * h / 24)) < 1e-15
    assert rules.fnv1a(b"") == 0xCBF29CE484222325 and rules.fnv1a(b"foobar") == 0x85944171F73967E8  # the authors' own vectors
    days = [at(y, m, d) for y in (1, 1600, 1900, 1969, 1970, 2000, 2023, 2024, 2100, 9999) for m, d in ((1, 1), (2, 28), (3, 1), (12, 31))]
    leap = [at(y, 2, 29, 23, 59, 59, 999999) for y in (4, 1600, 1904, 1972, 2000, 2024, 2400)]
    around = [v + d for v in (0, day, -day, hour) for d in (-1, 0, 1)] + [-(2**63), 2**63 - 1, -62135596800000001]
    words = ["", "a", "ab", "b", "Łódź", "𝄞", "\u001f", "a\u001f", "Kraków"]
    random_rows = [(random.choice(words + [None]), random.choice(words), random.randrange(-(2**63), 2**63)) for _ in range(100)]
    recent = [(random.choice(words), f"d{random.randrange(99)}", random.randrange(at(2020, 1, 1), at(2027, 1, 1))) for _ in range(100)]
    large = p | {"buckets": 2147483647}
    one = ["city", "device", "at"]
    row = {"city": ["a"], "device": ["b"], "at": [0]}
    return [
        case("every hour", [("a", "b", h * hour + 1) for h in range(24)]),
        case("the epoch, its neighbours, the ends of time", [("a", "b", t) for t in around]),
        case("first and last days of months", [("a", "b", t) for t in days]),
        case("leap days", [("a", "b", t) for t in leap]),
        case("nulls", [(None, "b", None), ("a", None, 0), (None, None, 0), ("a", "b", None), ("", "", 0)]),
        case("texts of every kind", [(x, y, 0) for x in words for y in words], large),
        case("random", random_rows, large),
        case("random of these years", recent),
        case("one bucket", recent[:5], p | {"buckets": 1}),
        case("no rows", []),
        transform(rule, "columns in another order and one more", p, {"n": [1.0], "at": [hour * 7], "device": ["b"], "city": ["a"]}, ["float64", "timestamp", "utf8", "utf8"]),
        transform(None, "an unknown key", p | {"colour": 1}, row, kinds, error="colour"),
        transform(None, "no buckets", p | {"buckets": 0}, row, kinds, error="buckets"),
        transform(None, "half a bucket", p | {"buckets": 1.5}, row, kinds, error="buckets"),
        transform(None, "a column twice", p | {"b": "city"}, row, kinds, error="city"),
        transform(None, "a missing column", p, {n: row[n] for n in one[:2]}, kinds, error="at"),
        transform(None, "a column of another type", p, row, ["utf8", "utf8", "int64"], error="at"),
    ]


def metric(rule, name, p, reference, current, peer=None, tolerance=None):
    sides = {"reference": [column(p["column"], "float64", reference)], "current": [column(p["column"], "float64", current)]}
    s = rule(p, reference, current)
    if peer is not None:
        assert abs(s["value"] - peer) <= 1e-12 * max(1, abs(peer)), (name, s["value"], peer)
    if tolerance:
        s["value"] = peer
    return {"name": name, "parameters": p, **sides, "scores": [s]} | ({"tolerance": tolerance} if tolerance else {})


def metric_refused(name, p, text, kind="float64", of="x", values=(1.0, 2.0)):
    sides = {side: [column(of, kind, values)] for side in ("reference", "current")}
    return {"name": name, "parameters": p, **sides, "error": text}


def numpy_psi(edges, reference, current):
    shares = []
    for sample in (reference, current):
        s = np.bincount(np.digitize(sample, edges, right=False), minlength=len(edges) + 1) / len(sample)
        least = s[s != 0].min()
        s[s == 0] = 0.0001 if least > 0.0001 else least / 1e6
        shares.append(s)
    r, c = shares
    return float(np.sum((r - c) * np.log(r / c)))


def psi():
    rule, p = rules.psi, {"column": "x", "edges": [-1, -0.5, 0, 0.25, 1, 2.5]}
    a, b = [random.gauss(0, 1) for _ in range(400)], [random.gauss(0.4, 1.2) for _ in range(300)]
    apart = {"column": "x", "edges": [1.5, 3, 5.5]}
    holes = [None if i % 7 == 0 else NAN if i % 11 == 0 else v for i, v in enumerate(a)]
    rare = [0.0] * 10000 + [9.0]
    five = {"column": "x", "edges": [5]}
    return [
        metric(rule, "a shift", p, a, b, numpy_psi(p["edges"], a, b)),
        metric(rule, "numpy's logarithm", p, a, b, numpy_psi(p["edges"], a, b), 1e-12),
        metric(rule, "the same sample", p, a, a, 0.0),
        metric(rule, "missing values", p, holes, b + [INF, -INF, None]),
        metric(rule, "on the edges", {"column": "x", "edges": [0, 1, 2, 3]}, [0.0, -0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0], [0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0]),
        metric(rule, "empty bins on both sides", apart, [1.0, 1.0, 2.0, 2.0], [5.0, 5.0, 6.0], numpy_psi(apart["edges"], [1, 1, 2, 2], [5, 5, 6])),
        metric(rule, "a share below the filling", five, rare, [1.0, 2.0], numpy_psi([5], rare, [1, 2])),
        metric(rule, "random bits", {"column": "x", "edges": [-1e200, -1, -1e-200, 0, 1e-200, 1, 1e200]}, wild(200), wild(300)),
        metric(rule, "no reference", p, [], b),
        metric(rule, "no current value", p, a[:9], [None, NAN]),
        metric(rule, "nothing at all", p, [], []),
        metric_refused("an unknown key", p | {"colour": 1}, "colour"),
        metric_refused("edges that do not ascend", p | {"edges": [2, 1]}, "edges"),
        metric_refused("no edges", p | {"edges": []}, "edges"),
        metric_refused("a missing column", p, "x", of="other"),
        metric_refused("a column of another type", p, "x", "utf8", values=("1",)),
    ]


def ks():
    rule = rules.ks
    p = {"column": "x", "low": 0, "high": 1, "bins": 1000}
    grid = [random.randrange(1000) / 1000 for _ in range(300)], [min(random.randrange(1000), random.randrange(1000)) / 1000 for _ in range(200)]
    free = [random.random() for _ in range(300)], [random.random() ** 1.2 for _ in range(200)]
    for bins in (10, 100, 1000):  # off the grid: below scipy's by at most the heaviest bin
        q = p | {"bins": bins}
        edges = rules.ks_edges(q)
        heaviest = max(np.bincount(np.digitize(s, edges), minlength=bins + 2).max() / len(s) for s in free)
        away = scipy.stats.ks_2samp(*free).statistic - rule(q, *free)["value"]
        assert 0 <= away <= heaviest, (bins, away, heaviest)
    whole = {"column": "x", "low": -10, "high": 10, "bins": 20}
    ints = [float(random.randrange(-9, 9)) for _ in range(77)], [float(random.randrange(-7, 9)) for _ in range(33)]
    bad = lambda **q: p | q
    return [
        metric(rule, "on a grid of thousandths", p, *grid, scipy.stats.ks_2samp(*grid).statistic),
        metric(rule, "scipy on the grid", p, *grid, float(scipy.stats.ks_2samp(*grid).statistic), 1e-15),
        metric(rule, "whole numbers", whole, *ints, scipy.stats.ks_2samp(*ints).statistic),
        metric(rule, "off the grid", p, *free),
        metric(rule, "few bins", p | {"bins": 3}, *free),
        metric(rule, "edges that rounding moves", {"column": "x", "low": 0.1, "high": 0.7, "bins": 6}, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0.2, 0.30000000000000004, 0.7]),
        metric(rule, "below and above", whole, [-INF, -1e308, -10.000000000000002, 10.0, 1e308, INF, NAN, None], [-10.0, 9.999999999999998, -0.0]),
        metric(rule, "apart", p, [0.1, 0.2], [0.8, 0.9], 1.0),
        metric(rule, "the same sample", p, free[0], free[0], 0.0),
        metric(rule, "random bits", {"column": "x", "low": -1e300, "high": 1e300, "bins": 10000}, wild(200), wild(300)),
        metric(rule, "no reference", p, [], [0.5]),
        metric(rule, "no current value", p, [0.5], [None, NAN, INF]),
        metric_refused("an unknown key", bad(colour=1), "colour"),
        metric_refused("low is high", bad(low=1), "low"),
        metric_refused("no bins", bad(bins=0), "bins"),
        metric_refused("half a bin", bad(bins=1.5), "bins"),
        metric_refused("a bound out of range", bad(high=1e301), "high"),
        metric_refused("a missing column", p, "x", of="other"),
        metric_refused("a column of another type", p, "x", "int64", values=(1,)),
    ]


def gate():
    p = {"metric": "accuracy", "min": 0.9, "max_drop": 0.01}

    def case(name, candidate, baseline, q=p):
        context = {"candidate": {"name": "iris@2", "metrics": candidate}, "baseline": None if baseline is None else {"name": "iris@1", "metrics": baseline}}
        return raw(name, context, q)

    def raw(name, context, q=p):
        outcome, reasons, evidence = rules.gate(q, context)
        return {"name": name, "parameters": q, "context": context, "outcome": outcome, "reasons": reasons, "evidence": evidence}

    acc = lambda v: {"accuracy": v, "p99_ms": 12}
    free = {"metric": "größe \"x\"", "min": -1e300, "max_drop": 1e300}
    exact = {"metric": "m", "min": -5, "max_drop": 0.5}
    sizes = [0, 5e-7, 4.9999e-7, 1.5e-6, 2.5e-6, -5e-7, -4e-7, 0.1234565, 0.9999995, 999999999.9999999, 1e9, -1e9, 123456789.123456, -0.0, 1e300, 5e-324]
    return [
        case("better", acc(0.97), acc(0.95)),
        case("a little worse", acc(0.945), acc(0.95)),
        case("much worse", acc(0.92), acc(0.95)),
        case("too low", acc(0.89), acc(0.895)),
        case("too low and much worse", acc(0.8), acc(0.95)),
        case("exactly the minimum", acc(0.9), acc(0.91)),
        case("exactly the drop", {"m": 1.0}, {"m": 1.5}, exact),
        case("the drop and one bit", {"m": 0.9999999999999999}, {"m": 1.5}, exact),
        case("no baseline", acc(0.95), None),
        case("too low, no baseline", acc(0.5), None),
        case("a baseline without the metric", acc(0.95), {"other": 1}),
        case("a baseline of null", acc(0.95), acc(None)),
        case("a baseline that is a text", acc(0.95), acc("Infinity")),
        case("a candidate without the metric", {"other": 1}, acc(0.95)),
        case("a candidate of null", acc(None), acc(0.95)),
        case("a candidate that is not finite", acc("NaN"), acc(0.95)),
        case("a candidate that is a truth", acc(True), acc(0.95)),
        case("a candidate that is a list", acc([0.95]), None),
        raw("an empty context", {}),
        raw("a candidate without metrics", {"candidate": {"name": "iris@2"}, "baseline": {"metrics": acc(0.9)}}),
        raw("metrics of null", {"candidate": {"metrics": None}, "baseline": {"metrics": None}}),
        raw("a baseline whose metrics are null", {"baseline": {"metrics": None}, "candidate": {"metrics": acc(0.9)}}),
        raw("sides of null", {"candidate": None, "baseline": None}),
        raw("other members", {"now": [1, {"candidate": {}}], "candidate": {"stage": None, "metrics": acc(1), "more": {"metrics": acc(0)}}}),
    ] + [case(f"six decimals of {v!r}", {free["metric"]: v}, {free["metric"]: -v}, free) for v in sizes] + [
        {"name": "an unknown key", "parameters": p | {"colour": 1}, "context": {}, "error": "colour"},
        {"name": "a key is missing", "parameters": {"metric": "m", "min": 0}, "context": {}, "error": "max_drop"},
        {"name": "a drop below 0", "parameters": p | {"max_drop": -0.1}, "context": {}, "error": "max_drop"},
        {"name": "an empty metric", "parameters": p | {"metric": ""}, "context": {}, "error": "metric"},
    ]


def same(want, got, tolerance=0.0):
    """Equal documents; within a case's tolerance for numbers, which may come from another machine's library."""
    if isinstance(want, dict) and isinstance(got, dict):
        tolerance = want.get("tolerance", tolerance)
        return list(want) == list(got) and all(same(want[k], got[k], tolerance) for k in want)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(same(w, g, tolerance) for w, g in zip(want, got))
    if tolerance and isinstance(want, float) and isinstance(got, float):
        return abs(want - got) <= tolerance * max(1.0, abs(want))
    return type(want) is type(got) and repr(want) == repr(got)


def main():
    random.seed(20261121)
    numbers, by_number, texts, by_text = table()
    made = {
        "standardise": standardise(numbers, by_number), "onehot": onehot(texts, by_text), "log1p-clip-bucketise": clip_bucketise(),
        "cross-time": cross_time(), "psi": psi(), "ks": ks(), "gate": gate(),
    }
    stale = []
    for name, cases in made.items():
        assert len({c["name"] for c in cases}) == len(cases), f"{name}: two cases share a name"
        file = pathlib.Path(__file__).parent / name / "vectors.json"
        text = "[\n" + ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":"), allow_nan=False) for c in cases) + "\n]\n"
        if "--check" not in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
        elif not same(json.loads(file.read_text(encoding="utf-8")), json.loads(text)):
            stale.append(str(file))
        print(f"{name}: {len(cases)} cases, {len(text)} bytes")
    if stale:
        sys.exit("vectors.py would make something else: " + ", ".join(stale))


if __name__ == "__main__":
    main()
