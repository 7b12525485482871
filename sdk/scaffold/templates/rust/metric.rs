//! PLUGIN_NAME compares, between a reference and a current sample, the share of values above a threshold.
//!
//! A metric is a summary that can be split and merged: the host may give the rows in any pieces to several instances and merge
//! their states in any order, and the answer must be the same. Whole numbers add up exactly, sums of floats do not: keep counts.

use weir::{fail, json, Batch, Description, Metric, Plugin, Result, Schema, Score, Side, Type};

/// The first byte of a state.
const VERSION: u8 = 1;

/// Values, and those above the threshold; nulls and NaN are left out.
#[derive(Clone, Copy, Default)]
struct Counts {
    count: u64,
    above: u64,
}

impl Counts {
    fn share(&self) -> f64 {
        self.above as f64 / self.count as f64
    }
}

struct ShareAbove {
    column: String,
    threshold: f64,
    /// The reference, then the current sample.
    sides: [Counts; 2],
}

impl Plugin for ShareAbove {
    const DESCRIPTION: Description = Description {
        name: "PLUGIN_NAME",
        version: "0.1.0",
        summary: "How much the share of values above a threshold has moved.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["column","threshold"],"properties":{
            "column":{"type":"string","minLength":1},"threshold":{"type":"number"}}}"#,
        ..Description::EMPTY
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut column, mut threshold) = (None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "column" => column = Some(r.string()?),
                "threshold" => threshold = Some(r.number()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let column = column.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("column"))?;
        Ok(ShareAbove { column, threshold: threshold.ok_or_else(|| r.missing("threshold"))?, sides: Default::default() })
    }

    fn schema(&self) -> Schema {
        Schema::default().input(&self.column, Type::Float64)
    }
}

impl Metric for ShareAbove {
    fn update(&mut self, side: Side, batch: Batch<'_>) -> Result<()> {
        if batch.columns().is_empty() {
            return Ok(());
        }
        let column = batch.column(&self.column)?;
        let counts = &mut self.sides[side as usize];
        for (row, x) in column.f64s()?.iter().enumerate() {
            if column.is_valid(row) && !x.is_nan() {
                counts.count += 1;
                counts.above += u64::from(*x > self.threshold);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<u8>> {
        let mut state = vec![VERSION];
        for side in &self.sides {
            state.extend(side.count.to_le_bytes());
            state.extend(side.above.to_le_bytes());
        }
        Ok(state)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        if state.len() != 33 || state[0] != VERSION {
            return fail!("this is no state of version {}", VERSION);
        }
        let number = |at: usize| u64::from_le_bytes(state[at..at + 8].try_into().unwrap());
        for (i, side) in self.sides.iter_mut().enumerate() {
            side.count += number(1 + 16 * i);
            side.above += number(9 + 16 * i);
        }
        Ok(())
    }

    /// More rows may follow: finishing changes nothing.
    fn finish(&mut self) -> Result<Vec<Score>> {
        let [reference, current] = self.sides;
        let mut score = Score { column: self.column.clone(), name: "share_above".into(), ..Score::default() };
        if reference.count == 0 || current.count == 0 {
            score.note = "a side has no values".into();
        } else {
            score.value = Some(current.share() - reference.share());
        }
        let mut detail = json::Writer::new();
        detail.begin_object().key("reference_count").integer(reference.count as i64).key("current_count").integer(current.count as i64);
        score.detail = detail.end_object().finish();
        Ok(vec![score])
    }

    fn reset(&mut self) {
        self.sides = Default::default();
    }
}

weir::export!(ShareAbove: metric);
