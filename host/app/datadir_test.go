package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

func TestDataDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d, err := openDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openDataDir(dir)
	if !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("a second start got %v, want a conflict naming the pid", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = openDataDir(dir); err != nil {
		t.Fatalf("after an orderly stop: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDataDirRefusals(t *testing.T) {
	cases := []struct{ name, file, content, want string }{
		{"newer", formatFile, `{"format":99}`, "newer weir"},
		{"corrupt", formatFile, "\x00\x00", "damaged"},
		{"zero", formatFile, `{}`, "damaged"},
		{"foreign", "holiday.jpg", "jpeg", "not a weir data folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := openDataDir(dir)
			if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want unavailable with %q", err, c.want)
			}
			entries, _ := os.ReadDir(dir)
			raw, _ := os.ReadFile(filepath.Join(dir, c.file))
			if len(entries) != 1 || string(raw) != c.content {
				t.Errorf("the folder was touched: %v, %q", entries, raw)
			}
		})
	}
}
