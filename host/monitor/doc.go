// Package monitor compares current rows with a reference data set, column by column, and says whether they have drifted.
//
// A monitor names a reference and a metric plugin (PSI by default practice). Bins come from the reference's exact quantiles; the
// reference side of the metric is computed once and kept, because a metric's state can be merged; a run then reads the
// current rows alone. Every run leaves a report.
//
// The package is not for alerting or for deciding on retraining, it reads no files and runs no plugins: Datasets, Metrics
// and the stores are filled from outside.
//
// What the figures mean. PSI is Σ (r − c)·ln(r / c) over bins, with r and c the shares of reference and current rows. By the
// common rule below 0.1 is stable, 0.1 to 0.2 a moderate shift, and from 0.2 on drift; threshold is the last of these and
// "watch" begins at half of it. A distance is not a test: on samples of one law PSI is above 0.1 in 88 of 100 cases with 100
// rows a side, in 25 with 300 and in none with 1,000. Below min_rows the verdict therefore is "insufficient data".
//
// Read spec.go first, then report.go, run.go and reference.go.
package monitor
