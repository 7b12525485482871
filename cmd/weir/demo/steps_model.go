package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
	"github.com/weir-ml/weir/sdk/client"
)

// prediction is what the model says of one row.
type prediction struct {
	label         int64
	probabilities []float64
}

type heldOutFigs struct {
	accuracy, logLoss float64
}

// serveModel serves the classifier and scores it on rows it has not seen.
func (d *demo) serveModel(ctx context.Context) error {
	d.title("Serve the model over HTTP")
	if err := d.deploy(ctx, "breast-cancer", "1", breastcancer.Model); err != nil {
		return err
	}
	var lat []time.Duration
	figs, err := d.score(ctx, "breast-cancer", func(id string, p prediction, took time.Duration) {
		d.http[id] = p
		lat = append(lat, took)
	})
	if err != nil {
		return err
	}
	for range 5 { // more requests for steadier quantiles
		if _, err := d.score(ctx, "breast-cancer", func(_ string, _ prediction, took time.Duration) { lat = append(lat, took) }); err != nil {
			return err
		}
	}
	want := d.table.metrics.Models["model"].HeldOut
	d.claim(figs.accuracy == want["accuracy"], "accuracy on %d held-out rows: %.4f, as training measured", len(d.table.test), figs.accuracy)
	d.claim(math.Abs(figs.logLoss-want["log_loss"]) < 1e-5, "log loss %.5f (training: %.5f; float32 probabilities, tolerance 1e-5)", figs.logLoss, want["log_loss"])
	slices.Sort(lat)
	d.say("one row a request, one connection, %d requests: p50 %.2f ms, p99 %.2f ms", len(lat), ms(lat[len(lat)/2]), ms(lat[len(lat)*99/100]))
	m, err := d.c.Model(ctx, "breast-cancer")
	if err != nil {
		return err
	}
	d.say("device %s, pre-processing by %.19s…", m.Device, m.PreprocessDigest)
	d.next("curl http://%s/models/breast-cancer/predict -d '{\"features\":[%s…]]}'", d.host.HTTP, strings.TrimSuffix(jsonFloats(d.table.test[0].features[:3]), "]"))
	return nil
}

// deploy uploads ONNX bytes and applies a model of them.
func (d *demo) deploy(ctx context.Context, name, version string, onnx []byte) error {
	blob, err := d.c.PutBlob(ctx, bytes.NewReader(onnx))
	if err != nil {
		return err
	}
	return d.apply(ctx, model(name, version, blob.Digest))
}

// score predicts each held-out row in a request of its own and scores the answers.
func (d *demo) score(ctx context.Context, model string, each func(id string, p prediction, took time.Duration)) (heldOutFigs, error) {
	right, loss := 0, 0.0
	for _, r := range d.table.test {
		body := `{"features":[` + jsonFloats(r.features) + `]}`
		began := time.Now()
		ans, err := d.c.PredictJSON(ctx, model, strings.NewReader(body), true)
		took := time.Since(began)
		if err != nil {
			return heldOutFigs{}, fmt.Errorf("row %d: %w", r.id, err)
		}
		p, err := parsePrediction(ans)
		if err != nil {
			return heldOutFigs{}, fmt.Errorf("row %d: %w", r.id, err)
		}
		if p.label == r.target {
			right++
		}
		loss -= math.Log(p.probabilities[r.target])
		if each != nil {
			each(strconv.FormatInt(r.id, 10), p, took)
		}
	}
	n := float64(len(d.table.test))
	return heldOutFigs{float64(right) / n, loss / n}, nil
}

func parsePrediction(a client.Prediction) (p prediction, err error) {
	var labels []int64
	var probs [][]float64
	if err = json.Unmarshal(a.Predictions, &labels); err == nil {
		err = json.Unmarshal(a.Outputs["probabilities"], &probs)
	}
	if err != nil {
		return p, fmt.Errorf("unexpected answer %s %s: %w", a.Predictions, a.Outputs, err)
	}
	if len(labels) != 1 || len(probs) != 1 || len(probs[0]) != 2 {
		return p, fmt.Errorf("unexpected answer %s %s", a.Predictions, a.Outputs)
	}
	return prediction{labels[0], probs[0]}, nil
}

