use crate::arena::Arena;
use crate::{Field, Type};

/// Where a column lies in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    kind: Type,
    /// In 8-byte words from the row's beginning.
    at: usize,
    list_size: usize,
}

/// The layout of a row (ABI.md, section 10): ⌈columns/64⌉ words of validity, then each column's place.
pub(crate) struct Layout {
    slots: Vec<Slot>,
    pub(crate) words: usize,
}

impl Layout {
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) const EMPTY: Layout = Layout { slots: Vec::new(), words: 0 };

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn of(fields: &[Field]) -> Layout {
        let mut words = (fields.len() + 63) / 64;
        let slot = |f: &Field| {
            let at = words;
            words += if f.kind == Type::FloatVector { (f.list_size + 1) / 2 } else { 1 };
            Slot { kind: f.kind, at, list_size: f.list_size }
        };
        let slots = fields.iter().map(slot).collect();
        Layout { slots, words }
    }
}

/// One row of input. Columns are named by their place in the schema's inputs; each method panics when that column is of another
/// type, and answers None for a null.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    words: &'a [u64],
    layout: &'a Layout,
}

impl<'a> Row<'a> {
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn new(words: &'a [u64], layout: &'a Layout) -> Self {
        Row { words, layout }
    }

    #[inline]
    fn word(&self, i: usize, kind: Type) -> Option<u64> {
        let slot = &self.layout.slots[i];
        assert!(slot.kind == kind, "input {} of the row is {}, not {}", i, slot.kind.name(), kind.name());
        self.is_valid(i).then(|| self.words[slot.at])
    }

    /// Whether column i has a value.
    #[inline]
    pub fn is_valid(&self, i: usize) -> bool {
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    /// A float64.
    #[inline]
    pub fn f64(&self, i: usize) -> Option<f64> {
        self.word(i, Type::Float64).map(f64::from_bits)
    }

    /// A float32.
    #[inline]
    pub fn f32(&self, i: usize) -> Option<f32> {
        self.word(i, Type::Float32).map(|w| f32::from_bits(w as u32))
    }

    /// An int64.
    #[inline]
    pub fn i64(&self, i: usize) -> Option<i64> {
        self.word(i, Type::Int64).map(|w| w as i64)
    }

    /// An int32.
    #[inline]
    pub fn i32(&self, i: usize) -> Option<i32> {
        self.word(i, Type::Int32).map(|w| w as i32)
    }

    /// A timestamp, in microseconds since 1970-01-01T00:00:00Z.
    #[inline]
    pub fn timestamp(&self, i: usize) -> Option<i64> {
        self.word(i, Type::Timestamp).map(|w| w as i64)
    }

    /// A bool.
    #[inline]
    pub fn bool(&self, i: usize) -> Option<bool> {
        self.word(i, Type::Bool).map(|w| w != 0)
    }

    /// A text.
    pub fn text(&self, i: usize) -> Option<&'a str> {
        // The host has checked that it is UTF-8.
        self.word(i, Type::Utf8).map(|w| unsafe { core::str::from_utf8_unchecked(pointed(w)) })
    }

    /// Bytes.
    pub fn bytes(&self, i: usize) -> Option<&'a [u8]> {
        self.word(i, Type::Binary).map(|w| unsafe { pointed(w) })
    }

    /// A float vector.
    pub fn vector(&self, i: usize) -> Option<&'a [f32]> {
        self.word(i, Type::FloatVector)?;
        let slot = &self.layout.slots[i];
        let words = &self.words[slot.at..slot.at + (slot.list_size + 1) / 2];
        Some(unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), slot.list_size) })
    }
}

/// The bytes at an address and of a length, packed as a row has them.
unsafe fn pointed<'a>(word: u64) -> &'a [u8] {
    match (word >> 32) as usize {
        0 => &[],
        n => core::slice::from_raw_parts(word as u32 as usize as *const u8, n),
    }
}

/// One row of output, all null at first. Columns are named by their place in the schema's outputs; each method panics when that column
/// is of another type.
pub struct RowOutput<'a> {
    words: &'a mut [u64],
    layout: &'a Layout,
    arena: &'a Arena,
}

