package plugin

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/weir-ml/weir/sdk/abi"
)

// The documents of handlers, written and read by hand: an HTTP function's call is one of each, and reflection would take as
// long as the guest does. What they mean is encoding/json's; documents_test.go compares the two.

// appendRequest writes r as encoding/json would, header names sorted.
func appendRequest(b []byte, r *abi.Request) []byte {
	b = append(b, `{"kind":`...)
	b = appendText(b, r.Kind)
	for _, m := range [...]struct{ key, value string }{{`,"method":`, r.Method}, {`,"path":`, r.Path}, {`,"query":`, r.Query}} {
		if m.value != "" {
			b = append(b, m.key...)
			b = appendText(b, m.value)
		}
	}
	if len(r.Headers) > 0 {
		b = append(b, `,"headers":{`...)
		var room [32]string
		names := room[:0]
		for n := range r.Headers {
			names = append(names, n)
		}
		slices.Sort(names)
		for i, n := range names {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, n)
			values := r.Headers[n]
			if values == nil {
				b = append(b, ":null"...)
				continue
			}
			b = append(b, ':', '[')
			for k, v := range values {
				if k > 0 {
					b = append(b, ',')
				}
				b = appendText(b, v)
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	for _, m := range [...]struct{ key, value string }{{`,"subject":`, r.Subject}, {`,"id":`, r.ID}} {
		if m.value != "" {
			b = append(b, m.key...)
			b = appendText(b, m.value)
		}
	}
	if len(r.Body) > 0 {
		b = append(b, `,"body":"`...)
		b = base64.StdEncoding.AppendEncode(b, r.Body)
		b = append(b, '"')
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// appendText writes s as a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[from:i]...)
			if c >= ' ' {
				b = append(b, '\\', c)
			} else {
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[from:i]...)
			b = append(b, "\ufffd"...)
			from = i + n
		}
		i += n
	}
	return append(append(b, s[from:]...), '"')
}

// parseResponse reads a Response. The forms that guests write, without white space and escapes, are read here; everything
// else, and every mistake, is left to encoding/json.
func parseResponse(doc []byte, r *abi.Response) error {
	if p := (plainReader{doc: doc}); p.response(r) {
		return nil
	}
	*r = abi.Response{}
	return json.Unmarshal(doc, r)
}

// plainReader reads plain JSON; its methods answer false at anything that is not.
type plainReader struct {
	doc []byte
	at  int
}

func (p *plainReader) take(s string) bool {
	if len(p.doc)-p.at < len(s) || string(p.doc[p.at:p.at+len(s)]) != s {
		return false
	}
	p.at += len(s)
	return true
}

// text reads a string of ASCII without escapes; it views the document.
func (p *plainReader) text() ([]byte, bool) {
	if !p.take(`"`) {
		return nil, false
	}
	from := p.at
	for ; p.at < len(p.doc); p.at++ {
		switch c := p.doc[p.at]; {
		case c == '"':
			p.at++
			return p.doc[from : p.at-1], true
		case c < ' ' || c == '\\' || c >= utf8.RuneSelf:
			return nil, false
		}
	}
	return nil, false
}

func (p *plainReader) response(r *abi.Response) bool {
	if !p.take("{") {
		return false
	}
	seen := 0
	for {
		var member int
		switch {
		case p.take(`"status":`):
			from := p.at
			for p.at < len(p.doc) && p.doc[p.at] >= '0' && p.doc[p.at] <= '9' {
				p.at++
			}
			if p.at-from == 0 || p.at-from > 4 || p.doc[from] == '0' {
				return false
			}
			n, err := strconv.Atoi(string(p.doc[from:p.at]))
			if err != nil {
				return false
			}
			member, r.Status = 1, n
		case p.take(`"headers":{`):
			if member = 2; !p.headers(r) {
				return false
			}
		case p.take(`"body":`):
			text, ok := p.text()
			if !ok {
				return false
			}
			body := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
			n, err := base64.StdEncoding.Decode(body, text)
			if err != nil {
				return false
			}
			member, r.Body = 4, body[:n]
		default:
			return false
		}
		if seen&member != 0 {
			return false
		}
		seen |= member
		if p.take("}") {
			return p.at == len(p.doc)
		}
		if !p.take(",") {
			return false
		}
	}
}

// headers reads what follows the opening brace, the closing one included.
func (p *plainReader) headers(r *abi.Response) bool {
	r.Headers = map[string][]string{}
	if p.take("}") {
		return true
	}
	for {
		name, ok := p.text()
		if !ok || !p.take(":[") {
			return false
		}
		if _, twice := r.Headers[string(name)]; twice {
			return false
		}
		values := []string{}
		for !p.take("]") {
			if len(values) > 0 && !p.take(",") {
				return false
			}
			v, ok := p.text()
			if !ok {
				return false
			}
			values = append(values, string(v))
		}
		r.Headers[string(name)] = values
		if p.take("}") {
			return true
		}
		if !p.take(",") {
			return false
		}
	}
}
