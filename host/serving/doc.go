// Package serving keeps models loaded and answers requests with them: it swaps versions without a gap, gathers concurrent
// requests into batches, and turns rows of features into predictions through pre- and post-processing plugins.
//
// It is not for running ONNX or wasm (it declares Loader and Plugins, which host/app fills), for wire formats (edges) or for
// which version ought to serve (gates and the registry decide, and call Apply).
// Read spec.go and ports.go first, then service.go (the life cycle), batcher.go (the queue) and predict.go (rows to answers).
package serving
