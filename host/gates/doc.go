// Package gates judges a candidate against a baseline before it is promoted: a gate is a plugin of world gate with its
// parameters, an evaluation is one question to it, and a decision is the answer with the exact evidence it rests on.
// A decision is stored, and the store has acknowledged it, before anybody sees it.
//
// The package is not for moving stages or aliases (the registry does, on a pass), and it computes no metrics: the caller
// brings the figures. It knows neither the plugin engine nor the storage; Judges and Store are filled from outside.
//
// A gate that cannot judge (its plugin traps, runs out of time or answers nonsense) is never a pass: Evaluate returns an
// error, and a decision of outcome "error" says why.
//
// Read spec.go first, then decision.go, then service.go.
package gates
