use crate::arena::{Arena, Plain};
use crate::{fail, Batch, Column, Result, Type, Validity};
use core::cell::{Cell, RefCell};
use core::marker::PhantomData;

/// The columns that a transform answers, in the order in which they were added. Every method may be called while earlier
/// columns are still being filled. Slices have the rows of the input and hold unspecified values at first: write every row.
pub struct Output<'a> {
    rows: usize,
    arena: &'a Arena,
    columns: RefCell<Vec<Column<'a>>>,
    /// A text column of which not all rows were pushed.
    open: Cell<usize>,
}

/// Writes a bitmap: the values of a bool column, or which rows of a column have a value.
pub struct BitsMut<'a>(&'a mut [u8]);

impl BitsMut<'_> {
    /// Sets bit i.
    #[inline]
    pub fn set(&mut self, i: usize, bit: bool) {
        let mask = 1 << (i % 8);
        self.0[i / 8] = if bit { self.0[i / 8] | mask } else { self.0[i / 8] & !mask };
    }
}

impl<'a> Output<'a> {
    pub(crate) fn new(rows: usize, arena: &'a Arena, columns: Vec<Column<'a>>) -> Self {
        Output { rows, arena, columns: RefCell::new(columns), open: Cell::new(0) }
    }

    /// An empty output of so many rows, whose memory is never given back: for native tests.
    pub fn leaked(rows: usize) -> Output<'a> {
        Output::new(rows, Box::leak(Box::new(Arena::new())), Vec::new())
    }

    /// The rows of every column.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Runs f on the columns so far: for native tests.
    pub fn inspect<R>(&self, f: impl FnOnce(Batch<'_>) -> R) -> R {
        f(Batch::new(self.rows, &self.columns.borrow()))
    }

    /// The columns, once all are whole.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn finish(self) -> Result<Vec<Column<'a>>> {
        if self.open.get() > 0 {
            return fail!("{} output columns of text have fewer rows than the input's {}", self.open.get(), self.rows);
        }
        Ok(self.columns.into_inner())
    }

    fn add(&self, name: &str, kind: Type, list_size: usize, validity: Validity<'a>, offsets: &'a [i32], values: *const u8, bytes: usize) {
        assert!(validity.0.map_or(true, |bits| bits.len() * 8 >= self.rows), "the bitmap of {:?} is shorter than the column", name);
        let name = self.arena.text(name);
        self.columns.borrow_mut().push(Column { name, kind, list_size, rows: self.rows, validity, offsets, values, bytes, life: PhantomData });
    }

    fn fixed<T: Plain>(&self, name: &str, kind: Type, list_size: usize, n: usize, validity: Validity<'a>) -> &'a mut [T] {
        let values = self.arena.slice::<T>(n);
        self.add(name, kind, list_size, validity, &[], values.as_ptr().cast(), core::mem::size_of_val(values));
        values
    }

    /// Adds a float64 column.
    pub fn f64s(&self, name: &str, validity: Validity<'a>) -> &'a mut [f64] {
        self.fixed(name, Type::Float64, 0, self.rows, validity)
    }

    /// Adds a float32 column.
    pub fn f32s(&self, name: &str, validity: Validity<'a>) -> &'a mut [f32] {
        self.fixed(name, Type::Float32, 0, self.rows, validity)
    }

    /// Adds an int64 column.
    pub fn i64s(&self, name: &str, validity: Validity<'a>) -> &'a mut [i64] {
        self.fixed(name, Type::Int64, 0, self.rows, validity)
    }

    /// Adds an int32 column.
    pub fn i32s(&self, name: &str, validity: Validity<'a>) -> &'a mut [i32] {
        self.fixed(name, Type::Int32, 0, self.rows, validity)
    }

    /// Adds a timestamp column, in microseconds since 1970-01-01T00:00:00Z.
    pub fn timestamps(&self, name: &str, validity: Validity<'a>) -> &'a mut [i64] {
        self.fixed(name, Type::Timestamp, 0, self.rows, validity)
    }

    /// Adds a float_vector column of `size` elements a row, row after row.
    pub fn vectors(&self, name: &str, size: usize, validity: Validity<'a>) -> &'a mut [f32] {
        self.fixed(name, Type::FloatVector, size, self.rows * size, validity)
    }

    /// Adds a bool column, false at first.
    pub fn bools(&self, name: &str, validity: Validity<'a>) -> BitsMut<'a> {
        let bits = self.fixed(name, Type::Bool, 0, (self.rows + 7) / 8, validity);
        bits.fill(0);
        BitsMut(bits)
    }

    /// Adds a utf8 column, to which every row is pushed. Its nulls are those pushed.
    pub fn texts(&self, name: &str) -> TextBuilder<'_, 'a> {
        self.variable(name, Type::Utf8)
    }

    /// Adds a binary column, to which every row is pushed. Its nulls are those pushed.
    pub fn binaries(&self, name: &str) -> TextBuilder<'_, 'a> {
        self.variable(name, Type::Binary)
    }

    fn variable(&self, name: &str, kind: Type) -> TextBuilder<'_, 'a> {
        let (offsets, valid) = (self.arena.slice::<i32>(self.rows + 1), self.arena.slice::<u8>((self.rows + 7) / 8));
        offsets.fill(0);
        valid.fill(0xff);
        let column = self.columns.borrow().len();
        self.add(name, kind, 0, Validity(None), &[], core::ptr::null(), 0);
        let builder = TextBuilder { output: self, column, kind, row: 0, nulls: false, used: 0, bytes: &mut [], offsets, valid };
        self.open.set(self.open.get() + 1);
        if self.rows == 0 {
            return TextBuilder { row: usize::MAX, ..builder.close() };
        }
        builder
    }

    /// Adds a copy of a validity that the caller changes: where the input is null, or a row has no result.
    pub fn nulls(&self, of: Validity<'_>, change: impl FnOnce(&mut BitsMut<'_>)) -> Validity<'a> {
        let bits = self.arena.slice::<u8>((self.rows + 7) / 8);
        match of.0 {
            Some(from) => bits.copy_from_slice(&from[..(self.rows + 7) / 8]),
            None => bits.fill(0xff),
        }
        change(&mut BitsMut(bits));
        Validity(Some(bits))
    }

    /// Adds a column of the input as it is, without copying it.
    pub fn share(&self, column: &Column<'a>) {
        assert_eq!(column.rows, self.rows, "the column {:?} has other rows", column.name);
        self.columns.borrow_mut().push(*column);
    }
}

/// Takes the rows of a utf8 or binary column, one after the other.
pub struct TextBuilder<'o, 'a> {
    output: &'o Output<'a>,
    column: usize,
    kind: Type,
    row: usize,
    nulls: bool,
    used: usize,
    bytes: &'a mut [u8],
    offsets: &'a mut [i32],
    valid: &'a mut [u8],
}

impl<'a> TextBuilder<'_, 'a> {
    /// Pushes the next row of a utf8 column. Panics when there are more rows than in the input.
    pub fn push(&mut self, text: &str) {
        self.push_bytes_unchecked(text.as_bytes());
    }

    /// Pushes the next row of a binary column. Panics for a utf8 column, and when there are more rows than in the input.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        assert!(self.kind == Type::Binary, "a utf8 column takes text");
        self.push_bytes_unchecked(bytes);
    }

    /// Pushes a null as the next row.
    pub fn push_null(&mut self) {
        self.nulls = true;
        let row = self.row;
        if row < self.output.rows {
            self.valid[row / 8] &= !(1 << (row % 8));
        }
        self.push_bytes_unchecked(&[]);
    }

    fn push_bytes_unchecked(&mut self, bytes: &[u8]) {
        assert!(self.row < self.output.rows, "the column has more rows than the input's {}", self.output.rows);
        if self.used + bytes.len() > self.bytes.len() {
            let more = self.output.arena.slice::<u8>(((self.used + bytes.len()) * 2).max(256));
            more[..self.used].copy_from_slice(&self.bytes[..self.used]);
            self.bytes = more;
        }
        self.bytes[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
        assert!(self.used <= i32::MAX as usize, "a column of text has at most 2 GiB");
        self.row += 1;
        self.offsets[self.row] = self.used as i32;
        if self.row == self.output.rows {
            self.finish();
        }
    }

    fn close(mut self) -> Self {
        self.finish();
        self
    }

    /// Enters what was pushed into the output's column.
    fn finish(&mut self) {
        let (offsets, valid, bytes) = (core::mem::take(&mut self.offsets), core::mem::take(&mut self.valid), core::mem::take(&mut self.bytes));
        let mut columns = self.output.columns.borrow_mut();
        let column = &mut columns[self.column];
        column.offsets = offsets;
        column.values = bytes.as_ptr();
        column.bytes = self.used;
        column.validity = if self.nulls { Validity(Some(valid)) } else { Validity(None) };
        self.output.open.set(self.output.open.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_every_kind() {
        let bits = [0b101];
        let output = Output::leaked(3);
        let nulls = output.nulls(Validity::from_bytes(&bits), |n| n.set(0, false));
        let (a, b) = (output.f64s("a", nulls), output.i64s("b", Validity::ALL));
        a.copy_from_slice(&[1.0, 2.0, 3.0]);
        b.copy_from_slice(&[1, 2, 3]);
        let (mut s, mut t) = (output.texts("s"), output.binaries("t"));
        for i in 0..3 {
            if i == 1 {
                s.push_null();
            } else {
                s.push(&"ż".repeat(i * 200));
            }
            t.push_bytes(&[i as u8, 255]);
        }
        let mut flags = output.bools("f", Validity::ALL);
        flags.set(2, true);
        output.vectors("v", 2, Validity::ALL).fill(0.5);
        output.inspect(|b| {
            let c = b.column("a").unwrap();
            assert_eq!((c.f64s().unwrap(), [0, 1, 2].map(|i| c.is_valid(i))), (&[1.0, 2.0, 3.0][..], [false, false, true]));
            assert_eq!(b.column_near(1, "b").unwrap().i64s().unwrap(), [1, 2, 3]);
            let s = b.column("s").unwrap().texts().unwrap();
            assert_eq!((s.get(0), s.get(1), s.get(2).map(str::len)), (Some(""), None, Some(800)));
            let t = b.column("t").unwrap();
            assert!(t.validity().is_all());
            assert_eq!(t.binaries().unwrap().bytes(2), Some(&[2, 255][..]));
            let f = b.column("f").unwrap().bools().unwrap();
            assert_eq!([0, 1, 2].map(|i| f.get(i)), [false, false, true]);
            assert_eq!(b.column("v").unwrap().vectors().unwrap().get(2), [0.5, 0.5]);
            assert_eq!(b.column("a").unwrap().i64s().unwrap_err().text(), "input column \"a\" must be int64, not float64");
            assert_eq!(b.column("z").unwrap_err().text(), "input column \"z\" is missing");
        });
    }

    #[test]
    fn a_text_column_must_be_whole() {
        let arena = Arena::new();
        let output = Output::new(2, &arena, Vec::new());
        output.texts("s").push("one");
        assert!(output.finish().unwrap_err().text().contains("fewer rows than the input's 2"));
        let output = Output::new(0, &arena, Vec::new());
        output.texts("s");
        assert_eq!(output.finish().unwrap()[0].offsets, [0]);
    }
}
