package kv

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// Any text survives the way into a token and back, and a token that is accepted is the only spelling of its text.
func FuzzEscapeToken(f *testing.F) {
	for _, s := range []string{"", "=", "a.b", "model name", "ü", "=2E", "=2e", "=4", "a=3Db", "/", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token := EscapeToken(s)
		if len(token) <= MaxKey {
			if err := CheckKey(token); err != nil || strings.Contains(token, ".") {
				t.Fatalf("%q became %q: %v", s, token, err)
			}
		}
		if back, err := UnescapeToken(token); err != nil || back != s {
			t.Fatalf("%q became %q became %q: %v", s, token, back, err)
		}
		if text, err := UnescapeToken(s); err == nil && EscapeToken(text) != s {
			t.Fatalf("%q and %q both stand for %q", s, EscapeToken(text), text)
		}
	})
}

// A key that is accepted is one to nats.go too (jetstream/kv.go, keyValid), and the other way round up to our length.
func FuzzCheckKey(f *testing.F) {
	for _, s := range []string{"", "a", ".a", "a.", "a..b", "a b", "a/b=c_d-e.9", "ä"} {
		f.Add(s)
	}
	valid := regexp.MustCompile(`\A[-/_=\.a-zA-Z0-9]+\z`)
	f.Fuzz(func(t *testing.T, s string) {
		theirs := len(s) > 0 && len(s) <= MaxKey && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..") && valid.MatchString(s)
		if ours := CheckKey(s) == nil; ours != theirs {
			t.Fatalf("%q: ours %v, theirs %v", s, ours, theirs)
		}
	})
}

// A subject falls under itself, under its own tokens with one replaced by '*', and under a prefix with '>'.
func FuzzMatches(f *testing.F) {
	f.Add("a.b.c", "a.*.c")
	f.Add("a", ">")
	f.Add("a.b", "a.>")
	f.Add("a", "a.>")
	f.Fuzz(func(t *testing.T, subject, pattern string) {
		got := matches(pattern, subject)
		if checkSubject(subject, false) != nil || checkSubject(pattern, true) != nil {
			return // must only not panic
		}
		quoted := strings.Split(regexp.QuoteMeta(pattern), `\.`)
		for i, token := range quoted {
			switch token {
			case `\*`:
				quoted[i] = `[^.]+`
			case ">":
				quoted[i] = `.+`
			}
		}
		if want := regexp.MustCompile(`(?s)\A` + strings.Join(quoted, `\.`) + `\z`).MatchString(subject); got != want {
			t.Fatalf("%q under %q: %v, want %v", subject, pattern, got, want)
		}
	})
}

// Whatever lies in a block, it is walked without a fault, and a changed byte is noticed.
func FuzzScanBlock(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	b, err := s.Bucket(context.Background(), BucketConfig{Name: "b"})
	if err != nil {
		f.Fatal(err)
	}
	for range 3 {
		if _, err := b.Commit(context.Background(), Op{Key: "x", Value: []byte("v")}, Op{Key: "y", Delete: true}); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(streamsPath), "KV_b", "msgs", "1.blk"))
	if err != nil {
		f.Fatal(err)
	}
	if seq, at, torn := scanBlock(whole, "KV_b", 1); seq != 6 || at != len(whole) || torn != "" {
		f.Fatalf("a whole block: sequence %d, byte %d of %d, %q", seq, at, len(whole), torn)
	}
	f.Add(whole, 0)
	f.Add(whole[:len(whole)-3], 7)
	f.Add([]byte{}, 1)
	f.Add(binary.LittleEndian.AppendUint32(nil, blockHeadersIn|30), 2)
	f.Fuzz(func(t *testing.T, buf []byte, at int) {
		if _, end, torn := scanBlock(buf, "KV_b", 1); end > len(buf) || torn == "" && end != len(buf) {
			t.Fatalf("ended at %d of %d: %q", end, len(buf), torn)
		}
		hurt := append([]byte(nil), whole...)
		i := int(uint(at) % uint(len(hurt)))
		hurt[i]++
		if _, _, torn := scanBlock(hurt, "KV_b", 1); torn == "" && !unhashed(whole, i) {
			t.Fatalf("a change of byte %d went unnoticed", i)
		}
	})
}

// unhashed says whether byte i belongs to a header's length, which the server does not hash: it reads the message, whose
// checksum then holds, with the boundary moved.
func unhashed(block []byte, i int) bool {
	for at := 0; at < len(block); {
		word := binary.LittleEndian.Uint32(block[at:])
		length, subject := int(word&^blockHeadersIn), int(binary.LittleEndian.Uint16(block[at+20:]))
		if own := at + blockHeader + subject; word&blockHeadersIn != 0 && i >= own && i < own+4 {
			return true
		}
		at += length
	}
	return false
}

// Acknowledgements come from our own server, but are bytes all the same.
func FuzzParseAck(f *testing.F) {
	for _, s := range []string{"", `{"stream":"s","seq":7}`, `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"s","seq":0}`, `{"stream":"s","seq":-1}`, `[]`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if seq, err := parseAck("s", &nats.Msg{Data: data}); (err == nil) == (seq == 0) {
			t.Fatalf("%q: %d, %v", data, seq, err)
		}
	})
}
