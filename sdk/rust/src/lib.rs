//! What a plugin in Rust needs to speak weir's batch ABI (`sdk/abi/ABI.md`): typed views of columns, outputs in reused memory,
//! a small JSON reader and writer, and [`export!`], which turns a type into a module's exports.
//!
//! ```ignore
//! struct Double;
//!
//! impl weir::Plugin for Double {
//!     const DESCRIPTION: weir::Description = weir::Description { name: "double", version: "1.0.0", ..weir::Description::EMPTY };
//!     fn new(_parameters: &[u8]) -> weir::Result<Self> { Ok(Double) }
//! }
//!
//! impl weir::Transform for Double {
//!     fn transform<'a>(&mut self, input: weir::Batch<'a>, output: &mut weir::Output<'a>) -> weir::Result<()> {
//!         for column in input.columns() {
//!             let y = output.f64s(column.name(), column.validity());
//!             for (y, x) in y.iter_mut().zip(column.f64s()?) { *y = 2.0 * x; }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! weir::export!(Double: transform);
//! ```
//!
//! The host makes an instance, calls [`Plugin::new`] with the parameters, and then the functions of its worlds, one call at a time.
//! An `Err` becomes the error that the caller of the plugin sees. A panic traps, with its words and its line in the host's message. Either costs
//! the instance, so nothing needs cleaning up. Everything but the exports works natively too, so that plugins can be tested with
//! `cargo test`: build a [`Batch`] of [`Column`]s and look at what is in the [`Output`].
//!
//! Needs Rust 1.63 with the target wasm32-unknown-unknown and no other crate. Read `column.rs` and `output.rs` first.

mod arena;
mod column;
mod describe;
mod documents;
mod error;
mod export;
pub mod host;
pub mod json;
mod math;
mod output;
mod row;
#[doc(hidden)]
pub mod rt;

pub use column::{Batch, Bits, Column, Texts, Type, Validity, Vectors};
pub use describe::{Description, Field, Schema};
pub use documents::{Outcome, Request, Response, Score, Verdict};
pub use error::{Error, Result};
pub use math::log1p;
pub use output::{BitsMut, Output, TextBuilder};
pub use row::{Row, RowOutput};

/// The most rows of one batch.
pub const MAX_ROWS: usize = 8192;

/// What every plugin is: a description, and parameters that make a value.
pub trait Plugin: Sized {
    /// What the module says about itself, whatever its parameters.
    const DESCRIPTION: Description;

    /// Reads the parameters, a JSON document (`{}` when there are none; [`json::Reader`] reads it). Called once, before any work.
    fn new(parameters: &[u8]) -> Result<Self>;

    /// The columns with these parameters, inputs and outputs in order. Empty lists, the default, leave them open.
    fn schema(&self) -> Schema {
        Schema::default()
    }
}

/// The world `transform`: columns in, columns out, row for row.
pub trait Transform: Plugin {
    /// Adds its columns to `output`, each with as many rows as `input`. It must be a pure function of the input and the
    /// parameters: what an earlier call left behind may not change a result. The buffers of the input may be shared by the output.
    fn transform<'a>(&mut self, input: Batch<'a>, output: &mut Output<'a>) -> Result<()>;
}

/// The optional entry for one row, beside [`Transform`]: the same values without the cost of descriptors. The schema must name
/// inputs and outputs.
pub trait TransformRow: Transform {
    /// Sets every output of the row, by its place in the schema. Outputs that are not set are null.
    fn row<'a>(&mut self, input: Row<'a>, output: &mut RowOutput<'a>) -> Result<()>;
}

/// Which sample of a metric some rows belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    Reference = 0,
    /// What is judged.
    Current = 1,
}

/// The world `metric`: a mergeable summary of two samples. For any split of the rows and any order of updates and merges,
/// `state` and `finish` must answer the same bytes: count in integers.
pub trait Metric: Plugin {
    /// Adds rows to a side.
    fn update(&mut self, side: Side, batch: Batch<'_>) -> Result<()>;
    /// The summary as bytes of the plugin's own format, which should begin with a version.
    fn state(&mut self) -> Result<Vec<u8>>;
    /// Adds another instance's state; one of other parameters must be refused.
    fn merge(&mut self, state: &[u8]) -> Result<()>;
    /// The scores so far. More rows may follow.
    fn finish(&mut self) -> Result<Vec<Score>>;
    /// Forgets all rows.
    fn reset(&mut self);
}

/// The world `gate`: a verdict about a JSON context.
pub trait Gate: Plugin {
    /// Judges the context.
    fn gate(&mut self, context: &[u8]) -> Result<Verdict>;
}

/// The world `handler`: answers HTTP requests and events.
pub trait Handler: Plugin {
    /// Answers one request. An `Err` is a failure of the plugin; an HTTP status is not.
    fn handle(&mut self, request: Request) -> Result<Response>;
}
