// Package onnx runs ONNX models natively through ONNX Runtime, on the CPU or an NVIDIA GPU. It turns model bytes into a
// Session and tensors into tensors, and is the one place where ONNX Runtime and NVML are touched.
//
// A model is not sandboxed as a plugin is: it is trusted like the program itself. ONNX Runtime refuses files that are no valid
// graph, but a few of its operators end the process when their attributes contradict each other (seen with 1.27: a LinearClassifier
// with fewer class labels than rows of coefficients). The composition root therefore runs each new model once in a process of its own.
//
// It is not for batching, versions, pre-processing or which model answers a request: host/serving decides that.
// Read runtime.go first (load a model), then session.go (run it), tensor.go (types), library.go (where the shared library is
// looked for) and device.go (CPU or CUDA).
package onnx
