// Package plugin runs uploaded WebAssembly modules: it validates and compiles them, keeps their machine code on disk by
// digest, pools their instances, moves batches in and out of their memory, and stops what runs too long or grows too large.
//
// Guests are untrusted. A module may import WASI preview 1, of which it gets no files, no arguments, no environment, no
// network, and a clock and random numbers that are the same in every run, and weir:host, of which it gets what it was granted
// (grants.go, hostcalls.go): nothing unless Open says so. Its memory, its time and its fuel are bounded (limits.go); what it
// returns is checked before it is read. Parameters are checked against the schema that it describes (parameters.go). After any
// error the instance is thrown away, since its state may be half updated.
//
// Known edges: recursion that keeps nothing in linear memory may use up to 400 MB of native stack (a constant of wazero's) before
// it is stopped, and a single bulk memory instruction, charged before it begins and not begun when it would end late, runs to its end; both are short. Modules are rewritten to be
// stoppable (fuel), which adds a few percent to batches in C and makes the first compilation of a Go guest slower.
//
// Modules of Extism's development kits run as handlers and gates (extism.go), under the same rules.
//
// The package knows nothing of what plugins are for: which plugin prepares which model is the business of the domain rooms.
// It is the only package that imports wazero.
//
// Read host.go first, then plugin.go and transform.go (what callers do), pool.go and instance.go (how), and sdk/abi/ABI.md for the contract
// with guests.
package plugin
