package demo

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
)

// table is the example's data as the demo's own reading of the CSV: the yardstick for what the host answers.
type table struct {
	columns []string    // the 30 measurements, in the models' order
	rows    []row       // in file order
	test    []row       // the held-out ones
	metrics exampleFigs // what training measured
}

type row struct {
	id       int64
	features []float64 // in the order of columns
	target   int64     // 0 malignant, 1 benign
}

type exampleFigs struct {
	Models map[string]struct {
		HeldOut map[string]float64 `json:"held_out"`
	} `json:"models"`
}

func readTable() (*table, error) {
	records, err := csv.NewReader(bytes.NewReader(breastcancer.CSV)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the example's table: %w", err)
	}
	var params struct {
		Columns []struct{ Name string }
	}
	if err := json.Unmarshal(breastcancer.Standardize, &params); err != nil {
		return nil, fmt.Errorf("read standardize.json: %w", err)
	}
	t := &table{}
	at := map[string]int{}
	for i, name := range records[0] {
		at[name] = i
	}
	for _, c := range params.Columns {
		t.columns = append(t.columns, c.Name)
	}
	for line, rec := range records[1:] {
		r := row{features: make([]float64, len(t.columns))}
		for i, c := range t.columns {
			if r.features[i], err = strconv.ParseFloat(rec[at[c]], 64); err != nil {
				return nil, fmt.Errorf("line %d, %s: %w", line+2, c, err)
			}
		}
		if r.id, err = strconv.ParseInt(rec[at["id"]], 10, 64); err != nil {
			return nil, err
		}
		if r.target, err = strconv.ParseInt(rec[at["target"]], 10, 64); err != nil {
			return nil, err
		}
		t.rows = append(t.rows, r)
		if rec[at["split"]] == "test" {
			t.test = append(t.test, r)
		}
	}
	if err := json.Unmarshal(breastcancer.Metrics, &t.metrics); err != nil {
		return nil, fmt.Errorf("read metrics.json: %w", err)
	}
	return t, nil
}

// object is the row as an event or a request carries it.
func (t *table) object(r row, id string) map[string]any {
	m := make(map[string]any, len(t.columns)+1)
	for i, c := range t.columns {
		m[c] = r.features[i]
	}
	if id != "" {
		m["id"] = id
	}
	return m
}
