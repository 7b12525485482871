// Package predict is the edge for plain JSON predictions: /models/{name}/predict, /predict and /ping.
//
// It is not for other serving protocols, which have rooms of their own, nor for what a prediction is (host/serving).
// Read predict.go for the routes and decode.go for the hot path's parser.
package predict
