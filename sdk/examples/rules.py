"""SPEC.md in Python: one IEEE operation after the other, as it is written there. vectors.py makes the vectors with it, after it has
compared it with scikit-learn, scipy and numpy."""
import math
import struct

NAN, INF = float("nan"), float("inf")
LN2_HI, LN2_LO = float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33")
L1, L2, L3, L4, L5, L6, L7 = (float.fromhex(x) for x in (
    "0x1.5555555555593p-1", "0x1.999999997fa04p-2", "0x1.2492494229359p-2", "0x1.c71c51d8e78afp-3",
    "0x1.7466496cb03dep-3", "0x1.39a09d078c69fp-3", "0x1.2f112df3e5244p-3"))


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def double(b):
    return struct.unpack("<d", struct.pack("<Q", b))[0]


def finite(x):
    return x - x == 0


def log1p(x):
    if not x > -1:
        return -INF if x == -1 else NAN
    if x == 0 or x == INF:
        return x
    u = 1 + x
    b = bits(u) + 0x00095F619980C433
    k = (b >> 52) - 1023
    m = double((b & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD)
    e = x - (u - 1) if x < 1 else 1 - (u - x)
    c = 0.0 if k == 0 else e / u
    f = x if k == 0 else m - 1
    d = float(k)
    s = f / (2 + f)
    z = s * s
    w = z * z
    t1 = w * (L2 + w * (L4 + w * L6))
    t2 = z * (L1 + w * (L3 + w * (L5 + w * L7)))
    r = t2 + t1
    h = (0.5 * f) * f
    return (((s * (h + r) + (d * LN2_LO + c)) - h) + f) + d * LN2_HI


# Transforms take the parameters and a dict of columns (name: list, None is null) and answer a list of (name, type, list).

def standardise(p, columns):
    return [(c["name"], "float64", [None if x is None else (x - c["mean"]) / (c["std"] or 1.0) for x in columns[c["name"]]]) for c in p["columns"]]


def onehot(p, columns):
    return [(c["name"] + "=" + category, "float64", [1.0 if x == category else 0.0 for x in columns[c["name"]]])
            for c in p["columns"] for category in c["categories"]]


def clip(x, low, high):
    return low if x < low else high if x > high else x


def clip_bucketise(p, columns):
    name = p["column"]
    c = [None if x is None else clip(x, p["low"], p["high"]) for x in columns[name]]
    return [(name + "_log1p", "float64", [None if x is None else log1p(x) for x in c]),
            (name + "_clip", "float64", c),
            (name + "_bucket", "int64", [None if x is None or x != x else digitize(p["edges"], x) for x in c])]


def digitize(edges, x):
    return sum(e <= x for e in edges)


def fnv1a(data):
    h = 14695981039346656037
    for byte in data:
        h = (h ^ byte) * 1099511628211 % 2**64
    return h


# sin and cos of 2 pi h / 24, correctly rounded.
_QUARTER = [0.0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683, 1.0]


def sin24(h):
    h %= 24
    return _QUARTER[h] if h <= 6 else _QUARTER[12 - h] if h <= 12 else 0.0 - sin24(h - 12)


def civil(t):
    """Hour, day of the week (Monday is 0) and month of t microseconds since 1970."""
    day = t // 86_400_000_000
    hour = (t - day * 86_400_000_000) // 3_600_000_000
    z = day + 719468
    doe = z - z // 146097 * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    return hour, (day + 3) % 7, mp + 3 if mp < 10 else mp - 9


def cross_time(p, columns):
    a, b, time = columns[p["a"]], columns[p["b"]], columns[p["time"]]
    cross = [None if x is None or y is None else fnv1a(x.encode() + b"\x1f" + y.encode()) % p["buckets"] for x, y in zip(a, b)]
    parts = [(None, None, None) if t is None else civil(t) for t in time]
    out = [(p["a"] + "_x_" + p["b"], "int64", cross)]
    out += [(p["time"] + suffix, "int32", [v[i] for v in parts]) for i, suffix in enumerate(("_hour", "_day_of_week", "_month"))]
    out += [(p["time"] + "_hour_sin", "float64", [None if v[0] is None else sin24(v[0]) for v in parts]),
            (p["time"] + "_hour_cos", "float64", [None if v[0] is None else sin24(v[0] + 6) for v in parts])]
    return out


# Metrics take the parameters and the two samples (lists) and answer their score.

def score(name, p, edges, reference, current, value):
    sides, missing = [], []
    for sample in (reference, current):
        counts = [0] * (len(edges) + 1)
        there = [x for x in sample if x is not None and finite(x)]
        for x in there:
            counts[digitize(edges, x)] += 1
        sides.append(counts)
        missing.append(len(sample) - len(there))
    s = {"column": p["column"], "name": name, "value": None}
    if not sum(sides[0]):
        s["note"] = "the reference has no value that is not missing"
    elif not sum(sides[1]):
        s["note"] = "the current sample has no value that is not missing"
    else:
        s["value"] = value(*sides)
    s["detail"] = {"reference_count": sum(sides[0]), "current_count": sum(sides[1]), "reference_missing": missing[0], "current_missing": missing[1]}
    return s


def fill(counts):
    total = float(sum(counts))
    shares = [n / total for n in counts]
    least = min(s for s in shares if s > 0)
    zero = 0.0001 if least > 0.0001 else least / 1000000
    return [s if s > 0 else zero for s in shares]


def psi_of(reference, current):
    value = 0.0
    for r, c in zip(fill(reference), fill(current)):
        d = abs(r - c)
        value = value + d * log1p(d / min(r, c))
    return value


def psi(p, reference, current):
    return score("psi", p, p["edges"], reference, current, psi_of)


def ks_edges(p):
    return [p["low"] + (i * (p["high"] - p["low"])) / p["bins"] for i in range(p["bins"] + 1)]


def ks_of(reference, current):
    value, a, b = 0.0, 0, 0
    for r, c in zip(reference, current):
        a, b = a + r, b + c
        value = max(value, abs(a / sum(reference) - b / sum(current)))
    return value


def ks(p, reference, current):
    return score("ks", p, ks_edges(p), reference, current, ks_of)


def six(v):
    a = abs(v) * 1000000.0
    if abs(v) >= 1e9:
        return "over 999999999" if v > 0 else "under -999999999"
    n = int(a)
    if a - n >= 0.5:
        n += 1
    return ("-" if v < 0 and n else "") + f"{n // 1000000}.{n % 1000000:06}"


def figure(context, side, metric):
    v = ((context.get(side) or {}).get("metrics") or {}).get(metric)
    return float(v) if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) else None


def gate(p, context):
    """The outcome, the reasons and the evidence."""
    m, least, drop = p["metric"], p["min"], p["max_drop"]
    c, b = figure(context, "candidate", m), figure(context, "baseline", m)
    evidence = {"candidate": c, "baseline": b}
    if c is None:
        return "review", [f"the candidate has no finite {m}"], evidence
    reasons = []
    if c < least:
        reasons.append(f"{m} {six(c)} is below the minimum {six(least)}")
    if b is not None and b - c > drop:
        reasons.append(f"{m} {six(c)} drops by {six(b - c)} from the baseline {six(b)}, more than the {six(drop)} allowed")
    if reasons:
        return "fail", reasons, evidence
    if b is None:
        return "pass", [f"{m} {six(c)} is at least the minimum {six(least)}; there is no baseline"], evidence
    return "pass", [f"{m} {six(c)} is at least the minimum {six(least)} and drops by no more than {six(drop)} from the baseline {six(b)}"], evidence
