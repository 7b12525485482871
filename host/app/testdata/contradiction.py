"""Writes contradiction.onnx: a graph that every check accepts and that makes ONNX Runtime 1.27 end the process when it runs.

It is the breast-cancer example's classifier with one class label for two rows of coefficients.
Run with the example's environment: "$(scripts/venv.sh train examples/breast-cancer/requirements.txt)" host/app/testdata/contradiction.py
"""

import pathlib

import onnx

here = pathlib.Path(__file__).parent
model = onnx.load(here.parents[2] / "examples" / "breast-cancer" / "model.onnx")
for node in model.graph.node:
    for attribute in node.attribute:
        if attribute.name == "classlabels_ints":
            del attribute.ints[1:]
(here / "contradiction.onnx").write_bytes(model.SerializeToString())
