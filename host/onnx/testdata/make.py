"""Writes this folder's models and vectors.json. Run with the example's locked environment:

    $(scripts/venv.sh train examples/breast-cancer/requirements.txt) host/onnx/testdata/make.py

types.onnx    one input and one output of each element type, [-1, 2], copied
scalar.onnx   x FP32 [-1] -> its sum, a scalar, and x doubled
gather.onnx   picks rows of a table of 3: an index of 3 or more fails inside the run
spin.onnx     loops n times, n an INT64 scalar: something to cancel
sequence.onnx an output that is a sequence, which is no tensor
vectors.json  40 rows of the breast-cancer table through each model, as ONNX Runtime's Python package answers
"""

import csv
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper as h

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parents[2] / "examples" / "breast-cancer"


def save(name, nodes, inputs, outputs, initializers=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 21)], ir_version=10, producer_name="weir")
    onnx.checker.check_model(model, full_check=True)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def value(name, kind, shape):
    return h.make_tensor_value_info(name, kind, shape)


def models():
    kinds = {
        "FP32": T.FLOAT, "FP64": T.DOUBLE, "FP16": T.FLOAT16, "BF16": T.BFLOAT16, "INT8": T.INT8, "INT16": T.INT16,
        "INT32": T.INT32, "INT64": T.INT64, "UINT8": T.UINT8, "UINT16": T.UINT16, "UINT32": T.UINT32,
        "UINT64": T.UINT64, "BOOL": T.BOOL, "BYTES": T.STRING,
    }
    save("types", [h.make_node("Identity", [k], [k + "_out"]) for k in kinds],
         [value(k, t, ["n", 2]) for k, t in kinds.items()], [value(k + "_out", t, ["n", 2]) for k, t in kinds.items()])
    save("scalar", [h.make_node("ReduceSum", ["x"], ["sum"], keepdims=0), h.make_node("Add", ["x", "x"], ["twice"])],
         [value("x", T.FLOAT, ["n"])], [value("sum", T.FLOAT, []), value("twice", T.FLOAT, ["n"])])
    save("gather", [h.make_node("Gather", ["table", "index"], ["row"])], [value("index", T.INT64, ["n"])],
         [value("row", T.FLOAT, ["n", 2])], [h.make_tensor("table", T.FLOAT, [3, 2], [0, 1, 10, 11, 20, 21])])
    body = h.make_graph(
        [h.make_node("Identity", ["cond_in"], ["cond_out"]), h.make_node("Add", ["acc_in", "acc_in"], ["acc_out"])], "body",
        [value("i", T.INT64, []), value("cond_in", T.BOOL, []), value("acc_in", T.FLOAT, [1])],
        [value("cond_out", T.BOOL, []), value("acc_out", T.FLOAT, [1])])
    save("spin", [h.make_node("Loop", ["n", "", "start"], ["end"], body=body)],
         [value("n", T.INT64, []), value("start", T.FLOAT, [1])], [value("end", T.FLOAT, [1])])
    save("sequence", [h.make_node("SequenceConstruct", ["x", "x"], ["pair"])], [value("x", T.FLOAT, ["n"])],
         [h.make_tensor_sequence_value_info("pair", T.FLOAT, None)])


def vectors():
    with (EXAMPLE / "data" / "breast-cancer.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))[::15]
    params = json.loads((EXAMPLE / "standardize.json").read_text())["columns"]
    raw = np.array([[float(r[c["name"]]) for c in params] for r in rows])
    mean, std = (np.array([c[k] for c in params]) for k in ("mean", "std"))
    x = ((raw - mean) / std).astype(np.float32)
    out = {"raw": raw.tolist(), "features": x.tolist(), "models": {}}
    for name in ("model", "worse", "better"):
        s = onnxruntime.InferenceSession(str(EXAMPLE / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        label, p = s.run(["label", "probabilities"], {"features": x})
        out["models"][name] = {"label": label.tolist(), "probabilities": p.tolist()}
    (HERE / "vectors.json").write_text(json.dumps(out) + "\n")


models()
vectors()
