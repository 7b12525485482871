use core::cell::{Cell, RefCell};

/// Memory that is handed out in pieces and taken back all at once, so that a call's outputs cost no allocation. A piece never
/// moves; pieces handed out since the last reset do not overlap. What they hold is some earlier call's bytes, or zeros.
pub(crate) struct Arena {
    /// The blocks, of which the last is used from `used` words on.
    blocks: RefCell<Vec<Block>>,
    used: Cell<usize>,
}

/// 16 bytes, aligned for vector instructions.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Word(#[allow(dead_code)] [u64; 2]);

/// Words on the heap that began as zeros; held by pointer, since pieces of them are lent while the list of blocks changes.
struct Block {
    at: *mut Word,
    words: usize,
}

impl Block {
    fn new(words: usize) -> Block {
        Block { at: Box::into_raw(vec![Word([0; 2]); words].into_boxed_slice()).cast(), words }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(self.at, self.words)) });
    }
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Arena { blocks: RefCell::new(Vec::new()), used: Cell::new(0) }
    }

    /// Takes everything back; several blocks become one of their size together.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn reset(&mut self) {
        let blocks = self.blocks.get_mut();
        if blocks.len() > 1 {
            let words = blocks.iter().map(|b| b.words).sum();
            blocks.clear();
            blocks.push(Block::new(words));
        }
        self.used.set(0);
    }

    /// A slice of n values.
    #[allow(clippy::mut_from_ref)] // every call answers another piece
    pub(crate) fn slice<T: Plain>(&self, n: usize) -> &mut [T] {
        if n == 0 {
            return &mut [];
        }
        let words = (n * core::mem::size_of::<T>() + 15) / 16;
        let mut blocks = self.blocks.borrow_mut();
        let last = blocks.last().map_or(0, |b| b.words);
        if self.used.get() + words > last {
            blocks.push(Block::new(words.max(last * 2).max(256)));
            self.used.set(0);
        }
        let from = self.used.get();
        self.used.set(from + words);
        // In bounds, aligned, initialised; unique, because `used` only grows between resets, and a reset borrows the arena alone.
        unsafe { core::slice::from_raw_parts_mut(blocks[blocks.len() - 1].at.add(from).cast(), n) }
    }

    /// A copy of s.
    pub(crate) fn text(&self, s: &str) -> &str {
        let copy = self.slice::<u8>(s.len());
        copy.copy_from_slice(s.as_bytes());
        unsafe { core::str::from_utf8_unchecked(copy) }
    }
}

/// Types of which any bytes are a value, aligned to at most 16.
pub(crate) unsafe trait Plain: Copy {}
unsafe impl Plain for u8 {}
unsafe impl Plain for i32 {}
unsafe impl Plain for i64 {}
unsafe impl Plain for u64 {}
unsafe impl Plain for f32 {}
unsafe impl Plain for f64 {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_overlap() {
        let mut a = Arena::new();
        for _ in 0..3 {
            a.reset();
            let pieces: Vec<&mut [u8]> = (0..500usize).map(|n| a.slice(n * 7 % 97)).collect();
            let mut pieces: Vec<(u8, &mut [u8])> = pieces.into_iter().enumerate().map(|(i, p)| (i as u8, p)).collect();
            for (i, p) in &mut pieces {
                p.fill(*i);
            }
            for (i, p) in &pieces {
                assert!(p.is_empty() || p.as_ptr() as usize % 16 == 0);
                assert!(p.iter().all(|b| b == i), "piece {} was written to by another", i);
            }
        }
        a.reset();
        assert_eq!(a.blocks.get_mut().len(), 1);
        assert_eq!(a.text("żółć"), "żółć");
    }
}
