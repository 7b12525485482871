//! A gate that panics, for the test that the host tells why.

struct Panics;

impl weir::Plugin for Panics {
    const DESCRIPTION: weir::Description = weir::Description { name: "panics", version: "1.0.0", ..weir::Description::EMPTY };

    fn new(_: &[u8]) -> weir::Result<Self> {
        Ok(Panics)
    }
}

impl weir::Gate for Panics {
    fn gate(&mut self, context: &[u8]) -> weir::Result<weir::Verdict> {
        let few = [1, 2, 3];
        weir::fail!("{}", few[context.len()])
    }
}

weir::export!(Panics: gate);