impl<'a> RowOutput<'a> {
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn new(layout: &'a Layout, arena: &'a Arena) -> Self {
        let words = arena.slice::<u64>(layout.words);
        words[..(layout.slots.len() + 63) / 64].fill(0);
        RowOutput { words, layout, arena }
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn finish(self) -> &'a [u64] {
        self.words
    }

    #[inline]
    fn set(&mut self, i: usize, kind: Type, word: u64) {
        let slot = &self.layout.slots[i];
        assert!(slot.kind == kind, "output {} of the row is {}, not {}", i, slot.kind.name(), kind.name());
        self.words[slot.at] = word;
        self.words[i / 64] |= 1 << (i % 64);
    }

    /// Sets a float64.
    #[inline]
    pub fn f64(&mut self, i: usize, v: f64) {
        self.set(i, Type::Float64, v.to_bits());
    }

    /// Sets a float32.
    #[inline]
    pub fn f32(&mut self, i: usize, v: f32) {
        self.set(i, Type::Float32, v.to_bits().into());
    }

    /// Sets an int64.
    #[inline]
    pub fn i64(&mut self, i: usize, v: i64) {
        self.set(i, Type::Int64, v as u64);
    }

    /// Sets an int32.
    #[inline]
    pub fn i32(&mut self, i: usize, v: i32) {
        self.set(i, Type::Int32, i64::from(v) as u64);
    }

    /// Sets a timestamp, in microseconds since 1970-01-01T00:00:00Z.
    #[inline]
    pub fn timestamp(&mut self, i: usize, v: i64) {
        self.set(i, Type::Timestamp, v as u64);
    }

    /// Sets a bool.
    #[inline]
    pub fn bool(&mut self, i: usize, v: bool) {
        self.set(i, Type::Bool, v.into());
    }

    fn pointed(&mut self, i: usize, kind: Type, v: &[u8]) {
        let copy = self.arena.slice::<u8>(v.len());
        copy.copy_from_slice(v);
        self.set(i, kind, (v.len() as u64) << 32 | copy.as_ptr() as usize as u32 as u64);
    }

    /// Sets a text, which is copied.
    pub fn text(&mut self, i: usize, v: &str) {
        self.pointed(i, Type::Utf8, v.as_bytes());
    }

    /// Sets bytes, which are copied.
    pub fn bytes(&mut self, i: usize, v: &[u8]) {
        self.pointed(i, Type::Binary, v);
    }

    /// Sets a float vector. Panics when it has another number of elements than the schema says.
    pub fn vector(&mut self, i: usize, v: &[f32]) {
        let slot = self.layout.slots[i];
        assert!(slot.kind == Type::FloatVector && slot.list_size == v.len(), "output {} of the row is no vector of {}", i, v.len());
        for (word, pair) in self.words[slot.at..].iter_mut().zip(v.chunks(2)) {
            *word = u64::from(pair[0].to_bits()) | u64::from(pair.get(1).map_or(0, |x| x.to_bits())) << 32;
        }
        self.words[i / 64] |= 1 << (i % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;

    #[test]
    fn a_row_of_every_kind_but_texts() {
        // Texts hold 32-bit addresses, which only a wasm32 module has.
        let s = Schema::default().output("a", Type::Float64).output("b", Type::Int32).output_vector("v", 3).output("c", Type::Bool).output("d", Type::Float32);
        let (layout, arena) = (Layout::of(&s.outputs), Arena::new());
        let mut out = RowOutput::new(&layout, &arena);
        out.f64(0, -0.5);
        out.i32(1, -7);
        out.vector(2, &[1.0, 2.0, 3.0]);
        out.f32(4, 0.25);
        let words = out.finish();
        assert_eq!((words.len(), words[0], words[2]), (7, 0b10111, -7i64 as u64));
        let row = Row::new(words, &layout);
        assert_eq!((row.f64(0), row.i32(1), row.vector(2), row.bool(3), row.f32(4)), (Some(-0.5), Some(-7), Some(&[1.0, 2.0, 3.0][..]), None, Some(0.25)));
    }

    #[test]
    #[should_panic(expected = "input 0 of the row is int64, not float64")]
    fn another_type() {
        let layout = Layout::of(&Schema::default().input("a", Type::Int64).inputs);
        Row::new(&[1, 0], &layout).f64(0);
    }
}
