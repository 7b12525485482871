# Writes psi_vectors.json: two samples and the PSI of each column, computed with numpy alone.
# Run it with any numpy 2:  python psi_vectors.py > psi_vectors.json
# The rules are Evidently 0.7's (get_binned_data with fill_zeroes) over the reference's deciles; a column whose deciles
# coincide in one value gets a second edge right above it.
import json
import sys

import numpy as np

rng = np.random.default_rng(20260817)
N, M = 600, 450
ref = {
    "same": rng.normal(0, 1, N),
    "shifted": rng.normal(0, 1, N),
    "wider": rng.normal(10, 2, N),
    "counts": rng.poisson(2, N).astype(float),
    "zeros": np.where(rng.random(N) < 0.97, 0.0, rng.exponential(1, N)),
    "constant": np.full(N, 5.0),
    "holes": np.where(rng.random(N) < 0.2, np.nan, rng.uniform(-1, 1, N)),
    "outside": rng.uniform(0, 1, N),
}
cur = {
    "same": rng.normal(0, 1, M),
    "shifted": rng.normal(1.2, 1, M),
    "wider": rng.normal(10, 3.2, M),
    "counts": rng.poisson(2.4, M).astype(float),
    "zeros": np.where(rng.random(M) < 0.8, 0.0, rng.exponential(1, M)),
    "constant": np.where(rng.random(M) < 0.9, 5.0, 6.0),
    "holes": np.where(rng.random(M) < 0.1, np.nan, rng.uniform(-1, 1, M)),
    "outside": rng.uniform(3, 4, M),
}


def edges(x, bins=10):
    x = x[~np.isnan(x)]
    e = np.unique(np.quantile(x, [(k + 1) / bins for k in range(bins - 1)]))
    return np.append(e, np.nextafter(e[0], np.inf)) if len(e) == 1 else e


def shares(x, e):
    x = x[np.isfinite(x)]
    return np.bincount(np.digitize(x, e), minlength=len(e) + 1) / len(x)


def fill(p):
    least = p[p > 0].min()
    return np.where(p == 0, least / 1e6 if least <= 0.0001 else 0.0001, p)


def psi(r, c):
    e = edges(r)
    p, q = fill(shares(r, e)), fill(shares(c, e))
    return e, float(np.sum((p - q) * np.log(p / q)))


def plain(x):
    return [None if np.isnan(v) else float(v) for v in x]


out = {"reference": {k: plain(v) for k, v in ref.items()}, "current": {k: plain(v) for k, v in cur.items()}, "want": {}}
for k in ref:
    e, v = psi(ref[k], cur[k])
    out["want"][k] = {"edges": [float(x) for x in e], "psi": v}
json.dump(out, sys.stdout, separators=(",", ":"))
print()
