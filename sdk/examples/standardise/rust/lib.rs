//! (x - mean) / std of each column, as scikit-learn's StandardScaler.

use weir::{fail, json, Batch, Column, Description, Output, Plugin, Result, Row, RowOutput, Schema, Transform, TransformRow, Type};

struct Scaler {
    name: String,
    mean: f64,
    scale: f64,
}

struct Standardise {
    columns: Vec<Scaler>,
}

impl Scaler {
    fn read(r: &mut json::Reader) -> Result<Scaler> {
        let (mut name, mut mean, mut std) = (None, None, None);
        r.object(|r, key| {
            match key {
                "name" => name = Some(r.string()?),
                "mean" => mean = Some(r.number()?),
                "std" => std = Some(r.number()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        let name = name.ok_or_else(|| r.missing("name"))?;
        let std = std.ok_or_else(|| r.missing("std"))?;
        if name.is_empty() {
            return fail!("parameters: a column's \"name\" is empty");
        }
        if std < 0.0 {
            return fail!("parameters: column {:?} has a negative \"std\"", name);
        }
        Ok(Scaler { name, mean: mean.ok_or_else(|| r.missing("mean"))?, scale: if std == 0.0 { 1.0 } else { std } })
    }

    #[inline(always)]
    fn scale(&self, x: f64) -> f64 {
        let y = (x - self.mean) / self.scale;
        if y == y { y } else { f64::NAN } // one NaN for all machines
    }
}

impl Plugin for Standardise {
    const DESCRIPTION: Description = Description {
        name: "standardise",
        version: "1.0.0",
        summary: "(x - mean) / std of each column.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["columns"],"properties":{"columns":{"type":"array","minItems":1,
            "items":{"type":"object","additionalProperties":false,"required":["name","mean","std"],"properties":{
            "name":{"type":"string","minLength":1},"mean":{"type":"number"},"std":{"type":"number","minimum":0}}}}}}"#,
        ..Description::EMPTY
    };

    fn new(parameters: &[u8]) -> Result<Self> {
        let mut columns: Vec<Scaler> = Vec::new();
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| match key {
            "columns" => r.array(|r| {
                let column = Scaler::read(r)?;
                if columns.iter().any(|c| c.name == column.name) {
                    return fail!("parameters: column {:?} is listed twice", column.name);
                }
                columns.push(column);
                Ok(())
            }),
            _ => r.unknown(key),
        })?;
        r.end()?;
        if columns.is_empty() {
            return fail!("parameters: \"columns\" is missing or empty: give [{{\"name\", \"mean\", \"std\"}}]");
        }
        Ok(Standardise { columns })
    }

    fn schema(&self) -> Schema {
        self.columns.iter().fold(Schema::default(), |s, c| s.input(&c.name, Type::Float64).output(&c.name, Type::Float64))
    }
}

impl Transform for Standardise {
    fn transform<'a>(&mut self, input: Batch<'a>, output: &mut Output<'a>) -> Result<()> {
        for (i, scaler) in self.columns.iter().enumerate() {
            let column = input.column_near(i, &scaler.name)?;
            let y = output.f64s(&scaler.name, column.validity());
            for (y, x) in y.iter_mut().zip(column.f64s()?) {
                *y = scaler.scale(*x);
            }
        }
        let unknown = |c: &&Column| !self.columns.iter().any(|scaler| scaler.name == c.name());
        match input.columns().iter().skip_while(|_| input.columns().len() == self.columns.len()).find(unknown) {
            Some(column) => fail!("input column {:?} is not among the parameters", column.name()),
            None => Ok(()),
        }
    }
}

impl TransformRow for Standardise {
    fn row<'a>(&mut self, input: Row<'a>, output: &mut RowOutput<'a>) -> Result<()> {
        for (i, scaler) in self.columns.iter().enumerate() {
            if let Some(x) = input.f64(i) {
                output.f64(i, scaler.scale(x));
            }
        }
        Ok(())
    }
}

weir::export!(Standardise: transform, row);
