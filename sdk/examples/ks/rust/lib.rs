//! The Kolmogorov-Smirnov statistic of a column over equal bins.

use weir::{fail, json, Batch, Description, Metric, Plugin, Result, Schema, Score, Side, Type};

/// The first bytes of a state: a name and a version.
const MAGIC: [u8; 4] = *b"ks\0\x01";

/// What is counted of one sample: rows without a finite value, then those below low, those of each bin, those from high on.
struct Counts(Vec<u64>);

impl Counts {
    fn total(&self) -> u64 {
        self.0[1..].iter().sum()
    }
}

struct Ks {
    column: String,
    edges: Vec<f64>,
    /// The reference, then the current sample.
    sides: [Counts; 2],
}

impl Ks {
    /// Tells column and edges from others: FNV-1a of 64 bits.
    fn fingerprint(&self) -> u64 {
        let edges = self.edges.iter().flat_map(|e| e.to_bits().to_le_bytes());
        self.column.bytes().chain([0]).chain(edges).fold(14695981039346656037, |h, byte| (h ^ u64::from(byte)).wrapping_mul(1099511628211))
    }

    fn statistic(&self) -> f64 {
        let [reference, current] = &self.sides;
        let (all_r, all_c) = (reference.total() as f64, current.total() as f64);
        let (mut sum_r, mut sum_c, mut most) = (0, 0, 0.0);
        for (r, c) in reference.0[1..].iter().zip(&current.0[1..]) {
            sum_r += r;
            sum_c += c;
            most = f64::max(most, (sum_r as f64 / all_r - sum_c as f64 / all_c).abs());
        }
        most
    }
}

impl Plugin for Ks {
    const DESCRIPTION: Description = Description {
        name: "ks",
        version: "1.0.0",
        summary: "Kolmogorov-Smirnov statistic of a column over equal bins.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["column","low","high","bins"],"properties":{
            "column":{"type":"string","minLength":1},"low":{"type":"number","minimum":-1e300},"high":{"type":"number","maximum":1e300},
            "bins":{"type":"integer","minimum":1,"maximum":10000}}}"#,
        ..Description::EMPTY
    };

    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut column, mut low, mut high, mut bins) = (None, None, None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "column" => column = Some(r.string()?),
                "low" => low = Some(r.number()?),
                "high" => high = Some(r.number()?),
                "bins" => bins = Some(r.number()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let column = column.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("column"))?;
        let (low, high) = (low.ok_or_else(|| r.missing("low"))?, high.ok_or_else(|| r.missing("high"))?);
        let bins = bins.ok_or_else(|| r.missing("bins"))?;
        if !(low >= -1e300 && low < high) {
            return fail!("parameters: \"low\" must be from -1e300 to below \"high\"");
        }
        if high > 1e300 {
            return fail!("parameters: \"high\" must not be above 1e300");
        }
        if !(1.0..=10000.0).contains(&bins) || bins.fract() != 0.0 {
            return fail!("parameters: \"bins\" must be a whole number from 1 to 10000");
        }
        let edges: Vec<f64> = (0..=bins as usize).map(|i| low + (i as f64 * (high - low)) / bins).collect();
        let none = || Counts(vec![0; edges.len() + 2]);
        let sides = [none(), none()];
        Ok(Ks { column, edges, sides })
    }

    fn schema(&self) -> Schema {
        Schema::default().input(&self.column, Type::Float64)
    }
}

impl Metric for Ks {
    fn update(&mut self, side: Side, batch: Batch<'_>) -> Result<()> {
        let column = batch.column(&self.column)?;
        let counts = &mut self.sides[side as usize].0;
        for (row, x) in column.f64s()?.iter().enumerate() {
            let there = column.is_valid(row) && x.is_finite();
            counts[if there { 1 + self.edges.partition_point(|edge| edge <= x) } else { 0 }] += 1;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<u8>> {
        let mut state = MAGIC.to_vec();
        state.extend(self.fingerprint().to_le_bytes());
        state.extend(self.sides.iter().flat_map(|side| &side.0).flat_map(|n| n.to_le_bytes()));
        Ok(state)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        let count = self.sides[0].0.len() + self.sides[1].0.len();
        if !state.starts_with(&MAGIC) || state.len() != 12 + 8 * count {
            return fail!("this is no state of ks over as many bins");
        }
        if state[4..12] != self.fingerprint().to_le_bytes() {
            return fail!("the state is of another column or of other bins");
        }
        let counts = state[12..].chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        for (n, more) in self.sides.iter_mut().flat_map(|side| &mut side.0).zip(counts) {
            *n = n.wrapping_add(more);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Score>> {
        let [reference, current] = &self.sides;
        let mut score = Score { column: self.column.clone(), name: "ks".into(), ..Score::default() };
        if reference.total() == 0 {
            score.note = "the reference has no value that is not missing".into();
        } else if current.total() == 0 {
            score.note = "the current sample has no value that is not missing".into();
        } else {
            score.value = Some(self.statistic());
        }
        let mut detail = json::Writer::new();
        detail.begin_object();
        for (key, n) in [("reference_count", reference.total()), ("current_count", current.total()), ("reference_missing", reference.0[0]), ("current_missing", current.0[0])] {
            detail.key(key).integer(n as i64);
        }
        score.detail = detail.end_object().finish();
        Ok(vec![score])
    }

    fn reset(&mut self) {
        self.sides.iter_mut().for_each(|side| side.0.fill(0));
    }
}

weir::export!(Ks: metric);