// catchDrift shifts two measurements of the held-out rows and asks the monitor which moved.
func (d *demo) catchDrift(ctx context.Context) error {
	d.title("Shift two measurements and see PSI catch exactly those")
	if err := d.apply(ctx, driftMonitor()); err != nil {
		return err
	}
	shifted := []string{"mean_texture", "worst_smoothness"}
	sql := "SELECT * FROM measurements WHERE split = 'test'"
	if _, err := d.c.BuildDataset(ctx, "today", client.Build{SQL: sql, Inputs: []string{"measurements"}}); err != nil {
		return err
	}
	moved := sql
	for _, c := range shifted { // by one standard deviation of the rows themselves
		moved = fmt.Sprintf("SELECT * REPLACE (%s + stddev_pop(%s) OVER () AS %s) FROM (%s)", c, c, c, moved)
	}
	if _, err := d.c.BuildDataset(ctx, "today-shifted", client.Build{SQL: moved, Inputs: []string{"measurements"}}); err != nil {
		return err
	}
	calm, err := d.c.RunMonitor(ctx, "measurements", "today")
	if err != nil {
		return err
	}
	d.claim(len(calm.DriftedColumns) == 0 && len(calm.Columns) == len(d.table.columns), "held-out rows as they are: %d of %d measurements drifted (PSI ≥ %g, %d rows against %d)",
		len(calm.DriftedColumns), len(calm.Columns), calm.Threshold, calm.Current.Rows, calm.Reference.Rows)
	storm, err := d.c.RunMonitor(ctx, "measurements", "today-shifted")
	if err != nil {
		return err
	}
	highest := 0.0
	for _, c := range storm.Columns {
		if c.Value == nil {
			return fmt.Errorf("%s has no score: %s", c.Column, c.Note)
		}
		if slices.Contains(shifted, c.Column) {
			d.say("%-18s PSI %.3f  %s", c.Column, *c.Value, c.Verdict)
		} else {
			highest = max(highest, *c.Value)
		}
	}
	d.claim(slices.Equal(storm.DriftedColumns, shifted), "with %s shifted by one standard deviation, drifted are exactly %v (the highest of the others: %.3f)", strings.Join(shifted, " and "), storm.DriftedColumns, highest)
	d.next("weir drift measurements --current today-shifted --server http://%s", d.host.HTTP)
	return nil
}

// gateCandidates lets a gate judge a worse and a better model against the serving one.
func (d *demo) gateCandidates(ctx context.Context) error {
	d.title("Let a gate judge two candidates against the serving model")
	if err := d.deploy(ctx, "candidate-worse", "2", breastcancer.WorseModel); err != nil {
		return err
	}
	if err := d.deploy(ctx, "candidate-better", "3", breastcancer.BetterModel); err != nil {
		return err
	}
	if err := d.apply(ctx, promotionGate()); err != nil {
		return err
	}
	baseline, err := d.subject(ctx, "breast-cancer", "1")
	if err != nil {
		return err
	}
	for _, c := range []struct{ name, version, want string }{{"candidate-worse", "2", "fail"}, {"candidate-better", "3", "pass"}} {
		cand, err := d.subject(ctx, c.name, c.version)
		if err != nil {
			return err
		}
		dec, err := d.c.Evaluate(ctx, "promotion", client.Evaluation{Candidate: cand, Baseline: &baseline})
		if err != nil {
			return err
		}
		verb := map[string]string{"fail": "refused", "pass": "let through"}[c.want]
		d.claim(dec.Outcome == c.want, "%s (accuracy %.4f, log loss %.4f) is %s: %s", c.name, cand.Metrics["accuracy"], cand.Metrics["log_loss"], verb, strings.Join(dec.Reasons, "; "))
		stored, err := d.c.Decision(ctx, "promotion", dec.ID)
		if err != nil {
			return err
		}
		d.claim(stored.Outcome == dec.Outcome && stored.Evidence.SHA256 == dec.Evidence.SHA256, "the verdict is stored with its evidence: %s", dec.ID)
	}
	d.next("curl http://%s/api/v1/gates/promotion/decisions", d.host.HTTP)
	return nil
}

// subject measures a served model on the held-out rows.
func (d *demo) subject(ctx context.Context, model, version string) (client.Subject, error) {
	f, err := d.score(ctx, model, nil)
	return client.Subject{Name: model, Version: version, Metrics: map[string]float64{"accuracy": f.accuracy, "log_loss": f.logLoss}}, err
}
