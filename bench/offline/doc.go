// Package offline measures plugins as SQL functions: what a row costs in DuckDB alone, through a Go function, and through
// a WebAssembly module, in one run and one table:
//
//	go test ./bench/offline -run '^$' -bench . -benchtime 3x
//
// Its test proves on the way that SQL and the direct call give the same bits. It is not a part of the product; read
// offline_test.go.
package offline
