//! The machinery behind [`crate::export!`]: one instance of a plugin, and its batches as they lie in memory.
#![cfg(target_arch = "wasm32")]

use crate::arena::Arena;
use crate::documents::write_scores;
use crate::row::{Layout, Row, RowOutput};
use crate::*;
use core::cell::UnsafeCell;
use core::marker::PhantomData;

/// A value of a module's one thread.
struct Global<T>(UnsafeCell<T>);
unsafe impl<T> Sync for Global<T> {}

static ERROR: Global<String> = Global(UnsafeCell::new(String::new()));

#[link(wasm_import_module = "env")]
extern "C" {
    /// Ends the instance with a message, a file and a place in it, which the host tells; texts as AssemblyScript has them.
    fn abort(message: u32, file: u32, line: u32, column: u32) -> !;
}

/// Keeps the error's text for weir_error, and answers false.
fn keep(e: Error) -> bool {
    unsafe { *ERROR.0.get() = e.text().into() };
    false
}

/// A column descriptor as it lies in memory.
#[repr(C)]
#[derive(Clone, Copy)]
struct Descriptor {
    kind: u8,
    zero: [u8; 3],
    list_size: u32,
    name: u32,
    name_len: u32,
    validity: u32,
    offsets: u32,
    values: u32,
    bytes: u32,
}

/// A batch header as it lies in memory.
#[repr(C, align(8))]
struct Header {
    magic: u32,
    version: u16,
    flags: u16,
    rows: u32,
    columns: u32,
    descriptors: u32,
    zero: [u32; 3],
}

/// Views n values at an address that the host vouches for.
unsafe fn view<'a, T>(address: u32, n: usize) -> &'a [T] {
    if n == 0 {
        return &[];
    }
    core::slice::from_raw_parts(address as usize as *const T, n)
}

fn address<T>(values: &[T]) -> u32 {
    values.as_ptr() as usize as u32
}

fn pack(bytes: &[u8]) -> u64 {
    u64::from(address(bytes)) << 32 | bytes.len() as u64
}

unsafe fn read_column<'a>(d: &'a Descriptor, rows: usize) -> Column<'a> {
    Column {
        name: core::str::from_utf8_unchecked(view(d.name, d.name_len as usize)),
        kind: Type::of(d.kind).unwrap_or_else(|| panic!("column {} has the unknown type {}", d.name, d.kind)),
        list_size: d.list_size as usize,
        rows,
        validity: Validity((d.validity != 0).then(|| view(d.validity, (rows + 7) / 8))),
        offsets: if d.offsets == 0 { &[] } else { view(d.offsets, rows + 1) },
        values: d.values as usize as *const u8,
        bytes: d.bytes as usize,
        life: PhantomData,
    }
}

fn write_column(c: &Column<'_>) -> Descriptor {
    Descriptor {
        kind: c.kind as u8,
        zero: [0; 3],
        list_size: c.list_size as u32,
        name: address(c.name.as_bytes()),
        name_len: c.name.len() as u32,
        validity: c.validity.0.map_or(0, address),
        offsets: if c.offsets.is_empty() { 0 } else { address(c.offsets) },
        values: c.values as usize as u32,
        bytes: c.bytes as u32,
    }
}

/// An emptied list of columns with its memory, for columns of another call.
fn emptied<'a>(mut columns: Vec<Column<'_>>) -> Vec<Column<'a>> {
    columns.clear();
    columns.into_iter().filter_map(|_| None).collect()
}

/// The module's plugin and what the host may still look at after an export returned.
pub struct Instance<P> {
    plugin: Option<P>,
    inputs: Layout,
    outputs: Layout,
    arena: Arena,
    document: Vec<u8>,
    columns: Vec<Column<'static>>,
    answered: Vec<Column<'static>>,
    descriptors: Vec<Descriptor>,
    header: Header,
}

/// Where [`crate::export!`] keeps the instance.
pub struct Slot<P>(Global<Instance<P>>);

impl<P: Plugin> Slot<P> {
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Slot(Global(UnsafeCell::new(Instance {
            plugin: None,
            inputs: Layout::EMPTY,
            outputs: Layout::EMPTY,
            arena: Arena::new(),
            document: Vec::new(),
            columns: Vec::new(),
            answered: Vec::new(),
            descriptors: Vec::new(),
            header: Header { magic: 0x31544257, version: 1, flags: 0, rows: 0, columns: 0, descriptors: 0, zero: [0; 3] },
        })))
    }

    /// The instance: one call at a time has it, since the host makes one call at a time and no export calls another.
    #[allow(clippy::mut_from_ref)]
    pub fn get(&'static self) -> &'static mut Instance<P> {
        unsafe { &mut *self.0 .0.get() }
    }
}

pub fn alloc(size: u32) -> *mut u8 {
    match alloc_layout(size) {
        Some(layout) => unsafe { std::alloc::alloc(layout) },
        None => core::ptr::null_mut(),
    }
}

pub fn free(at: *mut u8, size: u32) {
    if let (false, Some(layout)) = (at.is_null(), alloc_layout(size)) {
        unsafe { std::alloc::dealloc(at, layout) };
    }
}

fn alloc_layout(size: u32) -> Option<std::alloc::Layout> {
    std::alloc::Layout::from_size_align(size.clamp(1, i32::MAX as u32) as usize, 16).ok()
}

pub fn error() -> u64 {
    pack(unsafe { &*ERROR.0.get() }.as_bytes())
}

