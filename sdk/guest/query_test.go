package guest

import (
	"net/url"
	"reflect"
	"testing"
)

// FuzzParseQuery compares with net/url.
func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"", "name=a+b%20c&name=%C5%bc&x", "&&=&a=b=c", "%zz", "a=%4", "a=%", "a;b=1", "%00=%ff", "a=1&b;c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := ParseQuery(raw)
		want, wantErr := url.ParseQuery(raw)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v; net/url: %v", raw, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, map[string][]string(want)) {
			t.Fatalf("%q: got %q, want %q", raw, got, want)
		}
	})
}
