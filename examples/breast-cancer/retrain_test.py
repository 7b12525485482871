"""Retrains in a temporary folder and compares with the committed files. Exits 1 with a list of differences.

    python retrain_test.py

Compared: the data file byte for byte; library versions (Python's own aside) and counts exactly; metrics within 1e-9; the standardize parameters
within 1e-12 relative; the committed models' probabilities, run by ONNX Runtime on all 569 rows, with the retrained models'
within 1e-6 (float32 weights may differ in their last bit from one processor to another).
"""

import json
import math
import pathlib
import sys
import tempfile

import numpy as np

import make_data
import train

METRICS = 1e-9
PARAMETERS = 1e-12
PROBABILITIES = 1e-6


def compare(path, want, got, absolute, relative, problems):
    if isinstance(want, dict) and isinstance(got, dict):
        for k in sorted(want.keys() | got.keys()):
            compare(f"{path}.{k}", want.get(k), got.get(k), absolute, relative, problems)
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (w, g) in enumerate(zip(want, got)):
            compare(f"{path}[{i}]", w, g, absolute, relative, problems)
    elif isinstance(want, float) and isinstance(got, float):
        if not math.isclose(want, got, rel_tol=relative, abs_tol=absolute):
            problems.append(f"{path}: committed {want!r}, retrained {got!r}")
    elif want != got:
        problems.append(f"{path}: committed {want!r}, retrained {got!r}")


def main():
    problems = []
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        make_data.main(tmp / "breast-cancer.csv")
        if (tmp / "breast-cancer.csv").read_bytes() != (train.HERE / "data" / "breast-cancer.csv").read_bytes():
            problems.append("data/breast-cancer.csv: make_data.py writes other bytes")
        train.train(tmp)
        for name, absolute, relative in (("metrics.json", METRICS, 0.0), ("standardize.json", 0.0, PARAMETERS)):
            want, got = (json.loads((folder / name).read_text()) for folder in (train.HERE, tmp))
            for document in (want, got):
                document.get("versions", {}).pop("python", None)
            compare(name, want, got, absolute, relative, problems)
        _, raw, _, _ = train.read(train.HERE / "data" / "breast-cancer.csv")
        params = json.loads((train.HERE / "standardize.json").read_text())["columns"]
        mean, std = (np.array([c[k] for c in params]) for k in ("mean", "std"))
        x = ((raw - mean) / std).astype(np.float32)
        for name in ("model", "worse", "better"):
            want, got = (train.predict((folder / f"{name}.onnx").read_bytes(), x)[1] for folder in (train.HERE, tmp))
            gap = float(np.abs(want - got).max())
            if not gap <= PROBABILITIES:
                problems.append(f"{name}.onnx: probabilities differ by {gap} from the retrained model's")
    if problems:
        sys.exit("retraining does not give what is committed:\n  " + "\n  ".join(problems))
    print("retrained: data, metrics, parameters and predictions are those committed")


if __name__ == "__main__":
    main()
