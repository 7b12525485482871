// Package functions runs user logic on requests and on events: a function is a plugin (of world handler or transform), a
// model, or a transform followed by a model, with an HTTP trigger, an event trigger, or both.
//
// An HTTP function answers a request. An event function takes messages from a stream in batches, computes them together, and
// puts the results and one "processed" marker for each input into its own stream in one atomic write; only then are the
// inputs acknowledged. A redelivered input whose marker is there is acknowledged and nothing else, so each input has exactly
// one result or one dead letter, whatever is killed and whenever. One bad message never fails its neighbours.
//
// The package is not for running plugins or models (Plugins and Predictor stand for those), it knows no storage (Events
// stands for it), and it keeps no resources: whoever owns the manifests calls Apply and Remove.
//
// Read spec.go first, then ports.go for what is asked of the outside, then service.go, steps.go and loop.go. What an event
// function writes is described in docs/formats/functions.md.
package functions
