package rest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/edge/httpd/httpdtest"
	"github.com/weir-ml/weir/internal/golden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, httpdtest.Leaks()...) }

func TestOpenAPIGolden(t *testing.T) {
	text := OpenAPI()
	golden.Check(t, "../../../docs/reference/openapi.json", text)
	if !bytes.Equal(text, OpenAPI()) {
		t.Error("the description differs from call to call")
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	ids, n := map[string]bool{}, 0
	for p, methods := range doc.Paths {
		for m, o := range methods {
			n++
			if ids[o.OperationID] || o.OperationID == "" {
				t.Errorf("%s %s: id %q is taken", m, p, o.OperationID)
			}
			ids[o.OperationID] = true
			for _, q := range o.Parameters {
				if q.In == "path" && !strings.Contains(p, "{"+q.Name+"}") {
					t.Errorf("%s %s: no parameter %q in the path", m, p, q.Name)
				}
			}
		}
	}
	if n != len(operations) {
		t.Errorf("%d operations described, %d registered", n, len(operations))
	}
}

func TestDocsPageIsSelfContained(t *testing.T) {
	page := string(docsPage())
	for _, o := range operations {
		if !strings.Contains(page, pattern.ReplaceAllString(o.path, "{$1}")) {
			t.Errorf("%s is missing", o.path)
		}
	}
	for _, bad := range []string{"<script", "http://", "https://", "src="} {
		if strings.Contains(strings.ReplaceAll(page, "https://json-schema.org", ""), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}
