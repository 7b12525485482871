// Package kv is weir's state: an embedded NATS JetStream server with typed buckets (compare-and-swap, several keys in one
// atomic commit), streams, consumers, in-process mirrors, content-addressed blobs and leases. Every acknowledgement means
// that the bytes are fsynced; a process killed at any moment loses nothing that was acknowledged and shows no half of a commit.
//
// It is not a cache, not a query engine and not a place for domain rules: what a key means is its caller's business. No
// exported signature carries a NATS type, so the storage can be replaced inside this package.
//
// Read first: store.go (life cycle), bucket.go (keys), commit.go and write.go (the committer, on which all durability hangs), stream.go.
// The formats on disk and in headers are in docs/formats/kv.md.
package kv
