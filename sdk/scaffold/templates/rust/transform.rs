//! PLUGIN_NAME multiplies a column by a factor.
//!
//! Where to begin: `new` reads the parameters, `transform` does the work, vectors.json says what must come out.
//! sdk/src/lib.rs has what there is to implement.

use weir::{json, Batch, Description, Output, Plugin, Result, Schema, Transform, Type};

struct Scale {
    column: String,
    factor: f64,
}

impl Plugin for Scale {
    const DESCRIPTION: Description = Description {
        name: "PLUGIN_NAME",
        version: "0.1.0",
        summary: "Multiplies a column by a factor.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["column","factor"],"properties":{
            "column":{"type":"string","minLength":1},"factor":{"type":"number"}}}"#,
        ..Description::EMPTY
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut column, mut factor) = (None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "column" => column = Some(r.string()?),
                "factor" => factor = Some(r.number()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let column = column.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("column"))?;
        Ok(Scale { column, factor: factor.ok_or_else(|| r.missing("factor"))? })
    }

    fn schema(&self) -> Schema {
        Schema::default().input(&self.column, Type::Float64).output(&self.column, Type::Float64)
    }
}

impl Transform for Scale {
    /// Gets at most `weir::MAX_ROWS` rows and answers as many. Nulls stay null: the output shares the input's validity.
    fn transform<'a>(&mut self, input: Batch<'a>, output: &mut Output<'a>) -> Result<()> {
        let column = input.column(&self.column)?;
        let y = output.f64s(&self.column, column.validity());
        for (y, x) in y.iter_mut().zip(column.f64s()?) {
            let v = x * self.factor;
            *y = if v == v { v } else { f64::NAN }; // one NaN, so that answers are the same bits everywhere
        }
        Ok(())
    }
}

weir::export!(Scale: transform);
