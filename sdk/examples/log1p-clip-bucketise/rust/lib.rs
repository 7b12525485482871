//! Clips a column, and gives its log1p and its bucket.

use weir::{fail, json, log1p, Batch, Description, Output, Plugin, Result, Row, RowOutput, Schema, Transform, TransformRow, Type};

struct ClipBucketise {
    column: String,
    outputs: [String; 3],
    low: f64,
    high: f64,
    edges: Vec<f64>,
}

impl ClipBucketise {
    /// NaN stays NaN, the one that is the same on all machines.
    #[inline(always)]
    fn clip(&self, x: f64) -> f64 {
        let c = if x > self.high { self.high } else { x };
        let c = if x < self.low { self.low } else { c };
        if c == c { c } else { f64::NAN }
    }

    /// The number of edges that are not above c.
    fn bucket(&self, c: f64) -> i64 {
        self.edges.partition_point(|edge| *edge <= c) as i64
    }
}

impl Plugin for ClipBucketise {
    const DESCRIPTION: Description = Description {
        name: "log1p-clip-bucketise",
        version: "1.0.0",
        summary: "Clips a column, and gives its log1p and its bucket.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["column","low","high","edges"],"properties":{
            "column":{"type":"string","minLength":1},"low":{"type":"number","exclusiveMinimum":-1},"high":{"type":"number"},
            "edges":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"number"}}}}"#,
        ..Description::EMPTY
    };

    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut column, mut low, mut high, mut edges) = (None, None, None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "column" => column = Some(r.string()?),
                "low" => low = Some(r.number()?),
                "high" => high = Some(r.number()?),
                "edges" => edges = Some(r.numbers()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let column = column.ok_or_else(|| r.missing("column"))?;
        let (low, high) = (low.ok_or_else(|| r.missing("low"))?, high.ok_or_else(|| r.missing("high"))?);
        let edges = edges.ok_or_else(|| r.missing("edges"))?;
        if column.is_empty() {
            return fail!("parameters: \"column\" is empty");
        }
        if low <= -1.0 {
            return fail!("parameters: \"low\" must be greater than -1");
        }
        if high < low {
            return fail!("parameters: \"high\" must not be below \"low\"");
        }
        if edges.is_empty() || edges.len() > 1000 || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return fail!("parameters: \"edges\" must be 1 to 1000 numbers, each greater than the one before");
        }
        let outputs = ["_log1p", "_clip", "_bucket"].map(|suffix| column.clone() + suffix);
        Ok(ClipBucketise { column, outputs, low, high, edges })
    }

    fn schema(&self) -> Schema {
        let [log, clip, bucket] = &self.outputs;
        Schema::default().input(&self.column, Type::Float64).output(log, Type::Float64).output(clip, Type::Float64).output(bucket, Type::Int64)
    }
}

impl Transform for ClipBucketise {
    fn transform<'a>(&mut self, input: Batch<'a>, output: &mut Output<'a>) -> Result<()> {
        let column = input.column_near(0, &self.column)?;
        let (x, valid) = (column.f64s()?, column.validity());
        let [log_name, clip_name, bucket_name] = &self.outputs;
        let (log, clip) = (output.f64s(log_name, valid), output.f64s(clip_name, valid));
        let mut nan = false;
        // Two loops, so that the first becomes vector code.
        for ((log, clip), x) in log.iter_mut().zip(clip.iter_mut()).zip(x) {
            *clip = self.clip(*x);
            *log = log1p(*clip);
            nan |= x != x;
        }
        let valid = if !nan {
            valid
        } else {
            output.nulls(valid, |bits| x.iter().enumerate().filter(|(_, x)| x.is_nan()).for_each(|(i, _)| bits.set(i, false)))
        };
        for (bucket, c) in output.i64s(bucket_name, valid).iter_mut().zip(clip) {
            *bucket = self.bucket(*c);
        }
        Ok(())
    }
}

impl TransformRow for ClipBucketise {
    fn row<'a>(&mut self, input: Row<'a>, output: &mut RowOutput<'a>) -> Result<()> {
        if let Some(x) = input.f64(0) {
            let c = self.clip(x);
            output.f64(0, log1p(c));
            output.f64(1, c);
            if c == c {
                output.i64(2, self.bucket(c));
            }
        }
        Ok(())
    }
}

weir::export!(ClipBucketise: transform, row);
