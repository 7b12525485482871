use crate::json::Writer;
use crate::Type;

/// What a module says about itself. Its worlds come from [`crate::export!`].
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// a-z, 0-9 and dashes, at most 64 bytes.
    pub name: &'static str,
    /// The plugin's own version.
    pub version: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The JSON Schema (2020-12) of the parameters, by which the host checks them; empty for none.
    pub parameters: &'static str,
    /// What the module wants of the host, such as "log" or "kv.read:prefix*".
    pub grants: &'static [&'static str],
}

impl Description {
    /// The defaults to build on: `Description { name: "…", version: "…", ..Description::EMPTY }`.
    pub const EMPTY: Description = Description { name: "", version: "", summary: "", parameters: "", grants: &[] };

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn write(&self, worlds: &[&str]) -> String {
        let mut w = Writer::new();
        w.begin_object().key("name").text(self.name).key("version").text(self.version);
        if !self.summary.is_empty() {
            w.key("summary").text(self.summary);
        }
        w.key("worlds").begin_array();
        // A row's entry belongs to the world transform.
        for world in worlds.iter().filter(|world| **world != "row") {
            w.text(world);
        }
        w.end_array();
        if !self.parameters.is_empty() {
            w.key("parameters").raw(self.parameters);
        }
        if !self.grants.is_empty() {
            w.key("grants").begin_array();
            for grant in self.grants {
                w.text(grant);
            }
            w.end_array();
        }
        w.end_object();
        w.finish()
    }
}

/// One column of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, 1..1024 bytes.
    pub name: String,
    /// The type.
    pub kind: Type,
    /// Elements a row of a float vector, otherwise 0.
    pub list_size: usize,
}

/// The columns of a plugin with its parameters. Empty lists are not fixed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// What goes in.
    pub inputs: Vec<Field>,
    /// What comes out.
    pub outputs: Vec<Field>,
}

impl Schema {
    /// Adds an input.
    pub fn input(mut self, name: impl Into<String>, kind: Type) -> Self {
        self.inputs.push(Field { name: name.into(), kind, list_size: 0 });
        self
    }

    /// Adds an output.
    pub fn output(mut self, name: impl Into<String>, kind: Type) -> Self {
        self.outputs.push(Field { name: name.into(), kind, list_size: 0 });
        self
    }

    /// Adds an input of float vectors of so many elements.
    pub fn input_vector(mut self, name: impl Into<String>, list_size: usize) -> Self {
        self.inputs.push(Field { name: name.into(), kind: Type::FloatVector, list_size });
        self
    }

    /// Adds an output of float vectors of so many elements.
    pub fn output_vector(mut self, name: impl Into<String>, list_size: usize) -> Self {
        self.outputs.push(Field { name: name.into(), kind: Type::FloatVector, list_size });
        self
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn write(&self) -> String {
        let mut w = Writer::new();
        w.begin_object();
        for (key, fields) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            w.key(key).begin_array();
            for f in fields {
                w.begin_object().key("name").text(&f.name).key("type").text(f.kind.name());
                if f.kind == Type::FloatVector {
                    w.key("list_size").integer(f.list_size as i64);
                }
                w.end_object();
            }
            w.end_array();
        }
        w.end_object();
        w.finish()
    }
}
