// Package fuel makes WebAssembly modules stoppable and billable. Rewrite adds to a module, once, at upload, instructions that
// burn a 64-bit counter: so many units per basic block, tested at loop headers and function entries. When the counter falls
// below zero the guest calls the host, which grants the next slice or stops it: the guest's budget, the caller's context
// and the deadline all act there, and Go's garbage collector gets its turn. A Meter is the host's end, one per instance.
//
// The same module with the same input burns the same units on every machine and in every run, whatever the slice, and is
// stopped at the same instruction. What a unit buys is fixed by the cost table of a numbered version (Version).
//
// The package does not compile, pool or call modules: that is the business of host/plugin. It is not a sandbox either: memory
// and imports are bounded elsewhere. docs/formats/fuel.md is the page for people.
//
// Read rewrite.go first (the sections), then scan.go (where charges go) with frames.go, live.go (which locals refill hands through), emit.go (what is written) and meter.go (the host's end).
package fuel
