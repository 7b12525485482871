package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (s *session) predictCommand() *cobra.Command {
	var features, rows string
	var all bool
	c := &cobra.Command{
		Use: "predict MODEL --features VALUES|@file.csv|@file.json", Short: "Ask a model", Args: args(1, 1),
		Long: "Ask a model. --features takes one row of numbers joined by commas, a JSON matrix ([[1,2],[3,4]]), @file.csv or @file.json.\n" +
			"A CSV file whose first line is no numbers has named columns; a JSON file holds a whole request\n" +
			"({\"features\":[[…]]}, {\"rows\":[{…}]} or {\"columns\":{…}}). --rows takes a JSON array of objects.",
		RunE: func(cmd *cobra.Command, a []string) error {
			body, err := s.predictBody(features, rows)
			if err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			p, err := c.PredictJSON(cmd.Context(), a[0], bytes.NewReader(body), all)
			if err != nil {
				return err
			}
			var values []json.RawMessage
			if err := json.Unmarshal(p.Predictions, &values); err != nil {
				values = []json.RawMessage{p.Predictions} // a scalar
			}
			return s.show(p, func(w io.Writer) {
				line(w, "ROW", "PREDICTION")
				for i, v := range values {
					line(w, i, string(v))
				}
				for name, v := range p.Outputs {
					fmt.Fprintf(w, "output %s:\t%s\n", name, v)
				}
				fmt.Fprintf(w, "model version:\t%s\n", p.ModelVersion)
			})
		},
	}
	c.Flags().StringVar(&features, "features", "", "rows of numbers")
	c.Flags().StringVar(&rows, "rows", "", "rows of named columns, as a JSON array of objects; @file reads it from a file")
	c.Flags().BoolVar(&all, "all", false, "show every output of the model")
	return c
}

func (s *session) predictBody(features, rows string) ([]byte, error) {
	if (features == "") == (rows == "") {
		return nil, wrong("give either --features or --rows")
	}
	if rows != "" {
		raw, err := s.argument(rows)
		return wrap(`{"rows":`, raw), err
	}
	raw, err := s.argument(features)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(raw))
	switch {
	case strings.HasPrefix(text, "{"):
		return raw, nil
	case strings.HasPrefix(text, "[["):
		return wrap(`{"features":`, raw), nil
	case strings.HasPrefix(text, "["):
		return []byte(`{"features":[` + text + `]}`), nil
	}
	return bodyOfCSV(text)
}

func wrap(head string, raw []byte) []byte {
	return append(append([]byte(head), raw...), '}')
}

// bodyOfCSV makes a request of CSV: a matrix when every line is numbers, named columns when the first line is not.
// An empty field is null.
func bodyOfCSV(text string) ([]byte, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace = true
	records, err := r.ReadAll()
	if err != nil {
		return nil, wrong("--features: %v", err)
	}
	if len(records) == 0 {
		return nil, wrong("--features is empty")
	}
	numbers := true
	for _, f := range records[0] {
		numbers = numbers && (f == "" || isNumber(f))
	}
	if numbers {
		var b bytes.Buffer
		b.WriteString(`{"features":[`)
		for i, rec := range records {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('[')
			for j, f := range rec {
				if j > 0 {
					b.WriteByte(',')
				}
				v, ok := jsonNumber(f)
				if !ok {
					return nil, wrong("--features: line %d, field %d: %q is not a number", i+1, j+1, f)
				}
				b.WriteString(v)
			}
			b.WriteByte(']')
		}
		b.WriteString("]}")
		return b.Bytes(), nil
	}
	columns := map[string][]json.RawMessage{}
	for j, name := range records[0] {
		column := make([]json.RawMessage, 0, len(records)-1)
		for _, rec := range records[1:] {
			if v, ok := jsonNumber(rec[j]); ok {
				column = append(column, json.RawMessage(v))
				continue
			}
			v, err := json.Marshal(rec[j])
			if err != nil {
				return nil, err
			}
			column = append(column, v)
		}
		columns[name] = column
	}
	return json.Marshal(map[string]any{"columns": columns})
}

func isNumber(f string) bool { _, err := strconv.ParseFloat(f, 64); return err == nil }

// jsonNumber writes a CSV field as the API takes it; ok is false for text.
func jsonNumber(f string) (string, bool) {
	if f == "" {
		return "null", true
	}
	v, err := strconv.ParseFloat(f, 64)
	if err != nil {
		return "", false
	}
	switch {
	case v != v:
		return `"NaN"`, true
	case v-v != 0:
		return map[bool]string{true: `"Infinity"`, false: `"-Infinity"`}[v > 0], true
	case json.Valid([]byte(f)):
		return f, true // as it is written: no digit is lost
	}
	return strconv.FormatFloat(v, 'g', -1, 64), true
}
