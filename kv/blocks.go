package kv

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/highwayhash"
)

// smallStream is the size in bytes up to which every message of a stream is verified at Open. Of larger ones it is the last block
// and all that changed since the server wrote its index; the rest is verified by the server whenever it is read.
const smallStream = 64 << 20

// The layout of a message block, as nats-server 2.15 writes it (server/filestore.go, rebuildStateFromBufLocked):
// u32 record length, top bit = has headers · u64 sequence, top bits = erased, tombstone · i64 time · u16 subject length · subject ·
// [u32 header length · header] · message · 8 bytes HighwayHash-64.
const (
	blockHeader    = 22
	blockHash      = 8
	blockMaxRecord = 32 << 20
	blockHeadersIn = 1 << 31
	blockSeqMask   = 1<<62 - 1
)

type block struct {
	path  string
	index uint64
	size  int64
	time  time.Time
}

// checkBlocks verifies a stream's messages without changing anything, because the server cuts a block off at the first record
// that it cannot read. It reports whether there are messages. A torn record at the very end is what a crash leaves of a write that
// was never acknowledged, and passes, unless the server's index says that more was there.
func checkBlocks(dir, stream string) (used bool, err error) {
	msgs := filepath.Join(dir, "msgs")
	entries, err := os.ReadDir(msgs)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, corrupt(msgs, err.Error())
	}
	var blocks []block
	var total int64
	for _, e := range entries {
		number, isBlock := strings.CutSuffix(e.Name(), ".blk")
		if !isBlock {
			continue
		}
		b := block{path: filepath.Join(msgs, e.Name())}
		st, err := os.Stat(b.path)
		if err != nil {
			return false, corrupt(b.path, err.Error())
		}
		if b.index, err = strconv.ParseUint(number, 10, 32); err != nil || !st.Mode().IsRegular() {
			return false, corrupt(b.path, "it is not a message block")
		}
		b.size, b.time = st.Size(), st.ModTime()
		total += b.size
		blocks = append(blocks, b)
	}
	slices.SortFunc(blocks, func(x, y block) int { return cmp.Compare(x.index, y.index) })
	lastSeq, indexed := readIndex(filepath.Join(msgs, "index.db"), stream)
	for i, b := range blocks {
		tail := i == len(blocks)-1
		if !tail && total > smallStream && b.time.Before(indexed) {
			continue
		}
		seq, torn, err := checkBlock(b, stream)
		if err != nil {
			return false, err
		}
		if torn != "" && (!tail || seq < lastSeq) {
			return false, corrupt(b.path, torn)
		}
	}
	return total > 0, nil
}

// readIndex returns the last sequence that the server's index knows and when it was written; zeros when there is none that can be
// trusted (the server then reads all blocks).
func readIndex(path, stream string) (uint64, time.Time) {
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) < 32 {
		return 0, time.Time{}
	}
	st, err := os.Stat(path)
	if err != nil {
		return 0, time.Time{}
	}
	body, sum := raw[:len(raw)-blockHash], raw[len(raw)-blockHash:]
	key := sha256.Sum256([]byte(stream))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		return 0, time.Time{}
	}
	_, _ = h.Write(body)
	if !bytes.Equal(h.Sum(nil), sum) {
		return 0, time.Time{}
	}
	rest := body[2:] // magic and version; then varints: messages, bytes, first sequence, first time, last sequence
	var v uint64
	for range 5 {
		var n int
		if v, n = binary.Uvarint(rest); n <= 0 {
			return 0, time.Time{}
		}
		rest = rest[n:]
	}
	return v, st.ModTime()
}

// checkBlock reads one block. seq is the highest sequence in its readable part; torn says why the last record cannot be read, or "".
func checkBlock(b block, stream string) (seq uint64, torn string, err error) {
	buf, err := os.ReadFile(b.path)
	if err != nil {
		return 0, "", corrupt(b.path, err.Error())
	}
	seq, at, torn := scanBlock(buf, stream, b.index)
	if torn == "" {
		return seq, "", nil
	}
	torn = fmt.Sprintf("the message after sequence %d, at byte %d, %s", seq, at, torn)
	// A record whose length can be trusted, with more behind it, is no torn end.
	if at+4 <= len(buf) {
		if length := int(binary.LittleEndian.Uint32(buf[at:]) &^ blockHeadersIn); length >= blockHeader+blockHash && at+length < len(buf) {
			return seq, "", corrupt(b.path, torn)
		}
	}
	return seq, torn, nil
}

// scanBlock walks the records of a block. at is where the first unreadable one begins and torn why, or "".
func scanBlock(buf []byte, stream string, index uint64) (seq uint64, at int, torn string) {
	key := sha256.Sum256([]byte(stream + "-" + strconv.FormatUint(index, 10)))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		return 0, 0, err.Error()
	}
	le := binary.LittleEndian
	var sum [blockHash]byte
	for at < len(buf) {
		if len(buf)-at < blockHeader {
			return seq, at, "is cut off"
		}
		head := buf[at : at+blockHeader]
		word := le.Uint32(head)
		length, subject, own := int(word&^blockHeadersIn), int(le.Uint16(head[20:])), 0
		if word&blockHeadersIn != 0 {
			own = 4
		}
		if length > blockMaxRecord || length < blockHeader+blockHash+subject+own {
			return seq, at, "has an impossible length"
		}
		if length > len(buf)-at {
			return seq, at, "is cut off"
		}
		data := buf[at+blockHeader : at+length]
		h.Reset()
		_, _ = h.Write(head[4:20])
		_, _ = h.Write(data[:subject])
		_, _ = h.Write(data[subject+own : len(data)-blockHash])
		if !bytes.Equal(h.Sum(sum[:0]), data[len(data)-blockHash:]) {
			return seq, at, "has a wrong checksum"
		}
		seq = max(seq, le.Uint64(head[4:])&blockSeqMask)
		at += length
	}
	return seq, at, ""
}
