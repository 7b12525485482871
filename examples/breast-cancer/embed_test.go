package breastcancer

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"strconv"
	"testing"
)

// The parameters must be those of the CSV's train split in the CSV's column order, and the three models must rank as their
// names say: demos and gates rest on both.
func TestFilesAgree(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(CSV)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	header, rows := rows[0], rows[1:]
	if len(rows) != 569 || len(header) != 33 {
		t.Fatalf("%d rows of %d columns, want 569 of 33", len(rows), len(header))
	}
	var params struct {
		Columns []struct {
			Name      string
			Mean, Std float64
		}
	}
	if err := json.Unmarshal(Standardize, &params); err != nil {
		t.Fatal(err)
	}
	if len(params.Columns) != 30 {
		t.Fatalf("%d standardize columns, want 30", len(params.Columns))
	}
	for i, p := range params.Columns {
		if header[i+1] != p.Name {
			t.Fatalf("column %d is %q in the CSV, %q in standardize.json", i, header[i+1], p.Name)
		}
		var n, sum, squares float64
		for _, r := range rows {
			if r[32] == "train" {
				v, err := strconv.ParseFloat(r[i+1], 64)
				if err != nil {
					t.Fatal(err)
				}
				n, sum, squares = n+1, sum+v, squares+v*v
			}
		}
		mean := sum / n
		std := math.Sqrt(squares/n - mean*mean)
		if math.Abs(mean-p.Mean) > 1e-9*math.Abs(mean) || math.Abs(std-p.Std) > 1e-6*std {
			t.Errorf("%s: mean %g, std %g from the train split; standardize.json has %g, %g", p.Name, mean, std, p.Mean, p.Std)
		}
	}
}

func TestModelsRank(t *testing.T) {
	var m struct {
		Models map[string]struct {
			HeldOut struct {
				Accuracy float64 `json:"accuracy"`
				LogLoss  float64 `json:"log_loss"`
				ROCAUC   float64 `json:"roc_auc"`
			} `json:"held_out"`
		} `json:"models"`
	}
	if err := json.Unmarshal(Metrics, &m); err != nil {
		t.Fatal(err)
	}
	order := []string{"worse", "model", "better"}
	for i := range order[1:] {
		a, b := m.Models[order[i]].HeldOut, m.Models[order[i+1]].HeldOut
		if !(a.Accuracy < b.Accuracy && a.LogLoss > b.LogLoss && a.ROCAUC < b.ROCAUC) {
			t.Errorf("%s %+v is not worse than %s %+v", order[i], a, order[i+1], b)
		}
	}
	for name, b := range map[string][]byte{"model": Model, "worse": WorseModel, "better": BetterModel} {
		if len(b) == 0 {
			t.Errorf("%s.onnx is empty", name)
		}
	}
}
