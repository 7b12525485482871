"""Trains the example's three models and writes them with their metrics.

    python train.py [--out FOLDER]

Files written to FOLDER (default: this one): standardize.json, the parameters of the standardize plugin, taken from the
train split (population standard deviation, as scikit-learn's StandardScaler); model.onnx, worse.onnx and better.onnx;
metrics.json. Every model maps "features", float32 [N, 30] of standardized measurements in the CSV's column order, to
"label", int64 [N], and "probabilities", float32 [N, 2] (malignant, benign). Standardizing is not part of the models.

All three are trained honestly and only on the train split; they differ in what they were given:
  model   strongly regularised logistic regression on all columns: the first version, good and not the best
  worse   logistic regression on three weak columns of 60 rows: really worse on rows it never saw
  better  logistic regression with less regularisation: better than model on rows it never saw

The solver is Newton's with a tight tolerance, which ends at the optimum itself, so the metrics do not depend on the machine.
"""

import argparse
import csv
import json
import pathlib
import platform

import numpy as np
import onnx
import onnxruntime
import skl2onnx
import sklearn
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).resolve().parent
SEED = 42
OPSET = 21
WEAK = ["mean_texture", "mean_smoothness", "mean_symmetry"]
FEW = 60


def read(path):
    """Returns names, float64 features [rows, 30], int64 targets and the mask of train rows."""
    with path.open(newline="") as f:
        rows = list(csv.DictReader(f))
    names = [n for n in rows[0] if n not in ("id", "target", "split")]
    x = np.array([[float(r[n]) for n in names] for r in rows])
    y = np.array([int(r["target"]) for r in rows])
    return names, x, y, np.array([r["split"] == "train" for r in rows])


def logistic(c):
    return LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=1000, random_state=SEED)


def export(model, classifier, columns, name):
    proto = to_onnx(
        model,
        initial_types=[("features", FloatTensorType([None, columns]))],
        final_types=[("label", Int64TensorType([None])), ("probabilities", FloatTensorType([None, 2]))],
        options={id(classifier): {"zipmap": False}},
        target_opset=OPSET,
        name=name,
    )
    # skl2onnx lists the operator sets in the order of a Python set: sorted, the same model is the same bytes.
    opsets = sorted(proto.opset_import, key=lambda o: o.domain)
    del proto.opset_import[:]
    proto.opset_import.extend(opsets)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True)


def predict(blob, x):
    """Runs the ONNX bytes; x is float32 [rows, 30]. Returns label [rows] and probabilities [rows, 2]."""
    session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
    return session.run(["label", "probabilities"], {"features": x})


def train(out):
    names, raw, y, is_train = read(HERE / "data" / "breast-cancer.csv")
    scaler = StandardScaler().fit(raw[is_train])
    x = scaler.transform(raw).astype(np.float32)  # what a server gives the model
    x_train, y_train, x_test, y_test = x[is_train], y[is_train], x[~is_train], y[~is_train]
    some = np.random.default_rng(SEED).permutation(len(y_train))[:FEW]
    every = slice(None)

    plain, few, full = logistic(0.001), logistic(1.0), logistic(0.1)
    weak = [names.index(n) for n in WEAK]
    candidates = {
        "model": (plain, plain, every, names),
        "worse": (Pipeline([("columns", ColumnTransformer([("keep", "passthrough", weak)])), ("classifier", few)]), few, some, WEAK),
        "better": (full, full, every, names),
    }

    out.mkdir(parents=True, exist_ok=True)
    models = {}
    for name, (model, classifier, rows, columns) in candidates.items():
        model.fit(x_train[rows].astype(np.float64), y_train[rows])
        blob = export(model, classifier, len(names), f"breast_cancer_{name}")
        (out / f"{name}.onnx").write_bytes(blob)
        p = model.predict_proba(x_test.astype(np.float64))
        label, probabilities = predict(blob, x_test)
        gap = float(np.abs(probabilities - p).max())
        if gap > 1e-6 or not np.array_equal(label, model.predict(x_test.astype(np.float64))):
            raise SystemExit(f"{name}.onnx does not answer as the model it was made from: probabilities differ by {gap}")
        models[name] = {
            "file": f"{name}.onnx",
            "train_rows": len(y_train[rows]),
            "columns_used": len(columns),
            "regularisation_c": classifier.C,
            "held_out": {
                "accuracy": float(accuracy_score(y_test, model.predict(x_test.astype(np.float64)))),
                "log_loss": float(log_loss(y_test, p)),
                "roc_auc": float(roc_auc_score(y_test, p[:, 1])),
            },
        }

    params = [{"name": n, "mean": float(m), "std": float(s)} for n, m, s in zip(names, scaler.mean_, scaler.scale_)]
    write(out / "standardize.json", {"columns": params})
    write(out / "metrics.json", {
        "seed": SEED,
        "train_rows": int(is_train.sum()),
        "held_out_rows": int((~is_train).sum()),
        "versions": {
            "python": ".".join(platform.python_version_tuple()[:2]),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "skl2onnx": skl2onnx.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "models": models,
    })


def write(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    args = argparse.ArgumentParser(description="Train the breast-cancer example's models.")
    args.add_argument("--out", type=pathlib.Path, default=HERE)
    train(args.parse_args().out)
