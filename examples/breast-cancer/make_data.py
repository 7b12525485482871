"""Writes data/breast-cancer.csv: scikit-learn's breast-cancer table with a row number and a fixed train/test split.

    python make_data.py [OUTPUT.csv]

Columns: id (0..568, the row's place in scikit-learn's table), 30 measurements in snake_case, target (0 = malignant,
1 = benign), split (train or test; 30 % held out, stratified by target, seed 42). Floats are written with the fewest digits
that read back to the same bits, so that the file is the same on every machine.
"""

import csv
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

SEED = 42
HELD_OUT = 0.3


def main(out):
    table = load_breast_cancer()
    names = [n.replace(" ", "_") for n in table.feature_names]
    rows = np.arange(len(table.target))
    _, test = train_test_split(rows, test_size=HELD_OUT, stratify=table.target, random_state=SEED)
    held_out = set(test.tolist())
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["id", *names, "target", "split"])
        for i in rows.tolist():
            split = "test" if i in held_out else "train"
            w.writerow([i, *(repr(float(v)) for v in table.data[i]), int(table.target[i]), split])


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "data" / "breast-cancer.csv")
