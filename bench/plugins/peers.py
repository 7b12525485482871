"""The peers of bench/plugins that run in Python: numpy, and wasmtime running weir's C example by the batch ABI (sdk/abi/ABI.md).

Prints nanoseconds: the best of several rounds of (x - mean) / std over rows x cols float64."""

import ctypes
import json
import struct
import sys
import time

import numpy as np
import wasmtime

module, rows, cols, rounds = sys.argv[1], *map(int, sys.argv[2:5])
CHUNK = 8192
data = [3 * np.sin(np.arange(rows, dtype=np.float64) * cols + c) for c in range(cols)]
out = [np.empty(rows) for _ in range(cols)]


def best(f):
    f()
    repeat, took = 1, []
    began = time.perf_counter_ns()
    f()
    repeat = max(1, 2_000_000 // max(time.perf_counter_ns() - began, 1))
    for _ in range(rounds):
        began = time.perf_counter_ns()
        for _ in range(repeat):
            f()
        took.append((time.perf_counter_ns() - began) // repeat)
    return min(took)


def with_numpy():
    for x, y in zip(data, out):
        np.subtract(x, 0.25, out=y)
        np.divide(y, 1.5, out=y)


engine = wasmtime.Engine()
store = wasmtime.Store(engine)
linker = wasmtime.Linker(engine)
linker.define_wasi()
store.set_wasi(wasmtime.WasiConfig())
instance = linker.instantiate(store, wasmtime.Module.from_file(engine, module))
exports = instance.exports(store)
memory = exports["memory"]
exports["_initialize"](store)


def alloc(n):
    return exports["weir_alloc"](store, n)


params = json.dumps({"columns": [{"name": f"c{c}", "mean": 0.25, "std": 1.5} for c in range(cols)]}).encode()
p = alloc(len(params))
memory.write(store, params, p)
assert exports["weir_init"](store, p, len(params)) == 0
n = min(CHUNK, rows)
names = b"".join(f"c{c}".encode().ljust(8, b"\0") for c in range(cols))
at = alloc(32 + 32 * cols + len(names) + 8 * n * cols)
descriptors, text = at + 32, at + 32 + 32 * cols
values = text + len(names)
head = struct.pack("<IHHIIIIQ", 0x31544257, 1, 0, n, cols, descriptors, 0, 0)
for c in range(cols):
    head += struct.pack("<B3xIIIIIII", 5, 0, text + 8 * c, len(f"c{c}"), 0, 0, values + 8 * n * c, 8 * n)
memory.write(store, head + names, at)
transform = exports["weir_transform"]


def with_wasmtime():
    for begin in range(0, rows, n):
        base = ctypes.addressof(memory.data_ptr(store).contents)
        for c in range(cols):
            ctypes.memmove(base + values + 8 * n * c, data[c].ctypes.data + 8 * begin, 8 * n)
        answer = transform(store, at)
        base = ctypes.addressof(memory.data_ptr(store).contents)
        first = struct.unpack_from("<I", (ctypes.c_char * 4).from_address(base + answer + 16))[0]
        for c in range(cols):
            pointer = struct.unpack_from("<I", (ctypes.c_char * 4).from_address(base + first + 32 * c + 24))[0]
            ctypes.memmove(out[c].ctypes.data + 8 * begin, base + pointer, 8 * n)


with_numpy()
want = [y.copy() for y in out]
with_wasmtime()
assert all(np.array_equal(a, b) for a, b in zip(want, out)), "the guest's results differ"
print(json.dumps({"numpy": best(with_numpy), "wasmtime": best(with_wasmtime)}))