/// A text as AssemblyScript has it: UTF-16, with the number of its bytes before it. Answers the address behind that number.
fn utf16(text: &str) -> u32 {
    let units: Vec<u16> = text.encode_utf16().collect();
    let size = (units.len() as u32 * 2).to_le_bytes();
    let bytes: Vec<u8> = size.into_iter().chain(units.into_iter().flat_map(u16::to_le_bytes)).collect();
    address(bytes.leak()) + 4
}

/// Makes panics end the instance with their message and place.
fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload().downcast_ref::<&str>().map(|s| s.to_string()).or_else(|| info.payload().downcast_ref::<String>().cloned());
        let (file, line, column) = info.location().map_or(("", 0, 0), |l| (l.file(), l.line(), l.column()));
        let text = text.unwrap_or_else(|| "panic".into());
        keep(Error::new(text.as_str()));
        unsafe { abort(utf16(&text), utf16(file), line, column) }
    }));
}

impl<P: Plugin> Instance<P> {
    fn plugin(&mut self) -> &mut P {
        self.plugin.as_mut().expect("weir_init comes first")
    }

    fn answer(&mut self, document: Result<impl Into<Vec<u8>>>) -> u64 {
        match document {
            Ok(document) => {
                self.document = document.into();
                pack(&self.document)
            }
            Err(e) => {
                keep(e);
                0
            }
        }
    }

    pub fn describe(&mut self, worlds: &[&str]) -> u64 {
        catch_panics();
        self.answer(Ok(P::DESCRIPTION.write(worlds)))
    }

    pub fn init(&mut self, at: u32, n: u32) -> i32 {
        catch_panics();
        match P::new(unsafe { view(at, n as usize) }) {
            Ok(plugin) => {
                let schema = plugin.schema();
                self.inputs = Layout::of(&schema.inputs);
                self.outputs = Layout::of(&schema.outputs);
                self.plugin = Some(plugin);
                0
            }
            Err(e) => 1 - i32::from(keep(e)),
        }
    }

    pub fn schema(&mut self) -> u64 {
        let text = self.plugin().schema().write();
        self.answer(Ok(text))
    }

    /// Views the batch at an address; the host vouches for what is there.
    fn batch(&mut self, at: u32) -> usize {
        let header = unsafe { &*(at as usize as *const Header) };
        let rows = header.rows as usize;
        self.columns.clear();
        self.columns.extend(unsafe { view(header.descriptors, header.columns as usize) }.iter().map(|d| unsafe { read_column(d, rows) }));
        rows
    }
}

impl<P: Transform> Instance<P> {
    pub fn transform(&mut self, at: u32) -> u32 {
        let rows = self.batch(at);
        self.arena.reset();
        let mut output = Output::new(rows, &self.arena, emptied(core::mem::take(&mut self.answered)));
        let plugin = self.plugin.as_mut().expect("weir_init comes first");
        let done = plugin.transform(Batch::new(rows, &self.columns), &mut output);
        match done.and_then(|()| output.finish()) {
            Ok(columns) => {
                self.descriptors.clear();
                self.descriptors.extend(columns.iter().map(write_column));
                self.answered = emptied(columns);
                self.header.rows = rows as u32;
                self.header.columns = self.descriptors.len() as u32;
                self.header.descriptors = address(&self.descriptors);
                &self.header as *const Header as usize as u32
            }
            Err(e) => keep(e).into(),
        }
    }
}

impl<P: TransformRow> Instance<P> {
    pub fn row(&mut self, at: u32) -> u32 {
        self.arena.reset();
        let row = Row::new(unsafe { view(at, self.inputs.words) }, &self.inputs);
        let mut output = RowOutput::new(&self.outputs, &self.arena);
        let plugin = self.plugin.as_mut().expect("weir_init comes first");
        match plugin.row(row, &mut output) {
            Ok(()) => address(output.finish()),
            Err(e) => keep(e).into(),
        }
    }
}

fn status(done: Result<()>) -> i32 {
    match done {
        Ok(()) => 0,
        Err(e) => 1 - i32::from(keep(e)),
    }
}

impl<P: Metric> Instance<P> {
    pub fn update(&mut self, side: u32, at: u32) -> i32 {
        let rows = self.batch(at);
        let side = if side == 0 { Side::Reference } else { Side::Current };
        let plugin = self.plugin.as_mut().expect("weir_init comes first");
        status(plugin.update(side, Batch::new(rows, &self.columns)))
    }

    pub fn state(&mut self) -> u64 {
        let state = self.plugin().state();
        self.answer(state)
    }

    pub fn merge(&mut self, at: u32, n: u32) -> i32 {
        status(self.plugin().merge(unsafe { view(at, n as usize) }))
    }

    pub fn finish(&mut self) -> u64 {
        let scores = self.plugin().finish().map(|scores| write_scores(&scores));
        self.answer(scores)
    }

    pub fn reset(&mut self) -> i32 {
        self.plugin().reset();
        0
    }
}

impl<P: Gate> Instance<P> {
    pub fn gate(&mut self, at: u32, n: u32) -> u64 {
        let verdict = self.plugin().gate(unsafe { view(at, n as usize) }).map(|v| v.write());
        self.answer(verdict)
    }
}

impl<P: Handler> Instance<P> {
    pub fn handle(&mut self, at: u32, n: u32) -> u64 {
        let request = Request::read(unsafe { view(at, n as usize) });
        let response = request.and_then(|q| self.plugin().handle(q)).map(|r| r.write());
        self.answer(response)
    }
}
