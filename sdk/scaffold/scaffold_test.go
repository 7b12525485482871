package scaffold

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTemplatesAreComplete: every language has every world, and no template is left over. cmd/weir's tests build them.
func TestTemplatesAreComplete(t *testing.T) {
	used := map[string]bool{"README.md.txt": true, "gitignore.txt": true}
	for name, l := range languages {
		for _, w := range Worlds() {
			used[name+"/"+w+l.extension] = true
			used["vectors/"+w+".json"] = true
			dir := filepath.Join(t.TempDir(), "new")
			files, err := Write(dir, Options{Name: "a-b2", Language: name, World: w})
			if err != nil {
				t.Fatalf("%s %s: %v", name, w, err)
			}
			if want := 5 + len(l.extra); len(files) < want-1 {
				t.Errorf("%s %s: %v", name, w, files)
			}
			err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				raw, err := os.ReadFile(path)
				if strings.Contains(string(raw), "PLUGIN_NAME") {
					t.Errorf("%s %s: %s is not filled in", name, w, d.Name())
				}
				if strings.HasSuffix(path, "_test.go") {
					t.Errorf("%s is part of the SDK's copy", path)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for template := range l.extra {
			used[template] = true
		}
	}
	err := fs.WalkDir(templates, "templates", func(path string, d fs.DirEntry, err error) error {
		if name := strings.TrimPrefix(path, "templates/"); err == nil && !d.IsDir() && !used[name] {
			t.Errorf("no language uses %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWriteRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		dir  string
		o    Options
		want string
	}{
		{"new", Options{Name: "Upper", Language: "c", World: "gate"}, `the name "Upper"`},
		{"new", Options{Name: "7up", Language: "c", World: "gate"}, "beginning with a letter"},
		{"new", Options{Name: strings.Repeat("a", 65), Language: "c", World: "gate"}, "at most 64 bytes"},
		{"new", Options{Name: "a", Language: "cobol", World: "gate"}, `unknown language "cobol": use `},
		{"new", Options{Name: "a", Language: "c", World: "door"}, `unknown world "door": use transform, metric, gate, handler`},
		{full, Options{Name: "a", Language: "c", World: "gate"}, "is not empty"},
		{filepath.Join(full, "x"), Options{Name: "a", Language: "c", World: "gate"}, "not a directory"},
	} {
		if tc.dir == "new" {
			tc.dir = filepath.Join(t.TempDir(), "new")
		}
		if _, err := Write(tc.dir, tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %s", tc.o, err, tc.want)
		}
	}
}
