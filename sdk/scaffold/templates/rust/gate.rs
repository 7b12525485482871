//! PLUGIN_NAME passes a candidate whose metric is high enough.
//!
//! A gate answers pass, fail or review (a person must look), with reasons that a person can read and the figures they rest on.

use weir::{json, Description, Gate, Outcome, Plugin, Result, Verdict};

struct AtLeast {
    metric: String,
    min: f64,
}

impl Plugin for AtLeast {
    const DESCRIPTION: Description = Description {
        name: "PLUGIN_NAME",
        version: "0.1.0",
        summary: "Passes a candidate whose metric is high enough.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["metric","min"],"properties":{
            "metric":{"type":"string","minLength":1},"min":{"type":"number"}}}"#,
        ..Description::EMPTY
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut metric, mut min) = (None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "metric" => metric = Some(r.string()?),
                "min" => min = Some(r.number()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let metric = metric.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("metric"))?;
        Ok(AtLeast { metric, min: min.ok_or_else(|| r.missing("min"))? })
    }
}

impl AtLeast {
    /// candidate.metrics[metric]; other members are passed over, and something else than a number is no figure.
    fn figure(&self, context: &[u8]) -> Result<Option<f64>> {
        let mut figure = None;
        let mut r = json::Reader::new("context", context);
        r.object(|r, key| match key {
            "candidate" => r.object_or_skip(|r, key| match key {
                "metrics" => r.object_or_skip(|r, key| {
                    let value = r.number_or_skip()?;
                    if key == self.metric {
                        figure = value;
                    }
                    Ok(())
                }),
                _ => r.skip(),
            }),
            _ => r.skip(),
        })?;
        r.end()?;
        Ok(figure)
    }
}

impl Gate for AtLeast {
    fn gate(&mut self, context: &[u8]) -> Result<Verdict> {
        let figure = self.figure(context)?;
        let (outcome, reason) = match figure {
            None => (Outcome::Review, format!("the candidate has no {}", self.metric)),
            Some(v) => (if v < self.min { Outcome::Fail } else { Outcome::Pass }, format!("{} is {}, the minimum is {}", self.metric, v, self.min)),
        };
        let mut evidence = json::Writer::new();
        evidence.begin_object().key("value").number_or_null(figure).key("min").number(self.min).end_object();
        Ok(Verdict { outcome, reasons: vec![reason], evidence: evidence.finish() })
    }
}

weir::export!(AtLeast: gate);
