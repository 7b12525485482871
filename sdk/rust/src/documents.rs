use crate::json::{Reader, Writer};
use crate::Result;

/// One figure of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// The column it is about; empty for none.
    pub column: String,
    /// What is measured, such as "psi".
    pub name: String,
    /// The value; None = undefined, with the reason in the note. NaN and infinities are written as undefined, too.
    pub value: Option<f64>,
    /// Why there is no value, or what to know about it.
    pub note: String,
    /// A JSON object with details; empty for none.
    pub detail: String,
}

/// What a gate decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Good.
    Pass,
    /// Not good.
    Fail,
    /// A human must look.
    Review,
}

/// A decision with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision.
    pub outcome: Outcome,
    /// Sentences with their figures; at least one.
    pub reasons: Vec<String>,
    /// A JSON object with the figures; empty for none.
    pub evidence: String,
}

/// What a handler is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// "http" or "event".
    pub kind: String,
    /// The HTTP method.
    pub method: String,
    /// The path below the function.
    pub path: String,
    /// The query without "?".
    pub query: String,
    /// Header names and their values.
    pub headers: Vec<(String, Vec<String>)>,
    /// An event's subject.
    pub subject: String,
    /// An event's id.
    pub id: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first value of a header, whose name is compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.first()).map(String::as_str)
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn read(document: &[u8]) -> Result<Request> {
        let mut q = Request::default();
        let mut r = Reader::new("request", document);
        r.object(|r, key| {
            match key {
                "kind" => q.kind = r.string()?,
                "method" => q.method = r.string()?,
                "path" => q.path = r.string()?,
                "query" => q.query = r.string()?,
                "subject" => q.subject = r.string()?,
                "id" => q.id = r.string()?,
                "headers" => q.headers = headers(r)?,
                "body" => q.body = body(r)?,
                _ => r.skip()?,
            }
            Ok(())
        })?;
        r.end()?;
        Ok(q)
    }
}

/// What a handler answers, and what [`crate::host::http_request`] got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status, 200..599; 0 = 200.
    pub status: u16,
    /// Header names and their values.
    pub headers: Vec<(String, Vec<String>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A response with a body of that content type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, headers: vec![("Content-Type".into(), vec![content_type.into()])], body: body.into() }
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn read(document: &[u8]) -> Result<Response> {
        let mut out = Response::default();
        let mut r = Reader::new("response", document);
        r.object(|r, key| {
            match key {
                "status" => out.status = r.integer(0, 999)? as u16,
                "headers" => out.headers = headers(r)?,
                "body" => out.body = body(r)?,
                _ => r.skip()?,
            }
            Ok(())
        })?;
        r.end()?;
        Ok(out)
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn write(&self) -> String {
        let mut w = Writer::new();
        w.begin_object().key("status").integer(self.status.into());
        write_headers(&mut w, &self.headers);
        w.key("body").text(&base64(&self.body)).end_object();
        w.finish()
    }
}

fn headers(r: &mut Reader<'_>) -> Result<Vec<(String, Vec<String>)>> {
    let mut all = Vec::new();
    r.object_or_skip(|r, name| {
        let mut values = Vec::new();
        r.array(|r| {
            values.push(r.string()?);
            Ok(())
        })?;
        all.push((name.to_string(), values));
        Ok(())
    })?;
    Ok(all)
}

pub(crate) fn write_headers(w: &mut Writer, headers: &[(String, Vec<String>)]) {
    w.key("headers").begin_object();
    for (name, values) in headers {
        w.key(name).begin_array();
        for value in values {
            w.text(value);
        }
        w.end_array();
    }
    w.end_object();
}

fn body(r: &mut Reader<'_>) -> Result<Vec<u8>> {
    match unbase64(r.string()?.as_bytes()) {
        Some(bytes) => Ok(bytes),
        None => r.wrong("the body is not base64"),
    }
}

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
pub(crate) fn write_scores(scores: &[Score]) -> String {
    let mut w = Writer::new();
    w.begin_array();
    for s in scores {
        w.begin_object();
        if !s.column.is_empty() {
            w.key("column").text(&s.column);
        }
        w.key("name").text(&s.name).key("value").number_or_null(s.value);
        if !s.note.is_empty() {
            w.key("note").text(&s.note);
        }
        if !s.detail.is_empty() {
            w.key("detail").raw(&s.detail);
        }
        w.end_object();
    }
    w.end_array();
    w.finish()
}

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
impl Verdict {
    pub(crate) fn write(&self) -> String {
        let mut w = Writer::new();
        w.begin_object().key("outcome").text(match self.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Review => "review",
        });
        w.key("reasons").begin_array();
        for reason in &self.reasons {
            w.text(reason);
        }
        w.end_array();
        if !self.evidence.is_empty() {
            w.key("evidence").raw(&self.evidence);
        }
        w.end_object();
        w.finish()
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// base64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity((bytes.len() + 2) / 3 * 4);
    for chunk in bytes.chunks(3) {
        let v = chunk.iter().fold(0, |v, b| v << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            out.push(if i > chunk.len() { '=' } else { ALPHABET[(v >> (18 - 6 * i) & 63) as usize] as char });
        }
    }
    out
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    if text.len() % 4 != 0 {
        return None;
    }
    for (n, chunk) in text.chunks(4).enumerate() {
        let padding = if (n + 1) * 4 == text.len() { chunk.iter().rev().take(2).take_while(|c| **c == b'=').count() } else { 0 };
        let mut v = 0;
        for c in &chunk[..4 - padding] {
            let digit = match c {
                b'A'..=b'Z' => c - b'A',
                b'a'..=b'z' => c - b'a' + 26,
                b'0'..=b'9' => c - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            v = v << 6 | u32::from(digit);
        }
        v <<= 6 * padding;
        out.extend_from_slice(&v.to_be_bytes()[1..4 - padding]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_both_ways() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xff\xfe\xfd\x00", "//79AA==")] {
            assert_eq!(base64(bytes), text);
            assert_eq!(unbase64(text.as_bytes()).as_deref(), Some(bytes));
        }
        for bad in ["Zg", "Zg=", "====", "Zg==Zg==", "Z$==", "Zm9v\n"] {
            assert_eq!(unbase64(bad.as_bytes()), None, "{}", bad);
        }
    }

    #[test]
    fn documents() {
        let q = Request::read(b"{\"kind\":\"http\",\"method\":\"GET\",\"headers\":{\"Accept\":[\"a\",\"b\"]},\"body\":\"aGk=\",\"later\":[{}]}").unwrap();
        assert_eq!((q.kind.as_str(), q.header("accept"), q.body.as_slice()), ("http", Some("a"), &b"hi"[..]));
        assert!(Request::read(b"{\"body\":\"?\"}").unwrap_err().text().contains("not base64"));
        let response = Response::new(201, "text/plain", "hi");
        assert_eq!(response.write(), "{\"status\":201,\"headers\":{\"Content-Type\":[\"text/plain\"]},\"body\":\"aGk=\"}");
        assert_eq!(Response::read(response.write().as_bytes()).unwrap(), response);
        let score = Score { column: "x".into(), name: "psi".into(), note: "none".into(), detail: "{\"n\":1}".into(), ..Score::default() };
        assert_eq!(write_scores(&[score]), "[{\"column\":\"x\",\"name\":\"psi\",\"value\":null,\"note\":\"none\",\"detail\":{\"n\":1}}]");
        let verdict = Verdict { outcome: Outcome::Review, reasons: vec!["so".into()], evidence: String::new() };
        assert_eq!(verdict.write(), "{\"outcome\":\"review\",\"reasons\":[\"so\"]}");
    }
}
