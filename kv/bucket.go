package kv

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weir-ml/weir/host/errs"
)

const (
	bucketStream = "KV_" // + bucket: the stream's name, as every NATS client expects it
	maxHistory   = 64
)

func subjectPrefix(bucket string) string { return "$KV." + bucket + "." }

// BucketConfig describes a bucket.
type BucketConfig struct {
	Name     string // letters, digits, '-' and '_'
	History  uint8  // revisions kept per key, 1 (default) to 64
	MaxBytes int64  // of the whole bucket; 0 = the disk is the limit. A full bucket refuses writes with errs.Exhausted
}

// Entry is one revision of a key.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64 // sequence in the bucket: grows with every write to any key
	Created  time.Time
	Deleted  bool // a delete marker; only History returns those
}

// Op is one write of a Commit. The zero Expect is Any.
type Op struct {
	Key    string
	Value  []byte
	Delete bool // write a delete marker; Value must be nil
	Expect Expect
}

// Bucket is a set of keys with revisions. To other NATS clients it is an ordinary key-value bucket. Values that are passed in must
// not be changed before the call returns; values that are returned belong to the caller. Safe for concurrent use.
type Bucket struct {
	store  *Store
	name   string
	stream string
	prefix string
	writer *committer
}

// Bucket opens a bucket, making it at the first call. On an existing bucket, a History or MaxBytes that is not zero and differs is
// changed; zero keeps what is there.
func (s *Store) Bucket(ctx context.Context, c BucketConfig) (*Bucket, error) {
	if err := checkName("bucket", c.Name); err != nil {
		return nil, err
	}
	if c.History > maxHistory {
		return nil, errs.New(errs.Invalid, "bucket %s: History %d must be at most %d", c.Name, c.History, maxHistory)
	}
	if c.MaxBytes < 0 {
		return nil, errs.New(errs.Invalid, "bucket %s: MaxBytes %d must not be negative", c.Name, c.MaxBytes)
	}
	want := jetstream.StreamConfig{
		Name:               bucketStream + c.Name,
		Subjects:           []string{subjectPrefix(c.Name) + ">"},
		MaxMsgsPerSubject:  int64(max(c.History, 1)),
		MaxBytes:           unlimited(c.MaxBytes),
		MaxMsgSize:         -1,
		MaxMsgs:            -1,
		MaxConsumers:       -1,
		Storage:            jetstream.FileStorage,
		Replicas:           1,
		AllowRollup:        true, // nats.go's Purge
		DenyDelete:         true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Discard:            jetstream.DiscardNew,
		Duplicates:         2 * time.Minute,
	}
	_, err := s.ensureStream(ctx, want, func(have *jetstream.StreamConfig) bool {
		changed := !have.AllowAtomicPublish || !have.AllowDirect
		have.AllowAtomicPublish, have.AllowDirect = true, true
		if c.History != 0 && have.MaxMsgsPerSubject != want.MaxMsgsPerSubject {
			have.MaxMsgsPerSubject, changed = want.MaxMsgsPerSubject, true
		}
		if c.MaxBytes != 0 && have.MaxBytes != want.MaxBytes {
			have.MaxBytes, changed = want.MaxBytes, true
		}
		return changed
	})
	if err != nil {
		return nil, s.opError("open bucket "+c.Name, err)
	}
	w, err := s.committerOf(want.Name, true)
	if err != nil {
		return nil, err
	}
	return &Bucket{store: s, name: c.Name, stream: want.Name, prefix: subjectPrefix(c.Name), writer: w}, nil
}

// DeleteBucket removes a bucket with all it holds, or answers errs.NotFound.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	if err := checkName("bucket", name); err != nil {
		return err
	}
	return s.deleteStream(ctx, bucketStream+name, "bucket "+name)
}

func unlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

// Name returns the bucket's name.
func (b *Bucket) Name() string { return b.name }

// Get returns a key's present value, or errs.NotFound.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	if err := CheckKey(key); err != nil {
		return Entry{}, err
	}
	m, err := b.store.getOne(ctx, b.stream, directRequest{Last: b.prefix + key})
	if errors.Is(err, errNoMessage) || err == nil && isMarker(m.header) {
		return Entry{}, errs.New(errs.NotFound, "bucket %s has no key %q", b.name, key)
	}
	if err != nil {
		return Entry{}, kinded("get "+b.name+"/"+key, err)
	}
	return b.entry(m), nil
}

func (b *Bucket) entry(m stored) Entry {
	return Entry{Key: strings.TrimPrefix(m.subject, b.prefix), Value: m.data, Revision: m.seq, Created: m.time, Deleted: isMarker(m.header)}
}

// Put stores a value whatever was there and returns its revision.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.Commit(ctx, Op{Key: key, Value: value})
}

// Create stores the value of a key that has none, or answers errs.Exists (ErrExists).
func (b *Bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	rev, err := b.Commit(ctx, Op{Key: key, Value: value, Expect: Absent})
	if errors.Is(err, ErrExists) {
		return 0, errs.New(errs.Exists, "bucket %s: %w: %q", b.name, ErrExists, key)
	}
	return rev, err
}

// Update stores a value if the key's last revision is rev (0 = the key has no value), or answers ErrStale.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	return b.Commit(ctx, Op{Key: key, Value: value, Expect: Revision(rev)})
}

