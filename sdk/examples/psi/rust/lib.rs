//! The population stability index of a column over given bins.

use weir::{fail, json, log1p, Batch, Description, Metric, Plugin, Result, Schema, Score, Side, Type};

/// The first bytes of a state: a name and a version.
const MAGIC: [u8; 4] = *b"psi\x01";

/// What is counted of one sample: rows without a finite value, then each bin.
struct Counts(Vec<u64>);

impl Counts {
    fn total(&self) -> u64 {
        self.0[1..].iter().sum()
    }

    /// The share of each bin, zeros replaced: by 0.0001, or a millionth of the smallest share that is not zero when that is smaller.
    fn shares(&self) -> Vec<f64> {
        let total = self.total() as f64;
        let shares: Vec<f64> = self.0[1..].iter().map(|n| *n as f64 / total).collect();
        let least = shares.iter().copied().filter(|s| *s > 0.0).fold(f64::INFINITY, f64::min);
        let zero = if least > 0.0001 { 0.0001 } else { least / 1000000.0 };
        shares.into_iter().map(|s| if s == 0.0 { zero } else { s }).collect()
    }
}

struct Psi {
    column: String,
    edges: Vec<f64>,
    /// The reference, then the current sample.
    sides: [Counts; 2],
}

impl Psi {
    /// Tells column and edges from others: FNV-1a of 64 bits.
    fn fingerprint(&self) -> u64 {
        let edges = self.edges.iter().flat_map(|e| e.to_bits().to_le_bytes());
        self.column.bytes().chain([0]).chain(edges).fold(14695981039346656037, |h, byte| (h ^ u64::from(byte)).wrapping_mul(1099511628211))
    }
}

impl Plugin for Psi {
    const DESCRIPTION: Description = Description {
        name: "psi",
        version: "1.0.0",
        summary: "Population stability index of a column over given bins.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["column","edges"],"properties":{
            "column":{"type":"string","minLength":1},"edges":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"number"}}}}"#,
        ..Description::EMPTY
    };

    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut column, mut edges) = (None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "column" => column = Some(r.string()?),
                "edges" => edges = Some(r.numbers()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let column = column.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("column"))?;
        let edges = edges.ok_or_else(|| r.missing("edges"))?;
        if edges.is_empty() || edges.len() > 1000 || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return fail!("parameters: \"edges\" must be 1 to 1000 numbers, each greater than the one before");
        }
        let none = || Counts(vec![0; edges.len() + 2]);
        let sides = [none(), none()];
        Ok(Psi { column, edges, sides })
    }

    fn schema(&self) -> Schema {
        Schema::default().input(&self.column, Type::Float64)
    }
}

impl Metric for Psi {
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
            return fail!("this is no state of psi over as many edges");
        }
        if state[4..12] != self.fingerprint().to_le_bytes() {
            return fail!("the state is of another column or of other edges");
        }
        let counts = state[12..].chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        for (n, more) in self.sides.iter_mut().flat_map(|side| &mut side.0).zip(counts) {
            *n = n.wrapping_add(more);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Score>> {
        let [reference, current] = &self.sides;
        let mut score = Score { column: self.column.clone(), name: "psi".into(), ..Score::default() };
        if reference.total() == 0 {
            score.note = "the reference has no value that is not missing".into();
        } else if current.total() == 0 {
            score.note = "the current sample has no value that is not missing".into();
        } else {
            let pairs = reference.shares().into_iter().zip(current.shares());
            score.value = Some(pairs.fold(0.0, |value, (r, c)| {
                let d = (r - c).abs();
                value + d * log1p(d / r.min(c))
            }));
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

weir::export!(Psi: metric);
