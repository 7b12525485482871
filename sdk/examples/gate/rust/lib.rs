//! Passes a candidate that is good enough and not much worse than the baseline.

use weir::{fail, json, Description, Gate, Outcome, Plugin, Result, Verdict};

struct Threshold {
    metric: String,
    min: f64,
    max_drop: f64,
}

/// The figure of a metric in `{"metrics":{…}}`; None when it is not there, or no number.
fn figure(r: &mut json::Reader, metric: &str) -> Result<Option<f64>> {
    let mut figure = None;
    r.object_or_skip(|r, key| match key {
        "metrics" => r.object_or_skip(|r, key| {
            let value = r.number_or_skip()?;
            if key == metric {
                figure = value;
            }
            Ok(())
        }),
        _ => r.skip(),
    })?;
    Ok(figure)
}

/// A figure in six decimals, rounded by arithmetic that every language has.
fn six(v: f64) -> String {
    if v.abs() >= 1e9 {
        return if v > 0.0 { "over 999999999".into() } else { "under -999999999".into() };
    }
    let a = v.abs() * 1000000.0;
    let n = a as u64;
    let n = if a - n as f64 >= 0.5 { n + 1 } else { n };
    format!("{}{}.{:06}", if v < 0.0 && n > 0 { "-" } else { "" }, n / 1000000, n % 1000000)
}

impl Plugin for Threshold {
    const DESCRIPTION: Description = Description {
        name: "gate",
        version: "1.0.0",
        summary: "Passes a candidate that is good enough and not much worse than the baseline.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["metric","min","max_drop"],"properties":{
            "metric":{"type":"string","minLength":1},"min":{"type":"number"},"max_drop":{"type":"number","minimum":0}}}"#,
        ..Description::EMPTY
    };

    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut metric, mut min, mut max_drop) = (None, None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "metric" => metric = Some(r.string()?),
                "min" => min = Some(r.number()?),
                "max_drop" => max_drop = Some(r.number()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let metric = metric.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("metric"))?;
        let max_drop = max_drop.ok_or_else(|| r.missing("max_drop"))?;
        if max_drop < 0.0 {
            return fail!("parameters: \"max_drop\" must not be negative");
        }
        Ok(Threshold { metric, min: min.ok_or_else(|| r.missing("min"))?, max_drop })
    }
}

impl Gate for Threshold {
    fn gate(&mut self, context: &[u8]) -> Result<Verdict> {
        let (mut candidate, mut baseline) = (None, None);
        let mut r = json::Reader::new("context", context);
        r.object(|r, key| {
            match key {
                "candidate" => candidate = figure(r, &self.metric)?,
                "baseline" => baseline = figure(r, &self.metric)?,
                _ => r.skip()?,
            }
            Ok(())
        })?;
        r.end()?;
        let mut evidence = json::Writer::new();
        evidence.begin_object().key("candidate").number_or_null(candidate).key("baseline").number_or_null(baseline).end_object();
        let evidence = evidence.finish();
        let metric = &self.metric;
        let c = match candidate {
            Some(c) => c,
            None => return Ok(Verdict { outcome: Outcome::Review, reasons: vec![format!("the candidate has no finite {}", metric)], evidence }),
        };
        let mut reasons = Vec::new();
        if c < self.min {
            reasons.push(format!("{} {} is below the minimum {}", metric, six(c), six(self.min)));
        }
        match baseline {
            Some(b) if b - c > self.max_drop => {
                reasons.push(format!("{} {} drops by {} from the baseline {}, more than the {} allowed", metric, six(c), six(b - c), six(b), six(self.max_drop)))
            }
            _ => {}
        }
        if !reasons.is_empty() {
            return Ok(Verdict { outcome: Outcome::Fail, reasons, evidence });
        }
        let good = format!("{} {} is at least the minimum {}", metric, six(c), six(self.min));
        let reason = match baseline {
            Some(b) => format!("{} and drops by no more than {} from the baseline {}", good, six(self.max_drop), six(b)),
            None => format!("{}; there is no baseline", good),
        };
        Ok(Verdict { outcome: Outcome::Pass, reasons: vec![reason], evidence })
    }
}

weir::export!(Threshold: gate);

#[cfg(test)]
mod tests {
    use super::six;

    #[test]
    fn six_decimals() {
        for (v, text) in [
            (0.9, "0.900000"),
            (0.0000005, "0.000001"),
            (-0.0000004, "0.000000"),
            (-1.5, "-1.500000"),
            (999999999.9999999, "1000000000.000000"),
            (1e9, "over 999999999"),
            (-1e300, "under -999999999"),
        ] {
            assert_eq!(six(v), text);
        }
    }
}
