/// An error that the caller of the plugin reads: name the thing, the position and the fix. At most 1,024 bytes travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

/// A result with the SDK's error.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// An error with that text.
    pub fn new(text: impl Into<String>) -> Self {
        Error(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// `Err` with a text, formatted as `format!` does: `return weir::fail!("column {:?} is missing", name)`.
#[macro_export]
macro_rules! fail {
    ($($text:tt)*) => { ::core::result::Result::Err($crate::Error::new(::std::format!($($text)*))) };
}
