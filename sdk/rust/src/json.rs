//! JSON for parameters and documents: [`Reader`] pulls values one after the other and builds no tree, [`Writer`] appends.

use crate::{fail, Result};
use core::fmt::Write as _;

/// How deeply a document may nest.
const MAX_DEPTH: usize = 64;

/// Reads one document, strictly as RFC 8259 has it. Errors name the document, the line and the column (in bytes, from 1).
///
/// ```
/// # fn read(text: &[u8]) -> weir::Result<f64> {
/// let mut r = weir::json::Reader::new("parameters", text);
/// let mut mean = None;
/// r.object(|r, key| match key {
///     "mean" => { mean = Some(r.number()?); Ok(()) }
///     _ => r.unknown(key),
/// })?;
/// r.end()?;
/// mean.ok_or_else(|| r.missing("mean"))
/// # }
/// # assert_eq!(read(b"{\"mean\": 1.5}").unwrap(), 1.5);
/// # assert_eq!(read(b"{\"mean\": x}").unwrap_err().text(), "parameters: line 1, column 10: a number is expected");
/// ```
pub struct Reader<'a> {
    what: &'static str,
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader of text, which is called `what` in errors.
    pub fn new(what: &'static str, text: &'a [u8]) -> Self {
        Reader { what, text, at: 0, depth: 0 }
    }

    /// An error at the place where the reader is.
    pub fn wrong<T>(&self, problem: &str) -> Result<T> {
        let before = &self.text[..self.at];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        fail!("{}: line {}, column {}: {}", self.what, line, column, problem)
    }

    /// The error of a key that has no meaning.
    pub fn unknown<T>(&self, key: &str) -> Result<T> {
        fail!("{}: unknown key {:?}", self.what, key)
    }

    /// The error of a key that is not there.
    pub fn missing(&self, key: &str) -> crate::Error {
        crate::Error::new(format!("{}: {:?} is missing", self.what, key))
    }

    fn peek(&mut self) -> u8 {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn open(&mut self, bracket: u8, problem: &str) -> Result<()> {
        if self.peek() != bracket {
            return self.wrong(problem);
        }
        if self.depth == MAX_DEPTH {
            return self.wrong("nested too deeply");
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Moves to the next item; false at the closing bracket, which it passes.
    fn item(&mut self, close: u8, first: bool) -> Result<bool> {
        if self.peek() == close {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if !first {
            if self.peek() != b',' {
                return self.wrong("a comma or the closing bracket is expected");
            }
            self.at += 1;
            if self.peek() == close {
                return self.wrong("a value is expected after the comma");
            }
        }
        Ok(true)
    }

    /// Reads an object, calling f with each key; f reads (or skips) the value.
    pub fn object(&mut self, mut f: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        self.open(b'{', "an object is expected")?;
        let mut first = true;
        while self.item(b'}', first)? {
            first = false;
            let key = self.string()?;
            if self.peek() != b':' {
                return self.wrong("a colon is expected");
            }
            self.at += 1;
            f(self, &key)?;
        }
        Ok(())
    }

    /// Reads an array, calling f before each item; f reads (or skips) it.
    pub fn array(&mut self, mut f: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.open(b'[', "an array is expected")?;
        let mut first = true;
        while self.item(b']', first)? {
            first = false;
            f(self)?;
        }
        Ok(())
    }

    /// Reads an array of numbers.
    pub fn numbers(&mut self) -> Result<Vec<f64>> {
        let mut all = Vec::new();
        self.array(|r| {
            all.push(r.number()?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Reads a string.
    pub fn string(&mut self) -> Result<String> {
        if self.peek() != b'"' {
            return self.wrong("a string is expected");
        }
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let from = self.at;
            while !matches!(self.text.get(self.at), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            out.extend_from_slice(&self.text[from..self.at]);
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    let mut buf = [0; 4];
                    out.extend_from_slice(self.escape()?.encode_utf8(&mut buf).as_bytes());
                }
                Some(_) => return self.wrong("a control character in a string must be escaped"),
                None => return self.wrong("the string does not end"),
            }
        }
        match String::from_utf8(out) {
            Ok(s) => {
                self.at += 1;
                Ok(s)
            }
            Err(_) => self.wrong("the string is not UTF-8"),
        }
    }

    fn escape(&mut self) -> Result<char> {
        let c = self.text.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        Ok(match c {
            b'"' | b'\\' | b'/' => c as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex4()?;
                let mut code = Some(high);
                if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let low = self.hex4()?.wrapping_sub(0xdc00);
                    code = (low < 0x400).then(|| 0x10000 + ((high - 0xd800) << 10 | low));
                }
                match code.and_then(char::from_u32) {
                    Some(c) => c,
                    None => return self.wrong("an unpaired surrogate"),
                }
            }
            _ => {
                self.at -= 1;
                return self.wrong("an unknown escape");
            }
        })
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        match digits {
            Some(d) => {
                self.at += 4;
                Ok(d.iter().fold(0, |v, c| v << 4 | (*c as char).to_digit(16).unwrap_or(0)))
            }
            None => self.wrong("four hex digits are expected after \\u"),
        }
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while matches!(self.text.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - from
    }

    /// Reads a finite number: the nearest double.
    pub fn number(&mut self) -> Result<f64> {
        self.peek();
        let from = self.at;
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        let zero = self.text.get(self.at) == Some(&b'0');
        let whole = self.digits();
        if whole == 0 || zero && whole > 1 {
            self.at = from;
            return self.wrong("a number is expected");
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.wrong("digits are expected after the point");
            }
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return self.wrong("digits are expected in the exponent");
            }
        }
        // Digits, signs, points and e alone: UTF-8, and a form that parse takes.
        let v = core::str::from_utf8(&self.text[from..self.at]).ok().and_then(|s| s.parse::<f64>().ok()).filter(|v| v.is_finite());
        match v {
            Some(v) => Ok(v),
            None => {
                self.at = from;
                self.wrong("the number is too large for a double")
            }
        }
    }

    /// Reads a whole number from low to high; both must be below 2^53.
    pub fn integer(&mut self, low: i64, high: i64) -> Result<i64> {
        self.peek();
        let from = self.at;
        let v = self.number()?;
        if v >= low as f64 && v <= high as f64 && v as i64 as f64 == v {
            return Ok(v as i64);
        }
        self.at = from;
        self.wrong(&format!("a whole number from {} to {} is expected", low, high))
    }

    /// Reads true or false.
    pub fn boolean(&mut self) -> Result<bool> {
        match self.peek() {
            b't' => self.word("true").map(|_| true),
            b'f' => self.word("false").map(|_| false),
            _ => self.wrong("true or false is expected"),
        }
    }

    /// Reads a number if there is one, and skips any other value.
    pub fn number_or_skip(&mut self) -> Result<Option<f64>> {
        match self.peek() {
            b'-' | b'0'..=b'9' => self.number().map(Some),
            _ => self.skip().map(|_| None),
        }
    }

    /// Reads an object as `object` does, and skips any other value.
    pub fn object_or_skip(&mut self, f: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        match self.peek() {
            b'{' => self.object(f),
            _ => self.skip(),
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return self.wrong("a value is expected");
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads any value and forgets it.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek() {
            b'{' => self.object(|r, _| r.skip()),
            b'[' => self.array(|r| r.skip()),
            b'"' => self.string().map(|_| ()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            _ => self.wrong("a value is expected"),
        }
    }

    /// Checks that nothing follows the document.
    pub fn end(&mut self) -> Result<()> {
        self.peek();
        if self.at < self.text.len() {
            return self.wrong("nothing may follow the document");
        }
        Ok(())
    }
}

/// Writes one document. It puts the commas; that brackets and keys match is the caller's to see to.
#[derive(Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    fn value(&mut self) -> &mut Self {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(',');
        }
        self
    }

    /// Begins an object.
    pub fn begin_object(&mut self) -> &mut Self {
        self.value().out.push('{');
        self
    }

    /// Ends an object.
    pub fn end_object(&mut self) -> &mut Self {
        self.out.push('}');
        self
    }

    /// Begins an array.
    pub fn begin_array(&mut self) -> &mut Self {
        self.value().out.push('[');
        self
    }

    /// Ends an array.
    pub fn end_array(&mut self) -> &mut Self {
        self.out.push(']');
        self
    }

    /// Writes a member's key; its value must follow.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.text(key).out.push(':');
        self
    }

    /// Writes a string.
    pub fn text(&mut self, s: &str) -> &mut Self {
        self.value().out.push('"');
        for c in s.chars() {
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                '\0'..='\x1f' => write!(self.out, "\\u{:04x}", c as u32).unwrap_or(()),
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
        self
    }

    /// Writes a number that reads back as the same double; null for NaN and infinities.
    pub fn number(&mut self, v: f64) -> &mut Self {
        if v.is_finite() {
            write!(self.value().out, "{:?}", v).unwrap_or(());
            return self;
        }
        self.null()
    }

    /// Writes a number, or null.
    pub fn number_or_null(&mut self, v: Option<f64>) -> &mut Self {
        self.number(v.unwrap_or(f64::NAN))
    }

    /// Writes a whole number.
    pub fn integer(&mut self, v: i64) -> &mut Self {
        write!(self.value().out, "{}", v).unwrap_or(());
        self
    }

    /// Writes true or false.
    pub fn boolean(&mut self, v: bool) -> &mut Self {
        self.raw(if v { "true" } else { "false" })
    }

    /// Writes null.
    pub fn null(&mut self) -> &mut Self {
        self.raw("null")
    }

    /// Writes a value that is JSON already.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.value().out.push_str(json);
        self
    }

    /// The document; the writer begins anew.
    pub fn finish(&mut self) -> String {
        core::mem::take(&mut self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(text: &str) -> Result<()> {
        let mut r = Reader::new("document", text.as_bytes());
        r.skip()?;
        r.end()
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        for good in ["{}", " [ ] ", "[1,-0,0.5e-3,1E9]", "{\"a\":[true,false,null,\"\\u00e9\\ud83d\\ude00\"]}", "\"\"", "1e308"] {
            assert_eq!(skip(good), Ok(()), "{}", good);
        }
        for (bad, at) in [
            ("", "column 1: a value is expected"),
            ("[1,]", "column 4: a value is expected after the comma"),
            ("[1 2]", "column 4: a comma or the closing bracket is expected"),
            ("{\"a\" 1}", "column 6: a colon is expected"),
            ("01", "column 1: a number is expected"),
            ("1.", "column 3: digits are expected after the point"),
            ("1e", "column 3: digits are expected in the exponent"),
            ("1e999", "column 1: the number is too large for a double"),
            ("\"a", "column 3: the string does not end"),
            ("\"\u{1}\"", "column 2: a control character in a string must be escaped"),
            ("\"\\x\"", "column 3: an unknown escape"),
            ("\"\\ud800\"", "an unpaired surrogate"),
            ("\"\\ud800\\u0041\"", "an unpaired surrogate"),
            ("\"\\ud800\\ue000\"", "an unpaired surrogate"),
            ("\"\\udc00\"", "an unpaired surrogate"),
            ("\"\\u12g4\"", "four hex digits are expected"),
            ("nul", "column 1: a value is expected"),
            ("{}\n x", "line 2, column 2: nothing may follow the document"),
            ("[[", "column 3: a value is expected"),
        ] {
            let text = skip(bad).unwrap_err();
            assert!(text.text().contains(at), "{:?}: {}", bad, text);
        }
        assert!(skip(&"[".repeat(65)).unwrap_err().text().contains("nested too deeply"));
        assert!(Reader::new("x", b"\"\xff\"").string().unwrap_err().text().contains("not UTF-8"));
    }

    #[test]
    fn written_reads_back() {
        let mut w = Writer::new();
        w.begin_object().key("a\"\\\n").begin_array().number(0.1).number(1e300).number(f64::NAN).integer(-3).boolean(true);
        w.begin_object().end_object().end_array().key("b").text("żółć").end_object();
        let text = w.finish();
        assert_eq!(text, "{\"a\\\"\\\\\\u000a\":[0.1,1e300,null,-3,true,{}],\"b\":\"żółć\"}");
        let mut r = Reader::new("document", text.as_bytes());
        let (mut numbers, mut keys) = (Vec::new(), Vec::new());
        r.object(|r, key| {
            keys.push(key.to_string());
            if key == "b" {
                assert_eq!(r.string()?, "żółć");
                return Ok(());
            }
            r.array(|r| {
                numbers.push(r.number_or_skip()?);
                Ok(())
            })
        })
        .unwrap();
        assert_eq!(keys, ["a\"\\\n", "b"]);
        assert_eq!(numbers, [Some(0.1), Some(1e300), None, Some(-3.0), None, None]);
    }

    #[test]
    fn whole_numbers() {
        assert_eq!(Reader::new("x", b"1e3").integer(1, 5000), Ok(1000));
        for bad in [&b"0"[..], b"1.5", b"5001", b"-1", b"1e300"] {
            assert!(Reader::new("x", bad).integer(1, 5000).unwrap_err().text().contains("a whole number from 1 to 5000"));
        }
    }
}
