package offline

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// maxHeader bounds the header line, in bytes; maxLine bounds a record in DuckDB's reader.
const (
	maxHeader = 4 << 20
	maxLine   = 16 << 20
)

// csvShape is what a CSV file's bytes say about its structure, before any type is guessed.
type csvShape struct {
	names   []string
	delim   byte
	records int64 // data records; blank lines of a file with several columns do not count
}

// scanCSV reads a whole CSV file and refuses what is not one: a missing header, names that cannot be columns, records
// with too few or too many fields, bytes that are not UTF-8, quotes that never close. Errors name line and column.
// It decides the delimiter too (the one of , ; tab | that the header holds most of), so that DuckDB's own guesses, which
// turn one ragged line into another dialect, are never asked for. The dialect is RFC 4180's: quotes double inside quotes.
func scanCSV(what string, r io.Reader) (csvShape, error) {
	head, rest, err := readHead(what, r)
	if err != nil {
		return csvShape{}, err
	}
	if len(head) == 0 {
		return csvShape{}, errs.New(errs.Invalid, "%s is empty: a CSV file starts with a header line", what)
	}
	sh, err := scanHeader(what, head)
	if err != nil {
		return csvShape{}, err
	}
	s := newScanner(what, &sh)
	err = s.feed(head)
	for buf := make([]byte, 64<<10); err == nil && rest; {
		var n int
		var rerr error
		n, rerr = r.Read(buf)
		if err = s.feed(buf[:n]); err == nil && rerr != nil {
			if rest = false; !errors.Is(rerr, io.EOF) {
				err = fmt.Errorf("%s: %w", what, rerr)
			}
		}
	}
	if err != nil {
		return csvShape{}, err
	}
	if err := s.end(); err != nil {
		return csvShape{}, err
	}
	if sh.records = s.records - 1; sh.records < 1 {
		return csvShape{}, errs.New(errs.Invalid, "%s has a header and no rows: types are inferred from rows", what)
	}
	return sh, nil
}

// readHead reads until the header line is whole, or as much as a header may have. The byte order mark is gone from it;
// rest says whether there is more to read.
func readHead(what string, r io.Reader) (head []byte, rest bool, err error) {
	buf := make([]byte, 0, 64<<10)
	for len(buf) < maxHeader {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), maxHeader)])
		buf = buf[:len(buf)+n]
		end, _ := headerEnd(buf, nil)
		switch {
		case errors.Is(err, io.EOF):
			return bytes.TrimPrefix(buf, bom), false, nil
		case err != nil:
			return nil, false, fmt.Errorf("%s: %w", what, err)
		case end < len(buf) && len(buf) > len(bom):
			return bytes.TrimPrefix(buf, bom), true, nil
		}
	}
	return bytes.TrimPrefix(buf, bom), true, nil
}

var bom = []byte("\xef\xbb\xbf")

// headerEnd finds the line break that ends the first record (len(head): there is none) and counts the bytes outside quotes.
func headerEnd(head []byte, counts *[256]int) (end int, quoted bool) {
	for i, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n' || c == '\r':
			return i, false
		case counts != nil:
			counts[c]++
		}
	}
	return len(head), quoted
}

// scanHeader finds the delimiter and the names in the first record of head.
func scanHeader(what string, head []byte) (csvShape, error) {
	var counts [256]int
	end, quoted := headerEnd(head, &counts)
	if i := bytes.IndexByte(head[:end], 0); i >= 0 {
		return csvShape{}, errs.New(errs.Invalid, "%s holds a NUL byte in its first line: it is not UTF-8 text (a UTF-16 export, or another format?)", what)
	}
	if end >= maxHeader-len(bom) || quoted {
		return csvShape{}, errs.New(errs.Invalid, "%s, line 1: the header does not end within %d MiB: is a quote left open?", what, maxHeader>>20)
	}
	if end == 0 {
		return csvShape{}, errs.New(errs.Invalid, "%s, line 1 is empty: a CSV file starts with a header line", what)
	}
	sh := csvShape{delim: ','}
	for _, d := range []byte{';', '\t', '|'} {
		if counts[d] > counts[sh.delim] {
			sh.delim = d
		}
	}
	cr := csv.NewReader(bytes.NewReader(head[:end]))
	cr.Comma = rune(sh.delim)
	names, err := cr.Read()
	if err != nil {
		return csvShape{}, errs.New(errs.Invalid, "%s, line 1: the header cannot be read: %w", what, err)
	}
	if len(names) > abi.MaxColumns {
		return csvShape{}, errs.New(errs.Invalid, "%s has %d columns: %d are possible", what, len(names), abi.MaxColumns)
	}
	seen := make(map[string]string, len(names))
	for i, n := range names {
		if !utf8.ValidString(n) {
			return csvShape{}, errs.New(errs.Invalid, "%s, line 1: the name of column %d is not valid UTF-8", what, i+1)
		}
		if strings.ContainsAny(n, "\r\n") {
			return csvShape{}, errs.New(errs.Invalid, "%s, line 1: the name of column %d (%q) holds a line break", what, i+1, n)
		}
		if err := checkName(what+", line 1", i, n, seen); err != nil {
			return csvShape{}, err
		}
	}
	sh.names = names
	return sh, nil
}

// Where the scanner stands inside a field.
const (
	fieldStart = iota
	inPlain
	inQuotes
	quoteSeen // a quote inside quotes: the end of the field or half of a doubled quote
)

