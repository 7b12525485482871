use crate::{fail, Error, Result};
use core::marker::PhantomData;

/// The type of a column; the numbers are the ABI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// True or false, one bit a row.
    Bool = 1,
    /// 32-bit integer.
    Int32 = 2,
    /// 64-bit integer.
    Int64 = 3,
    /// IEEE 754 single; NaN is a value, not a null.
    Float32 = 4,
    /// IEEE 754 double; NaN is a value, not a null.
    Float64 = 5,
    /// Text in UTF-8.
    Utf8 = 6,
    /// Bytes.
    Binary = 7,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp = 8,
    /// A fixed number of float32 a row.
    FloatVector = 9,
}

impl Type {
    /// The ABI's name, as schemas have it.
    pub fn name(self) -> &'static str {
        ["bool", "int32", "int64", "float32", "float64", "utf8", "binary", "timestamp", "float_vector"][self as usize - 1]
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn of(code: u8) -> Option<Type> {
        use Type::*;
        [Bool, Int32, Int64, Float32, Float64, Utf8, Binary, Timestamp, FloatVector].into_iter().find(|t| *t as u8 == code)
    }
}

/// Which rows have a value: none of them null, or one bit a row, the least significant first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validity<'a>(pub(crate) Option<&'a [u8]>);

impl<'a> Validity<'a> {
    /// Every row has a value.
    pub const ALL: Validity<'static> = Validity(None);

    /// A bitmap of at least ⌈rows/8⌉ bytes, row i being bit i mod 8 of byte i div 8; 1 = has a value.
    pub fn from_bytes(bits: &'a [u8]) -> Self {
        Validity(Some(bits))
    }

    /// Whether row i has a value. Panics beyond the bitmap.
    #[inline]
    pub fn is_valid(&self, i: usize) -> bool {
        match self.0 {
            None => true,
            Some(bits) => bits[i / 8] >> (i % 8) & 1 == 1,
        }
    }

    /// Whether there is no bitmap, so that no row needs to be asked about.
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }
}

/// A bool column's values.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a>(&'a [u8]);

impl Bits<'_> {
    /// The value of row i; unspecified where the row is null.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        self.0[i / 8] >> (i % 8) & 1 == 1
    }
}

/// A utf8 or binary column's values.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    validity: Validity<'a>,
    offsets: &'a [i32],
    bytes: &'a [u8],
    text: bool,
}

impl<'a> Texts<'a> {
    /// The bytes of row i, or None for a null.
    #[inline]
    pub fn bytes(&self, i: usize) -> Option<&'a [u8]> {
        if !self.validity.is_valid(i) {
            return None;
        }
        Some(&self.bytes[self.offsets[i] as usize..self.offsets[i + 1] as usize])
    }

    /// The text of row i, or None for a null. Panics for a column of bytes.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a str> {
        assert!(self.text, "a binary column has no text");
        // The host has checked that every row with a value is UTF-8; Column::texts of tests takes strings only.
        self.bytes(i).map(|b| unsafe { core::str::from_utf8_unchecked(b) })
    }
}

/// A float_vector column's values.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    values: &'a [f32],
    size: usize,
}

impl<'a> Vectors<'a> {
    /// Elements a row.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The elements of row i; unspecified where the row is null.
    #[inline]
    pub fn get(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.size..(i + 1) * self.size]
    }

    /// All rows, one after the other.
    pub fn flat(&self) -> &'a [f32] {
        self.values
    }
}

/// One column: a name, a type, which rows are null, and views of the values by type.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Type,
    pub(crate) list_size: usize,
    pub(crate) rows: usize,
    pub(crate) validity: Validity<'a>,
    pub(crate) offsets: &'a [i32],
    /// Aligned as the type wants it, and of the length that rows and type want.
    pub(crate) values: *const u8,
    pub(crate) bytes: usize,
    pub(crate) life: PhantomData<&'a [u8]>,
}

impl<'a> Column<'a> {
    fn fixed<T>(name: &'a str, kind: Type, rows: usize, values: &'a [T]) -> Self {
        let (list_size, bytes) = (if kind == Type::FloatVector { values.len() / rows.max(1) } else { 0 }, core::mem::size_of_val(values));
        Column { name, kind, list_size, rows, validity: Validity(None), offsets: &[], values: values.as_ptr().cast(), bytes, life: PhantomData }
    }

    /// A float64 column without nulls.
    pub fn of_f64s(name: &'a str, values: &'a [f64]) -> Self {
        Self::fixed(name, Type::Float64, values.len(), values)
    }

    /// A float32 column without nulls.
    pub fn of_f32s(name: &'a str, values: &'a [f32]) -> Self {
        Self::fixed(name, Type::Float32, values.len(), values)
    }

    /// An int64 column without nulls.
    pub fn of_i64s(name: &'a str, values: &'a [i64]) -> Self {
        Self::fixed(name, Type::Int64, values.len(), values)
    }

    /// An int32 column without nulls.
    pub fn of_i32s(name: &'a str, values: &'a [i32]) -> Self {
        Self::fixed(name, Type::Int32, values.len(), values)
    }

    /// A timestamp column without nulls, in microseconds since 1970-01-01T00:00:00Z.
    pub fn of_timestamps(name: &'a str, values: &'a [i64]) -> Self {
        Self::fixed(name, Type::Timestamp, values.len(), values)
    }

