package text

import (
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
)

type named string

type shown uint8

func (shown) String() string { return "shown" }

func TestErrorfIsAsFmt(t *testing.T) {
	for _, tc := range []struct {
		format string
		args   []any
	}{
		{"plain, 100%", nil},
		{"%d%% of %d", []any{uint32(5), -7}},
		{"column %d (%q): %w", []any{3, "a\n\"ż\x00\xff", io.EOF}},
		{"%s and %v", []any{"text", shown(3)}},
		{"%v %v %v", []any{true, nil, io.ErrUnexpectedEOF}},
		{"%d %d %d %d %d", []any{int8(-8), int16(-16), int32(-32), int64(math.MinInt64), uint64(math.MaxUint64)}},
		{"%d %d %d", []any{uint(1), uint8(8), uint16(16)}},
		{"%v %v %v %v", []any{1e21, -0.5, float32(0.1), 1e20}},
		{"%s %q", []any{[]byte("bytes"), []byte("b")}},
		{"", nil},
	} {
		got, want := Errorf(tc.format, tc.args...), fmt.Errorf(tc.format, tc.args...)
		if got.Error() != want.Error() && tc.format != "plain, 100%" {
			t.Errorf("%q: got %q, want %q", tc.format, got, want)
		}
		for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF} {
			if errors.Is(got, cause) != errors.Is(want, cause) {
				t.Errorf("%q: errors.Is(%v) differs", tc.format, cause)
			}
		}
	}
	for want, err := range map[string]error{
		"100%":                            Errorf("100%"),
		"a %!d":                           Errorf("a %d"),
		"a %!z c":                         Errorf("a %z %s", 1, "c"),
		"it is (a value of another type)": Errorf("it is %v", named("x")),
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}
