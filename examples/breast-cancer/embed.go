// Package breastcancer embeds the breast-cancer example: its table, its three ONNX models, the standardize plugin's
// parameters and the metrics of training. The demo and tests read them from here, so that neither needs a checkout.
//
// It holds bytes and nothing else: reading, training and serving happen elsewhere. README.md says what each file is.
package breastcancer

import _ "embed"

// CSV is the table: id, 30 measurements in snake_case, target (0 malignant, 1 benign), split (train, test); 569 rows.
//
//go:embed data/breast-cancer.csv
var CSV []byte

// Model is the first version's ONNX bytes: features FP32 [N, 30] → label INT64 [N], probabilities FP32 [N, 2].
//
//go:embed model.onnx
var Model []byte

// WorseModel has Model's signature and is worse on held-out rows.
//
//go:embed worse.onnx
var WorseModel []byte

// BetterModel has Model's signature and is better on held-out rows.
//
//go:embed better.onnx
var BetterModel []byte

// Standardize is the parameters document of the standardize plugin: {"columns":[{"name","mean","std"}, …]} in the models'
// column order.
//
//go:embed standardize.json
var Standardize []byte

// Metrics is what training measured: seed, library versions and held-out figures by model, as JSON.
//
//go:embed metrics.json
var Metrics []byte
