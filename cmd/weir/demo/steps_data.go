package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/client"
)

// pushTransform uploads the transform as any author would upload theirs.
func (d *demo) pushTransform(ctx context.Context) error {
	d.title("Push a transform plugin")
	var wasm []byte
	for _, a := range plugins.Builtin() {
		if a.Name == "standardize" {
			wasm = a.Wasm
		}
	}
	began := time.Now()
	p, err := d.c.PushPlugin(ctx, "standardize", bytes.NewReader(wasm))
	if err != nil {
		return err
	}
	took := time.Since(began)
	sum := sha256.Sum256(wasm)
	d.digest = "sha256:" + hex.EncodeToString(sum[:])
	d.say("standardize %s, %d bytes of WebAssembly, worlds %v: checked, compiled and stored in %.1f ms", p.Description.Version, p.Size, p.Description.Worlds, ms(took))
	d.claim(p.Digest == d.digest, "the host names it by its content: %s", p.Digest)
	d.next("weir plugin inspect standardize --server http://%s", d.host.HTTP)
	return nil
}

// buildTrainingSet imports the CSV and lets SQL run the plugin over it.
func (d *demo) buildTrainingSet(ctx context.Context) error {
	d.title("Build the training set offline, in DuckDB, through the plugin")
	raw, err := d.c.ImportDataset(ctx, "measurements", "csv", "scikit-learn breast_cancer", bytes.NewReader(breastcancer.CSV))
	if err != nil {
		return err
	}
	d.claim(int(raw.Rows) == len(d.table.rows), "CSV imported: %s@%d, %d rows × %d columns, %s", raw.Name, raw.Version, raw.Rows, len(raw.Columns), raw.Digest[:19])
	began := time.Now()
	set, err := d.c.BuildDataset(ctx, "standardized", client.Build{
		SQL:       fmt.Sprintf("SELECT id, target, split, unnest(standardize(%s)) FROM measurements ORDER BY id", strings.Join(d.table.columns, ", ")),
		Inputs:    []string{"measurements"},
		Functions: []client.FunctionRef{{Name: "standardize", Plugin: "standardize", Parameters: breastcancer.Standardize}},
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	// What the model was trained on, unshifted and raw, is the reference of the drift monitor.
	if _, err := d.c.BuildDataset(ctx, "training-raw", client.Build{SQL: "SELECT * FROM measurements WHERE split = 'train' ORDER BY id", Inputs: []string{"measurements"}}); err != nil {
		return err
	}
	d.claim(int(set.Rows) == len(d.table.rows) && set.Lineage != nil && len(set.Lineage.Functions) == 1 && set.Lineage.Functions[0].Digest == d.digest,
		"%s@%d built in %.0f ms; its lineage names the plugin's digest and %s", set.Name, set.Version, ms(took), raw.Name)
	d.next("curl -o standardized.parquet http://%s/api/v1/datasets/standardized/data", d.host.HTTP)
	return nil
}

// serveRows sends every row to an HTTP function of the same plugin and compares bits.
func (d *demo) serveRows(ctx context.Context) error {
	d.title("Serve the same rows online, through the same plugin bytes")
	if err := d.apply(ctx, standardizeFunction()); err != nil {
		return err
	}
	offline, err := d.columns(ctx, "standardized", len(d.table.rows))
	if err != nil {
		return err
	}
	var req struct {
		Rows []map[string]any `json:"rows"`
	}
	for _, r := range d.table.rows {
		req.Rows = append(req.Rows, d.table.object(r, ""))
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	began := time.Now()
	res, err := d.c.Invoke(ctx, "standardize", http.MethodPost, "", nil, bytes.NewReader(body))
	if err != nil {
		return err
	}
	var online struct {
		Rows []map[string]float64 `json:"rows"`
	}
	if err := decode(res, &online); err != nil {
		return err
	}
	took := time.Since(began)
	same, values := 0, 0
	for _, c := range d.table.columns {
		for i := range d.table.rows {
			values++
			if i < len(online.Rows) && i < len(offline[c]) && math.Float64bits(online.Rows[i][c]) == math.Float64bits(offline[c][i]) {
				same++
			}
		}
	}
	d.claim(same == values && values == len(d.table.rows)*len(d.table.columns), "%d of %d values are bit-for-bit equal to the Parquet file's", same, values)
	d.claim(res.Header.Get("Weir-Plugin-Digest") == d.digest, "the function answered with %s", res.Header.Get("Weir-Plugin-Digest"))
	d.say("%d rows in one request: %.1f ms", len(online.Rows), ms(took))
	d.next("curl http://%s/fn/standardize -d '{\"rows\":[…]}'", d.host.HTTP)
	return nil
}

// columns reads a dataset's numeric columns from the host's JSON, which writes floats so that they read back to the same bits.
func (d *demo) columns(ctx context.Context, ref string, rows int) (map[string][]float64, error) {
	r, err := d.c.DatasetData(ctx, ref, "json", rows)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var doc struct {
		Rows []map[string]any `json:"rows"`
	}
	if err := json.NewDecoder(r).Decode(&doc); err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, err)
	}
	out := map[string][]float64{}
	for _, row := range doc.Rows {
		for k, v := range row {
			if f, ok := v.(float64); ok {
				out[k] = append(out[k], f)
			}
		}
	}
	return out, nil
}

// apply applies manifests and wants them ready.
func (d *demo) apply(ctx context.Context, manifests ...string) error {
	results, err := d.c.Apply(ctx, []byte(strings.Join(manifests, "")), false)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.State != "ready" {
			return fmt.Errorf("%s %s is %s: %s", r.Kind, r.Name, r.State, r.Reason)
		}
		d.say("applied %s %s: %s", r.Kind, r.Name, r.Action)
	}
	return nil
}

// decode reads a function's JSON answer; another status than 200 is an error with the body's text.
func decode(res *http.Response, v any) error {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.300s", res.Status, body)
	}
	return json.Unmarshal(body, v)
}

func jsonFloats(v []float64) string {
	b, _ := json.Marshal(v) // finite numbers always marshal
	return string(b)
}
