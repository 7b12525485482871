package plugintest

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestReadValues(t *testing.T) {
	cases, err := Read(strings.NewReader(`[{"name":"n","parameters":{"a":[1]},"tolerance":1e-9,
		"input":[
			{"name":"b","type":"bool","values":[true,null]},
			{"name":"i","type":"int64","values":[9223372036854775807,-1]},
			{"name":"t","type":"timestamp","values":[-5,null]},
			{"name":"f","type":"float64","values":["NaN",-0.0]},
			{"name":"g","type":"float32","values":[0.1,"-Infinity"]},
			{"name":"s","type":"utf8","values":["é",""]},
			{"name":"y","type":"binary","values":["AQI=",null]},
			{"name":"v","type":"float_vector","list_size":2,"values":[[1,"NaN"],null]}],
		"output":[{"name":"o","type":"int32","values":[1,2]}]}]`))
	if err != nil {
		t.Fatal(err)
	}
	c := cases[0]
	in := c.Input
	if c.World != abi.WorldTransform || string(c.Parameters) != `{"a":[1]}` || c.Tolerance != 1e-9 || in.Rows != 2 {
		t.Errorf("%+v", c)
	}
	if err := in.Validate(); err != nil {
		t.Error(err)
	}
	var got []string
	for r := range 2 {
		for i := range in.Columns {
			got = append(got, render(&in.Columns[i], r))
		}
	}
	want := `true 9223372036854775807 -5 NaN 0.1 "é" "AQI=" [1,NaN] null -1 null -0 -Infinity "" null null`
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	if bits := math.Float64bits(in.Columns[3].Float64s()[0]); bits != 0x7ff8000000000000 {
		t.Errorf("NaN is %x", bits)
	}
}

func TestReadRefuses(t *testing.T) {
	column := func(kind, values string) string {
		return `[{"name":"n","input":[{"name":"x","type":"` + kind + `","values":[` + values + `]}],"output":[]}]`
	}
	for _, tc := range []struct{ doc, want string }{
		{``, "vectors: byte 0: unexpected EOF"},
		{`{}`, "an array is expected, not {"},
		{`[] x`, "nothing may follow"},
		{"[\"\xff\"]", "not UTF-8"},
		{`[{}]`, `case 1: "name" is missing`},
		{`[{"name":"a"}]`, `case 1 ("a"): there is nothing to test`},
		{`[{"name":"a","nam":1}]`, `case 1 ("a"): nam: unknown member`},
		{`[{"name":"a","Name":"b"}]`, `case 1 ("a"): Name: unknown member`},
		{`[{"name":"a","name":"b"}]`, "name: given twice"},
		{`[{"name":"a","error":"x"},{"name":"a","error":"x"}]`, `case 2 ("a"): another case has this name`},
		{`[{"name":"a","input":[],"error":"x","scores":[]}]`, "one case tests one world"},
		{`[{"name":"a","output":[]}]`, `"input" is missing`},
		{`[{"name":"a","reference":[],"scores":[]}]`, `"current" is missing`},
		{`[{"name":"a","context":{}}]`, `give "outcome" or "error"`},
		{`[{"name":"a","context":{},"error":"x","reasons":[]}]`, `"reasons" cannot stand beside "error"`},
		{`[{"name":"a","context":{},"outcome":"passed"}]`, `outcome: "passed" is none of`},
		{`[{"name":"a","context":{},"outcome":"pass","tolerance":-1}]`, "tolerance: -1 is negative"},
		{`[{"name":"a","context":{},"outcome":"pass","merge_tolerance":1}]`, "only a metric merges"},
		{`[{"name":"a","context":{},"outcome":null}]`, "outcome: null is no value"},
		{`[{"name":"a","request":{"kind":"htp"},"response":{}}]`, `request: kind: "htp" is neither`},
		{`[{"name":"a","request":{"kind":"http","body":"","text":""},"response":{}}]`, "not both"},
		{`[{"name":"a","request":{"kind":"http"},"response":{"Status":1}}]`, "response: Status: unknown member"},
		{`[{"name":"a","reference":[],"current":[],"scores":[{"name":"s"}]}]`, `scores[0]: "value" is missing`},
		{`[{"name":"a","reference":[],"current":[],"scores":[{"value":1}]}]`, `scores[0]: "name" is missing`},
		{`[{"name":"a","input":[{"name":"x","type":"float64"}],"output":[]}]`, `input[0]: "values" is missing`},
		{`[{"name":"a","input":[{"name":"x","values":[]}],"output":[]}]`, `input[0]: "type" is missing`},
		{`[{"name":"a","input":[{"name":"x","type":"int32","values":[1]},{"name":"y","type":"int32","values":[]}],"output":[]}]`, "input[1]: values: 0 rows, columns before it have 1"},
		{`[{"name":"a","input":[{"name":"x","type":"int32","values":[1]},{"name":"x","type":"int32","values":[1]}],"output":[]}]`, `column "x" is there already`},
		{`[{"name":"a","input":[{"name":"x","type":"int32","list_size":1,"values":[1]}],"output":[]}]`, "list_size: only a float_vector"},
		{`[{"name":"a","input":[{"name":"x","type":"int32","values":[1]}],"output":[]}]`, "output: 0 rows, the input has 1"},
		{column("float65", ``), "input[0]: type: unknown column type"},
		{column("int32", `1.5`), "input[0]: values[0]: 1.5 is no int32"},
		{column("int32", `2147483648`), "out of range"},
		{column("int64", `"1"`), "is no int64"},
		{column("float64", `1,"nan"`), `input[0]: values[1]: "nan" is no float64`},
		{column("float64", `1e999`), "out of range"},
		{column("float64", `[]`), "is no float64"},
		{column("bool", `0`), "input[0]: values[0]: a JSON number where a bool"},
		{column("utf8", `1`), "values[0]"},
		{column("binary", `"*"`), "values[0]"},
		{column("binary", `[1]`), "binary is base64"},
		{column("float_vector", `[1]`), "list_size: 0 is not"},
	} {
		_, err := Read(strings.NewReader(tc.doc))
		if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s\ngot  %v\nwant %s", tc.doc, err, tc.want)
		}
	}
}