    /// A float_vector column without nulls of `rows` rows, which must divide the values' number.
    pub fn of_vectors(name: &'a str, rows: usize, values: &'a [f32]) -> Self {
        assert!(rows > 0 && values.len() % rows == 0, "{} values are no {} rows", values.len(), rows);
        Self::fixed(name, Type::FloatVector, rows, values)
    }

    /// A utf8 column without nulls: row i is `text[offsets[i]..offsets[i + 1]]`. Panics when that is no text.
    pub fn of_texts(name: &'a str, text: &'a str, offsets: &'a [i32]) -> Self {
        for pair in offsets.windows(2) {
            let _ = &text[pair[0] as usize..pair[1] as usize];
        }
        Column { offsets, ..Self::fixed(name, Type::Utf8, offsets.len() - 1, text.as_bytes()) }
    }

    /// The same column with nulls. Panics when the bitmap is too short.
    pub fn with_validity(self, validity: Validity<'a>) -> Self {
        assert!(validity.0.map_or(true, |bits| bits.len() * 8 >= self.rows), "the bitmap is shorter than the column");
        Column { validity, ..self }
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The type.
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// Elements a row of a float vector, otherwise 0.
    pub fn list_size(&self) -> usize {
        self.list_size
    }

    /// The rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Which rows have a value. What the values hold at a null is unspecified.
    pub fn validity(&self) -> Validity<'a> {
        self.validity
    }

    /// Whether row i has a value.
    #[inline]
    pub fn is_valid(&self, i: usize) -> bool {
        self.validity.is_valid(i)
    }

    fn is(&self, kind: Type) -> Result<()> {
        if self.kind == kind {
            return Ok(());
        }
        fail!("input column {:?} must be {}, not {}", self.name, kind.name(), self.kind.name())
    }

    fn view<T>(&self, kind: Type, n: usize) -> Result<&'a [T]> {
        self.is(kind)?;
        if n == 0 {
            return Ok(&[]); // then the address may be any
        }
        Ok(unsafe { core::slice::from_raw_parts(self.values.cast(), n) })
    }

    /// The values of a float64 column; an error for another type.
    pub fn f64s(&self) -> Result<&'a [f64]> {
        self.view(Type::Float64, self.rows)
    }

    /// The values of a float32 column; an error for another type.
    pub fn f32s(&self) -> Result<&'a [f32]> {
        self.view(Type::Float32, self.rows)
    }

    /// The values of an int64 column; an error for another type.
    pub fn i64s(&self) -> Result<&'a [i64]> {
        self.view(Type::Int64, self.rows)
    }

    /// The values of an int32 column; an error for another type.
    pub fn i32s(&self) -> Result<&'a [i32]> {
        self.view(Type::Int32, self.rows)
    }

    /// The values of a timestamp column, in microseconds since 1970-01-01T00:00:00Z; an error for another type.
    pub fn timestamps(&self) -> Result<&'a [i64]> {
        self.view(Type::Timestamp, self.rows)
    }

    /// The values of a bool column; an error for another type.
    pub fn bools(&self) -> Result<Bits<'a>> {
        self.view(Type::Bool, (self.rows + 7) / 8).map(Bits)
    }

    /// The values of a float_vector column; an error for another type.
    pub fn vectors(&self) -> Result<Vectors<'a>> {
        Ok(Vectors { values: self.view(Type::FloatVector, self.rows * self.list_size)?, size: self.list_size })
    }

    fn variable(&self, kind: Type) -> Result<Texts<'a>> {
        let bytes = self.view(kind, self.bytes)?;
        Ok(Texts { validity: self.validity, offsets: self.offsets, bytes, text: kind == Type::Utf8 })
    }

    /// The values of a utf8 column; an error for another type.
    pub fn texts(&self) -> Result<Texts<'a>> {
        self.variable(Type::Utf8)
    }

    /// The values of a binary column; an error for another type.
    pub fn binaries(&self) -> Result<Texts<'a>> {
        self.variable(Type::Binary)
    }
}

/// A table of columns, at most [`crate::MAX_ROWS`] rows. Its memory is the host's, and valid for one call.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    rows: usize,
    columns: &'a [Column<'a>],
}

impl<'a> Batch<'a> {
    /// A batch of these columns. Panics when one has another number of rows.
    pub fn new(rows: usize, columns: &'a [Column<'a>]) -> Self {
        assert!(columns.iter().all(|c| c.rows == rows), "the columns of a batch have the same rows");
        Batch { rows, columns }
    }

    /// The rows, 0..8192.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All columns, in the caller's order.
    pub fn columns(&self) -> &'a [Column<'a>] {
        self.columns
    }

    /// The column of that name; an error that names it when there is none.
    pub fn column(&self, name: &str) -> Result<&'a Column<'a>> {
        self.columns.iter().find(|c| c.name == name).ok_or_else(|| Error::new(format!("input column {:?} is missing", name)))
    }

    /// The column of that name, looked for at place i first: callers give columns in the schema's order nearly always.
    pub fn column_near(&self, i: usize, name: &str) -> Result<&'a Column<'a>> {
        match self.columns.get(i) {
            Some(c) if c.name == name => Ok(c),
            _ => self.column(name),
        }
    }
}
