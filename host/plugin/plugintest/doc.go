// Package plugintest runs a module on test vectors, and checks properties that hold for every good plugin: the same answers for
// any chunk size, in every instance, for single rows as for batches, and for any split and merge order of a metric.
//
// Vectors are a JSON array of cases (Read, docs/formats/vectors.md) or pairs of CSV files (ReadCSV). Built-in plugins, the
// examples of every SDK, and `weir plugin test` share this one format and this one runner.
//
// It is not for judging speed or limits: host/plugin's own tests and benchmarks do that. Read case.go first, then run.go and
// properties.go.
package plugintest