func TestReadCSV(t *testing.T) {
	c, err := ReadCSV("n", strings.NewReader("age:float64,city:utf8,raw:binary,at:timestamp,e:float_vector[2],ok:bool,n:int32\n"+
		"1.5,\"a,b\",AQI=,2025-01-01T00:00:00Z,1 NaN,true,-3\n"+
		",,,,,,\n"+
		`\N,\N,\N,5,\N,false,\N`+"\n"), strings.NewReader("x:y:float32\n1\n2\n3\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := range c.Input.Rows {
		for i := range c.Input.Columns {
			got = append(got, render(&c.Input.Columns[i], r))
		}
	}
	want := `1.5 "a,b" "AQI=" 1735689600000000 [1,NaN] true -3 null "" "" null null null null null null null 5 null false null`
	if strings.Join(got, " ") != want || c.Output.Columns[0].Name != "x:y" {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	for _, tc := range []struct{ in, out, want string }{
		{"", "x:int32\n", "input: the file is empty"},
		{"x\n", "x:int32\n", `input: line 1, column 1: "x" is not name:type`},
		{"x:int\n", "x:int32\n", "unknown column type"},
		{"x:int32,x:int32\n", "x:int32\n", "column 2: column \"x\" is there already"},
		{"x:int32\n1\n", "x:int32\n", "expected: 0 rows, the input has 1"},
		{"x:int32\n", "x:int32\n1\nfour\n", `expected: line 3, column "x": four is no int32`},
		{"x:int32\n1,2\n", "x:int32\n", "wrong number of fields"},
		{"x:bool\n1\n", "x:bool\n", "neither true nor false"},
		{"x:binary\n*\n", "x:bool\n", "not base64"},
		{"x:utf8\n\xff\n", "x:bool\n", "not UTF-8"},
		{"x:float_vector[2]\n1\n", "x:bool\n", "1 elements, the list size is 2"},
		{"x:float_vector[y]\n1\n", "x:bool\n", "has no list size"},
		{"x:float64\n0x10\n", "x:bool\n", "0x10 is no float64"},
	} {
		if _, err := ReadCSV("n", strings.NewReader(tc.in), strings.NewReader(tc.out)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q, %q: got %v, want %s", tc.in, tc.out, err, tc.want)
		}
	}
}

// FuzzRead: whatever is accepted makes whole batches, and names its cases.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("../../../plugins/*/testdata/vectors.json")
	if err != nil || len(files) < 4 {
		f.Fatalf("%d seeds, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:min(len(raw), 2000)])
		if len(raw) < 8000 {
			f.Add(raw)
		}
	}
	f.Add([]byte(`[{"name":"r","request":{"kind":"event","text":"x"},"response":{"status":204,"headers":{"A":["b"]},"body":"eA=="}}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		cases, err := Read(strings.NewReader(string(raw)))
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		for _, c := range cases {
			if c.Name == "" || c.World == "" && c.Error == "" {
				t.Fatalf("%+v", c)
			}
			whole(t, c)
		}
	})
}

// whole checks what the engine relies on.
func whole(t *testing.T, c Case) {
	for _, b := range []*abi.Batch{c.Input, c.Output, c.Reference, c.Current} {
		if b == nil {
			continue
		}
		if err := b.Validate(); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if d := differ(b, b, 0); d != "" {
			t.Fatalf("%s differs from itself: %s", c.Name, d)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("x:float64,s:utf8\n1,a\n,\\N\n")
	f.Add("e:float_vector[2],at:timestamp\n1 2,2025-01-01T00:00:00.5Z\n")
	f.Add("a:binary,b:bool,i:int32\nAQI=,true,7\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadCSV("n", strings.NewReader(text), strings.NewReader(text))
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		whole(t, c)
	})
}
