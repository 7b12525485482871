package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/weir-ml/weir/sdk/client"
)

// manifest is a file of resources, read but not sent.
type manifest struct {
	text []byte
	dir  string // relative spec.file paths start here
}

func (s *session) readManifest(name string) (manifest, error) {
	if name == "" {
		return manifest{}, wrong("-f is missing: name a manifest, or - for standard input")
	}
	if name == "-" {
		text, err := io.ReadAll(s.in)
		return manifest{text, "."}, err
	}
	text, err := os.ReadFile(name)
	return manifest{text, filepath.Dir(name)}, err
}

// upload is a place in the manifest that names a file of this machine.
type upload struct {
	path       string
	key, value *token.Token
}

// files finds every document's spec.file. A manifest that does not parse has none: the server's message has the position.
func (m manifest) files() (out []upload) {
	defer func() {
		if recover() != nil { // goccy/go-yaml panics on some broken documents
			out = nil
		}
	}()
	f, err := parser.ParseBytes(m.text, 0)
	if err != nil {
		return nil
	}
	for _, doc := range f.Docs {
		spec := child(doc.Body, "spec")
		if spec == nil {
			continue
		}
		file := child(spec.Value, "file")
		if file == nil {
			continue
		}
		if text, ok := file.Value.(*ast.StringNode); ok {
			out = append(out, upload{text.Value, file.Key.GetToken(), text.Token})
		}
	}
	return out
}

func child(n ast.Node, key string) *ast.MappingValueNode {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	}
	for _, v := range values {
		if v.Key.GetToken().Value == key {
			return v
		}
	}
	return nil
}

// withBlobs uploads the files that the manifest names and puts their digests in, on the same lines, so that the server's
// messages still point into the file as it was written. Files that the server has already are not sent again.
func (s *session) withBlobs(ctx context.Context, c *client.Client, m manifest) ([]byte, error) {
	lines := strings.SplitAfter(string(m.text), "\n")
	// From the last to the first, so that columns on the same line stay true.
	files := m.files()
	for i := len(files) - 1; i >= 0; i-- {
		u := files[i]
		path := u.path
		if !filepath.IsAbs(path) {
			path = filepath.Join(m.dir, path)
		}
		digest, err := s.putFile(ctx, c, path)
		if err != nil {
			return nil, fmt.Errorf("spec.file %q: %w", u.path, err)
		}
		at := u.key.Position.Line - 1
		if at >= len(lines) || u.value.Position.Line != u.key.Position.Line {
			return nil, wrong("spec.file %q: write key and value on one line", u.path)
		}
		replaced, ok := replaceEntry(lines[at], u, digest)
		if !ok {
			return nil, wrong("line %d: spec.file %q: write it plainly, as file: path", at+1, u.path)
		}
		lines[at] = replaced
	}
	return []byte(strings.Join(lines, "")), nil
}

// replaceEntry puts blob and digest in the place of file and path within a line.
func replaceEntry(line string, u upload, digest string) (string, bool) {
	runes := []rune(line)
	from := u.key.Position.Column - 1
	if from < 0 || from >= len(runes) {
		return "", false
	}
	head, rest := string(runes[:from]), string(runes[from:])
	raw := strings.TrimSpace(u.value.Origin)
	colon := strings.IndexByte(rest, ':')
	if colon < 0 || raw == "" {
		return "", false
	}
	at := strings.Index(rest[colon:], raw)
	if at < 0 {
		return "", false
	}
	key := "blob"
	if strings.HasPrefix(rest, `"`) {
		key = `"blob"`
	}
	return head + key + `: "` + digest + `"` + rest[colon+at+len(raw):], true
}

// putFile stores a file unless the server has it, and returns its digest.
func (s *session) putFile(ctx context.Context, c *client.Client, path string) (string, error) {
	digest, err := digestOf(path)
	if err != nil {
		return "", err
	}
	if has, err := c.HasBlob(ctx, digest); err != nil || has {
		return digest, err
	}
	r, done, err := s.source(path)
	if err != nil {
		return "", err
	}
	defer done()
	b, err := c.PutBlob(ctx, r)
	if err == nil && b.Digest != digest {
		err = fmt.Errorf("the file changed while it was sent: read it again")
	}
	return digest, err
}
