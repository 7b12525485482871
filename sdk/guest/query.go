package guest

import (
	"strings"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// ParseQuery reads the raw query of a request, as net/url's ParseQuery does but for keeping what precedes an error; net/url would
// bring fmt and a megabyte along. The error names the part that is wrong.
func ParseQuery(raw string) (map[string][]string, error) {
	out := map[string][]string{}
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if strings.Contains(part, ";") {
			return nil, text.Errorf("the query's part %q has a semicolon: separate by &", part)
		}
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, ok := unescape(name)
		if ok {
			value, ok = unescape(value)
		}
		if !ok {
			return nil, text.Errorf("the query's part %q has a damaged %%-escape", part)
		}
		out[name] = append(out[name], value)
	}
	return out, nil
}

// unescape resolves %XX, and + for a space.
func unescape(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := nibble(s[i+1]), nibble(s[i+2])
			if hi > 15 || lo > 15 {
				return "", false
			}
			out = append(out, hi<<4|lo)
			i += 2
		default:
			out = append(out, c)
		}
	}
	return string(out), true
}

// nibble is the value of a hexadecimal digit; 16 for anything else.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}