type scanner struct {
	what  string
	shape *csvShape

	state      int
	field      int    // of the record, from 0
	line       int64  // physical lines, from 1
	recordLine int64  // where the record began
	records    int64  // with the header
	cr         bool   // the last byte was a carriage return
	crEnd      bool   // and ended a record
	ending     string // of the records so far
	bytes      int64  // of the record

	special [256]bool // bytes that mean anything but themselves

	rune    [utf8.UTFMax]byte // a multi-byte character that is not complete yet
	runeLen int
	runeAll int
}

func newScanner(what string, sh *csvShape) *scanner {
	s := &scanner{what: what, shape: sh, line: 1, recordLine: 1}
	for i := range s.special {
		c := byte(i)
		s.special[i] = c == '"' || c == '\n' || c == '\r' || c == 0 || c >= utf8.RuneSelf || c == sh.delim
	}
	return s
}

func (s *scanner) errorf(line int64, format string, args ...any) error {
	return errs.New(errs.Invalid, "%s, line %d: %s", s.what, line, fmt.Sprintf(format, args...))
}

func (s *scanner) columnName() string {
	if s.field < len(s.shape.names) {
		return fmt.Sprintf("column %d (%q)", s.field+1, s.shape.names[s.field])
	}
	return fmt.Sprintf("column %d", s.field+1)
}

func (s *scanner) feed(b []byte) error {
	for len(b) > 0 {
		if s.runeLen == 0 && !s.cr && s.state != quoteSeen { // run over plain text
			n := 0
			for n < len(b) && !s.special[b[n]] {
				n++
			}
			if n > 0 {
				if s.state == fieldStart {
					s.state = inPlain
				}
				s.bytes += int64(n)
				b = b[n:]
				continue
			}
		}
		c := b[0]
		b = b[1:]
		if c >= utf8.RuneSelf || s.runeLen > 0 {
			if !s.multibyte(c) {
				return s.errorf(s.line, "%s is not valid UTF-8: save the file as UTF-8", s.columnName())
			}
		}
		s.bytes++
		if c == '\n' && s.cr { // the second half of \r\n
			if s.cr = false; s.crEnd {
				if err := s.endLine(`\r\n`); err != nil {
					return err
				}
			}
			continue
		}
		if s.cr = c == '\r'; s.crEnd {
			if err := s.endLine(`\r`); err != nil {
				return err
			}
		}
		switch {
		case s.state == inQuotes:
			switch c {
			case '"':
				s.state = quoteSeen
			case '\n', '\r':
				s.line++
			}
		case c == '"' && s.state == fieldStart:
			s.state = inQuotes
		case c == '"' && s.state == quoteSeen:
			s.state = inQuotes
		case c == s.shape.delim:
			s.state = fieldStart
			s.field++
		case c == '\n' || c == '\r':
			if err := s.endRecord(); err != nil {
				return err
			}
			s.line++
			s.recordLine = s.line
			if s.crEnd = c == '\r'; !s.crEnd {
				if err := s.endLine(`\n`); err != nil {
					return err
				}
			}
		case c == 0:
			return s.errorf(s.line, "%s holds a NUL byte: it is not text", s.columnName())
		case s.state == quoteSeen:
			return s.errorf(s.line, "%s has text after its closing quote: a quote inside a quoted field is written twice", s.columnName())
		default:
			s.state = inPlain
		}
	}
	return nil
}

// multibyte takes one byte of a character outside ASCII; false: the bytes are no UTF-8.
func (s *scanner) multibyte(c byte) bool {
	if s.runeLen == 0 {
		switch {
		case c>>5 == 0b110:
			s.runeAll = 2
		case c>>4 == 0b1110:
			s.runeAll = 3
		case c>>3 == 0b11110:
			s.runeAll = 4
		default:
			return false
		}
	}
	s.rune[s.runeLen] = c
	s.runeLen++
	if s.runeLen < s.runeAll {
		return c >= utf8.RuneSelf
	}
	ok := utf8.Valid(s.rune[:s.runeLen])
	s.runeLen = 0
	return ok
}

// endLine notes how the line before this one ended: DuckDB reads files whose lines all end alike.
func (s *scanner) endLine(ending string) error {
	s.crEnd = false
	if s.ending != "" && s.ending != ending {
		return s.errorf(s.line-1, "it ends in %s, the lines before in %s: use one line ending throughout", ending, s.ending)
	}
	s.ending = ending
	return nil
}

func (s *scanner) endRecord() error {
	blank := s.field == 0 && s.state == fieldStart
	if !blank || len(s.shape.names) == 1 {
		if s.field+1 != len(s.shape.names) {
			return s.errorf(s.recordLine, "%d fields, the header has %d", s.field+1, len(s.shape.names))
		}
		s.records++
	}
	if s.bytes > maxLine {
		return s.errorf(s.recordLine, "the record has %d bytes, %d are possible", s.bytes, maxLine)
	}
	s.field, s.state, s.bytes = 0, fieldStart, 0
	return nil
}

func (s *scanner) end() error {
	if s.crEnd {
		if err := s.endLine(`\r`); err != nil {
			return err
		}
	}
	switch {
	case s.runeLen > 0:
		return s.errorf(s.line, "%s ends inside a UTF-8 character", s.columnName())
	case s.state == inQuotes:
		return s.errorf(s.recordLine, "%s opens a quote that never closes", s.columnName())
	case s.bytes == 0 || s.field == 0 && s.state == fieldStart:
		return nil
	}
	return s.endRecord()
}
