//! One 0/1 column for each category of text columns, as scikit-learn's OneHotEncoder(handle_unknown="ignore").

use std::collections::{BTreeMap, BTreeSet};
use weir::{fail, json, Batch, Description, Output, Plugin, Result, Schema, Transform, Type, Validity};

const MAX_OUTPUTS: usize = 4096;

struct Encoder {
    name: String,
    /// The outputs' names, in the categories' order.
    outputs: Vec<String>,
    /// The place of each category. A tree, since its order is the same in every run.
    places: BTreeMap<String, usize>,
}

struct OneHot {
    columns: Vec<Encoder>,
}

impl Encoder {
    fn read(r: &mut json::Reader) -> Result<Encoder> {
        let (mut name, mut categories) = (None, Vec::new());
        r.object(|r, key| match key {
            "name" => {
                name = Some(r.string()?);
                Ok(())
            }
            "categories" => r.array(|r| {
                categories.push(r.string()?);
                Ok(())
            }),
            _ => r.unknown(key),
        })?;
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| r.missing("name"))?;
        if categories.is_empty() {
            return fail!("parameters: column {:?}: \"categories\" is missing or empty", name);
        }
        let outputs = categories.iter().map(|category| name.clone() + "=" + category).collect();
        let mut places = BTreeMap::new();
        for (i, category) in categories.into_iter().enumerate() {
            if let Some(first) = places.insert(category, i) {
                return fail!("parameters: column {:?} lists category {} twice", name, first);
            }
        }
        Ok(Encoder { name, outputs, places })
    }
}

impl Plugin for OneHot {
    const DESCRIPTION: Description = Description {
        name: "onehot",
        version: "1.0.0",
        summary: "One 0/1 column for each category of text columns.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["columns"],"properties":{"columns":{"type":"array","minItems":1,
            "items":{"type":"object","additionalProperties":false,"required":["name","categories"],"properties":{
            "name":{"type":"string","minLength":1},"categories":{"type":"array","minItems":1,"items":{"type":"string"}}}}}}}"#,
        ..Description::EMPTY
    };

    fn new(parameters: &[u8]) -> Result<Self> {
        let mut columns: Vec<Encoder> = Vec::new();
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| match key {
            "columns" => r.array(|r| {
                let column = Encoder::read(r)?;
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
            return fail!("parameters: \"columns\" is missing or empty: give [{{\"name\", \"categories\"}}]");
        }
        let mut names = BTreeSet::new();
        for name in columns.iter().flat_map(|c| &c.outputs) {
            if !names.insert(name) {
                return fail!("parameters: two outputs of \"columns\" would be named {:?}", name);
            }
            if name.len() > 1024 {
                return fail!("parameters: an output of \"columns\" would have a name of more than 1024 bytes: {:.40?}", name);
            }
        }
        if names.len() > MAX_OUTPUTS {
            return fail!("parameters: \"columns\" has {} categories, at most {} can be", names.len(), MAX_OUTPUTS);
        }
        Ok(OneHot { columns })
    }

    fn schema(&self) -> Schema {
        let inputs = self.columns.iter().fold(Schema::default(), |s, c| s.input(&c.name, Type::Utf8));
        self.columns.iter().flat_map(|c| &c.outputs).fold(inputs, |s, name| s.output(name, Type::Float64))
    }
}

impl Transform for OneHot {
    fn transform<'a>(&mut self, input: Batch<'a>, output: &mut Output<'a>) -> Result<()> {
        for (i, column) in self.columns.iter().enumerate() {
            let texts = input.column_near(i, &column.name)?.texts()?;
            let zeros = |name| {
                let y = output.f64s(name, Validity::ALL);
                y.fill(0.0);
                y
            };
            let mut outputs: Vec<_> = column.outputs.iter().map(|name| zeros(name)).collect();
            for row in 0..input.rows() {
                if let Some(place) = texts.get(row).and_then(|text| column.places.get(text)) {
                    outputs[*place][row] = 1.0;
                }
            }
        }
        Ok(())
    }
}

weir::export!(OneHot: transform);
