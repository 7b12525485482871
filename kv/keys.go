package kv

import (
	"strings"
	"unicode/utf8"

	"github.com/weir-ml/weir/host/errs"
)

// Limits on names and sizes. Sizes are in bytes.
const (
	// MaxValue is the largest value of a key and the largest Data of a message (8 MiB). Larger things are blobs.
	MaxValue = 8 << 20
	// MaxKey is the longest key or subject.
	MaxKey = 1024
	// MaxBatch is the largest number of messages in one atomic commit or batch.
	MaxBatch = 1000
	// headerRoom is what the server allows on top of MaxValue for headers.
	headerRoom = 64 << 10
	// maxHeaders bounds a message's own headers, so that weir's headers always fit beside them.
	maxHeaders = 48 << 10
	maxName    = 200
)

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '/' || c == '_' || c == '='
}

// CheckKey reports as errs.Invalid a key that a bucket would refuse: a key has 1 to 1,024 bytes of letters, digits and
// -/_= in tokens separated by single dots. EscapeToken makes a token of any other text.
func CheckKey(key string) error {
	if key == "" {
		return errs.New(errs.Invalid, "a key must not be empty")
	}
	if len(key) > MaxKey {
		return errs.New(errs.Invalid, "key %.40q… has %d bytes, at most %d are allowed", key, len(key), MaxKey)
	}
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case keyByte(c):
		case c == '.' && i > 0 && i < len(key)-1 && key[i-1] != '.':
		case c == '.':
			return errs.New(errs.Invalid, "key %q has an empty token at byte %d: dots separate tokens and stand neither first, last nor twice", key, i)
		default:
			return errs.New(errs.Invalid, "key %q has the character %q at byte %d: allowed are letters, digits, '-', '_', '=', '/' and '.'", key, c, i)
		}
	}
	return nil
}

// checkPrefix accepts "" and whole tokens that end with a dot ("model.").
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if !strings.HasSuffix(prefix, ".") {
		return errs.New(errs.Invalid, "prefix %q must end at a token: write %q", prefix, prefix+".")
	}
	return CheckKey(prefix[:len(prefix)-1])
}

func checkName(what, name string) error {
	if name == "" || len(name) > maxName {
		return errs.New(errs.Invalid, "%s name %.40q must have 1 to %d bytes", what, name, maxName)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c == '/' || c == '=' || !keyByte(c) {
			return errs.New(errs.Invalid, "%s name %q has the character %q at byte %d: allowed are letters, digits, '-' and '_'", what, name, c, i)
		}
	}
	return nil
}

// checkSubject accepts a subject to publish to (no wildcards) or, with wild, one to listen on ('*' for a token, '>' for the rest).
func checkSubject(subject string, wild bool) error {
	if subject == "" {
		return errs.New(errs.Invalid, "a subject must not be empty")
	}
	if len(subject) > MaxKey {
		return errs.New(errs.Invalid, "subject %.40q… has %d bytes, at most %d are allowed", subject, len(subject), MaxKey)
	}
	if !utf8.ValidString(subject) {
		return errs.New(errs.Invalid, "subject %q is not UTF-8", subject)
	}
	if i := strings.IndexFunc(subject, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
		return errs.New(errs.Invalid, "subject %q has a space or control character at byte %d", subject, i)
	}
	for rest, more := subject, true; more; {
		var token string
		token, rest, more = strings.Cut(rest, ".")
		switch {
		case token == "":
			return errs.New(errs.Invalid, "subject %q has an empty token", subject)
		case token == "*" && wild, token == ">" && wild && !more:
		case token == "*", token == ">":
			return errs.New(errs.Invalid, "subject %q: the wildcard %q is not allowed there", subject, token)
		}
	}
	return nil
}

// matches reports whether a subject falls under a pattern with wildcards.
func matches(pattern, subject string) bool {
	for {
		want, restPattern, morePattern := strings.Cut(pattern, ".")
		if want == ">" {
			return true
		}
		got, restSubject, moreSubject := strings.Cut(subject, ".")
		if want != "*" && want != got || morePattern != moreSubject {
			return false
		}
		if !morePattern {
			return true
		}
		pattern, subject = restPattern, restSubject
	}
}

const upperHex = "0123456789ABCDEF"

// EscapeToken turns any text into one valid key token: letters, digits, '-', '_' and '/' stay, every other byte becomes
// =XX in upper-case hexadecimal; the empty text becomes "=". UnescapeToken is its inverse.
func EscapeToken(text string) string {
	if text == "" {
		return "="
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; c != '=' && keyByte(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// UnescapeToken is the inverse of EscapeToken; text that EscapeToken never wrote is errs.Invalid.
func UnescapeToken(token string) (string, error) {
	if token == "=" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c != '=' {
			if !keyByte(c) {
				return "", errs.New(errs.Invalid, "token %q has the character %q at byte %d", token, c, i)
			}
			b.WriteByte(c)
			continue
		}
		if i+2 >= len(token) {
			return "", errs.New(errs.Invalid, "token %q ends within an escape at byte %d", token, i)
		}
		hi, lo := strings.IndexByte(upperHex, token[i+1]), strings.IndexByte(upperHex, token[i+2])
		if hi < 0 || lo < 0 {
			return "", errs.New(errs.Invalid, "token %q has a bad escape at byte %d", token, i)
		}
		v := byte(hi<<4 | lo)
		if v != '=' && keyByte(v) {
			return "", errs.New(errs.Invalid, "token %q escapes %q at byte %d, which needs no escape", token, v, i)
		}
		b.WriteByte(v)
		i += 2
	}
	if b.Len() == 0 {
		return "", errs.New(errs.Invalid, "an empty token")
	}
	return b.String(), nil
}