// Delete writes a delete marker if the key's last revision is rev (0 = any), or answers ErrStale. Deleting what is not there is fine.
func (b *Bucket) Delete(ctx context.Context, key string, rev uint64) error {
	op := Op{Key: key, Delete: true}
	if rev != 0 {
		op.Expect = Revision(rev)
	}
	_, err := b.Commit(ctx, op)
	return err
}

// Commit stores all of ops or none, at most 1,000 on different keys, and returns the last sequence; the revisions of the ops are the
// consecutive numbers up to it, in order. It answers ErrStale when any expectation fails; an absent key that was there matches
// ErrExists too. Errors of kind Timeout and Unavailable that match ErrUnknownOutcome leave open whether the commit was stored.
func (b *Bucket) Commit(ctx context.Context, ops ...Op) (uint64, error) {
	if len(ops) == 0 {
		return 0, errs.New(errs.Invalid, "bucket %s: a commit needs at least one operation", b.name)
	}
	if len(ops) > MaxBatch {
		return 0, errs.New(errs.Invalid, "bucket %s: a commit of %d operations is over the limit of %d", b.name, len(ops), MaxBatch)
	}
	records := make([]record, len(ops))
	for i := range ops {
		op := &ops[i]
		if err := CheckKey(op.Key); err != nil {
			return 0, err
		}
		if len(op.Value) > MaxValue {
			return 0, errs.New(errs.Invalid, "bucket %s, key %q: the value has %d bytes, at most %d are allowed: store it as a blob", b.name, op.Key, len(op.Value), MaxValue)
		}
		if op.Expect.mode == expectExact && op.Expect.rev == noDemand {
			return 0, errs.New(errs.Invalid, "bucket %s, key %q: %d is not a revision", b.name, op.Key, op.Expect.rev)
		}
		records[i] = record{subject: b.prefix + op.Key, data: op.Value, expect: op.Expect}
		if op.Delete {
			if len(op.Value) > 0 {
				return 0, errs.New(errs.Invalid, "bucket %s, key %q: a delete carries no value", b.name, op.Key)
			}
			records[i].header = nats.Header{headerOperation: []string{operationDelete}}
		}
	}
	if len(ops) > 1 {
		seen := make(map[string]struct{}, len(ops))
		for i := range ops {
			if _, dup := seen[ops[i].Key]; dup {
				return 0, errs.New(errs.Invalid, "bucket %s: a commit names the key %q twice", b.name, ops[i].Key)
			}
			seen[ops[i].Key] = struct{}{}
		}
	}
	return b.writer.commit(ctx, records)
}

// List returns the present values of all keys under prefix, sorted by key. prefix is "" for all or ends at a token ("model.").
// Up to 1,024 keys come from one moment; longer lists may mix moments between keys.
func (b *Bucket) List(ctx context.Context, prefix string) ([]Entry, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	var out []Entry
	add := func(e Entry) {
		if !e.Deleted {
			out = append(out, e)
		}
	}
	_, err := b.store.getMany(ctx, b.stream, directRequest{Multi: []string{b.prefix + prefix + ">"}}, func(m stored) { add(b.entry(m)) })
	if errors.Is(err, errTooMany) {
		out = nil
		err = b.watchOnce(ctx, prefix, add)
	}
	if err != nil {
		return nil, kinded("list "+b.name+"/"+prefix, err)
	}
	slices.SortFunc(out, func(x, y Entry) int { return strings.Compare(x.Key, y.Key) })
	return out, nil
}

// watchOnce hands over the last entry of every key under prefix, markers too.
func (b *Bucket) watchOnce(ctx context.Context, prefix string, each func(Entry)) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	bucket, err := b.store.js.KeyValue(ctx, b.name)
	if err != nil {
		return err
	}
	w, err := bucket.Watch(ctx, prefix+">")
	if err != nil {
		return err
	}
	defer stopWatch(w)
	latest := map[string]Entry{} // a key that is written while we read comes twice
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return ErrClosed
			}
			if e == nil {
				for _, v := range latest {
					each(v)
				}
				return nil
			}
			latest[e.Key()] = watched(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopWatch ends a watch and drains it: its callback may be waiting to hand over an entry.
func stopWatch(w jetstream.KeyWatcher) {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for range w.Updates() {
		}
	}()
	if err := w.Stop(); err == nil {
		<-stopped
	}
}

func watched(e jetstream.KeyValueEntry) Entry {
	return Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision(), Created: e.Created(), Deleted: e.Operation() != jetstream.KeyValuePut}
}

// History returns the kept revisions of a key, oldest first, delete markers included; errs.NotFound when there are none.
func (b *Bucket) History(ctx context.Context, key string) ([]Entry, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	var out []Entry
	_, err := b.store.getMany(ctx, b.stream, directRequest{Seq: 1, Next: b.prefix + key, Batch: maxHistory}, func(m stored) { out = append(out, b.entry(m)) })
	if err != nil {
		return nil, kinded("history of "+b.name+"/"+key, err)
	}
	if len(out) == 0 {
		return nil, errs.New(errs.NotFound, "bucket %s has no key %q", b.name, key)
	}
	return out, nil
}
