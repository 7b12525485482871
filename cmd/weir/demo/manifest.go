package demo

import (
	"fmt"
	"strings"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
)

// The manifests that the demo applies, as a user would write them. JSON parameters are YAML as they are.

func object(kind, name, spec string) string {
	return fmt.Sprintf("apiVersion: weir.dev/v1\nkind: %s\nmetadata: {name: %s}\nspec:\n  %s\n---\n", kind, name, strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  "))
}

func inline(json []byte) string { return strings.Join(strings.Fields(string(json)), " ") }

// standardizeFunction answers /fn/standardize with the transform alone; its pool empties after a second.
func standardizeFunction() string {
	return object("Function", "standardize", fmt.Sprintf(`
description: standardised measurements, for callers that serve them online
http: {}
transform: {plugin: standardize, parameters: %s}
idle_after: 1s`, inline(breastcancer.Standardize)))
}

// model is a served model whose rows go through the transform first.
func model(name, version, blob string) string {
	return object("Model", name, fmt.Sprintf(`
blob: %s
version: "%s"
preprocess: {plugin: standardize, parameters: %s}
batching: {max_batch_size: 64, max_queue_delay_microseconds: 200}`, blob, version, inline(breastcancer.Standardize)))
}

// scoreFunction turns measurement events into predictions. The model standardises by itself.
func scoreFunction() string {
	return object("Function", "score", `
description: a prediction for every new row
event: {stream: measurements, subject: measurements.>, batch_size: 128, max_wait: 20ms, ack_wait: 2s}
model: breast-cancer
output: {subject: predictions}`)
}

func driftMonitor() string {
	return object("Monitor", "measurements", `
description: are today's measurements those that the model was trained on?
metric: {plugin: psi}
reference: training-raw
ignore: [id, target]
bins: 10
threshold: 0.2
min_rows: 100`)
}

func promotionGate() string {
	return object("Gate", "promotion", `
description: a candidate must beat the serving model on held-out rows
plugin:
  plugin: beats-baseline
  parameters:
    metrics:
      - {name: accuracy, direction: higher, max_regression: 0.0, min_delta: 0.0}
      - {name: log_loss, direction: lower, max_regression: 0.0, min_delta: 0.0}`)
}
