// Command cross-time hashes the cross of two text columns into buckets, and takes a time apart: its hour, the day of the week, the month,
// and the hour as a point on a circle. Calendar: H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days. (Package
// time would do as well, and make the module larger.)
package main

import (
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
)

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "cross-time", Version: "1.0.0", Summary: "Hashes the cross of two texts, and takes a time apart.",
			Worlds: []abi.World{abi.WorldTransform}, Parameters: parameters,
		},
		Init:      initialise,
		Schema:    schema,
		Transform: transform,
	})
}

func main() {}

const maxBuckets = 2147483647

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"a", "b", "time", "buckets"},
	"properties": map[string]any{
		"a":       map[string]any{"type": "string", "minLength": 1},
		"b":       map[string]any{"type": "string", "minLength": 1},
		"time":    map[string]any{"type": "string", "minLength": 1},
		"buckets": map[string]any{"type": "integer", "minimum": 1, "maximum": maxBuckets},
	},
}

var (
	a, b, time string
	buckets    uint64

	arena guest.Arena
	out   abi.Batch
)

func initialise(params []byte) error {
	var given float64
	r := json.NewReader(params)
	r.Object(func(name string) {
		switch name {
		case "a":
			a = r.Text()
		case "b":
			b = r.Text()
		case "time":
			time = r.Text()
		case "buckets":
			given = r.Number()
		default:
			r.Unknown(name)
		}
	})
	if err := r.End(); err != nil {
		return guest.Errorf("parameters: %w", err)
	}
	if !(given >= 1 && given <= maxBuckets && given == float64(uint64(given))) {
		return guest.Errorf("parameters: buckets must be a whole number from 1 to %d, not %v", maxBuckets, given)
	}
	buckets = uint64(given)
	switch {
	case a == "" || b == "" || time == "":
		return guest.Errorf(`parameters: "a", "b" and "time" are needed`)
	case a == b || a == time:
		return guest.Errorf("parameters: column %q is given twice", a)
	case b == time:
		return guest.Errorf("parameters: column %q is given twice", b)
	}
	return nil
}

func schema() abi.Schema {
	return abi.Schema{
		Inputs: []abi.Field{{Name: a, Type: abi.UTF8}, {Name: b, Type: abi.UTF8}, {Name: time, Type: abi.Timestamp}},
		Outputs: []abi.Field{
			{Name: a + "_x_" + b, Type: abi.Int64},
			{Name: time + "_hour", Type: abi.Int32}, {Name: time + "_day_of_week", Type: abi.Int32}, {Name: time + "_month", Type: abi.Int32},
			{Name: time + "_hour_sin", Type: abi.Float64}, {Name: time + "_hour_cos", Type: abi.Float64},
		},
	}
}

// fnv1a continues a hash over b (http://www.isthe.com/chongo/tech/comp/fnv/).
func fnv1a(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func cross(x, y []byte) int64 {
	const offset = 14695981039346656037
	return int64(fnv1a(fnv1a(fnv1a(offset, x), []byte{0x1f}), y) % buckets)
}

const microsecondsPerHour, microsecondsPerDay = 3_600_000_000, 86_400_000_000

// floorMod is n modulo d, from 0 to d - 1; floorDiv is n / d rounded towards minus infinity.
func floorMod(n, d int64) int64 {
	if n %= d; n < 0 {
		n += d
	}
	return n
}

func floorDiv(n, d int64) int64 {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}

// calendar is the hour, the day of the week (Monday is 0) and the month of a time.
func calendar(t int64) (hour, weekday, month int32) {
	day := floorDiv(t, microsecondsPerDay)
	doe := floorMod(day+719468, 146097) // days since 0000-03-01, and within an era of 400 years
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153 // months since March
	if month = int32(mp) + 3; mp >= 10 {
		month -= 12
	}
	return int32(floorMod(t, microsecondsPerDay) / microsecondsPerHour), int32(floorMod(day+3, 7)), month
}

// circle is sin(2 pi h / 24); the cosine is six hours ahead.
var circle = [30]float64{
	0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
	1, 0.9659258262890683, 0.8660254037844386, 0.7071067811865476, 0.5, 0.25881904510252074,
	0, -0.25881904510252074, -0.5, -0.7071067811865476, -0.8660254037844386, -0.9659258262890683,
	-1, -0.9659258262890683, -0.8660254037844386, -0.7071067811865476, -0.5, -0.25881904510252074,
	0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
}

func transform(in *abi.Batch) (*abi.Batch, error) {
	x, y, t := in.Column(a), in.Column(b), in.Column(time)
	switch {
	case x == nil || x.Type != abi.UTF8:
		return nil, guest.Errorf("input column %q is missing or not utf8", a)
	case y == nil || y.Type != abi.UTF8:
		return nil, guest.Errorf("input column %q is missing or not utf8", b)
	case t == nil || t.Type != abi.Timestamp:
		return nil, guest.Errorf("input column %q is missing or not timestamp", time)
	}
	arena.Reset()
	crosses, sines, cosines := arena.Int64s(in.Rows), arena.Float64s(in.Rows), arena.Float64s(in.Rows)
	hours, weekdays, months := arena.Int32s(in.Rows), arena.Int32s(in.Rows), arena.Int32s(in.Rows)
	both := arena.Bytes(abi.BitmapBytes(in.Rows))
	clear(both)
	for r := range in.Rows {
		if !x.IsNull(r) && !y.IsNull(r) {
			crosses[r] = cross(x.BytesAt(r), y.BytesAt(r))
			abi.SetBit(both, r)
		}
	}
	for r, at := range t.Int64s() { // of nulls, too: that costs less than asking
		hours[r], weekdays[r], months[r] = calendar(at)
		sines[r], cosines[r] = circle[hours[r]], circle[hours[r]+6]
	}
	out.Rows, out.Columns = in.Rows, append(out.Columns[:0], abi.Int64Column(a+"_x_"+b, crosses),
		abi.Int32Column(time+"_hour", hours), abi.Int32Column(time+"_day_of_week", weekdays), abi.Int32Column(time+"_month", months),
		abi.Float64Column(time+"_hour_sin", sines), abi.Float64Column(time+"_hour_cos", cosines))
	out.Columns[0].Validity = both
	for i := 1; i < len(out.Columns); i++ {
		out.Columns[i].Validity = t.Validity
	}
	return &out, nil
}
