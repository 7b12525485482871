// Package examples holds the seven example plugins, each in every language of the SDK, and the test that all of them follow SPEC.md and
// give the same answers, bit for bit. It has no code of its own: read SPEC.md, then the folder of an example.
package examples
