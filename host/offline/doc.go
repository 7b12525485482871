// Package offline runs SQL over files: it imports CSV and Parquet with types inferred, answers queries as Parquet or as
// columnar batches, computes exact quantiles, and lets plugins act as vectorised SQL functions. DuckDB does the work, in
// this process; no other package imports its driver.
//
// Each call gets a DuckDB instance of its own (about 20 ms to open), locked before a user's SQL is even parsed: the SQL
// reads the call's sources and nothing else, writes nothing, loads no extension and changes no setting, and the functions
// of one query do not exist for another.
//
// It is not an online store (a point lookup costs a whole instance), and it knows nothing of datasets, versions or
// plugins: host/datasets names things, and a Transformer is whatever the caller hands in.
//
// Read engine.go first, then query.go; rawudf.go and vectors.go hold everything that touches DuckDB's memory.
package offline
