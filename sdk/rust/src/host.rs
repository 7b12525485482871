//! What a plugin may ask of the host (`sdk/abi/ABI.md`, section 9). Each function needs the grant of its name, which the plugin's
//! description asks for and its manifest gives. In a transform and a metric everything but [`log`] is refused. Natively
//! everything is refused.

use crate::documents::{base64, write_headers};
use crate::json::Writer;
use crate::Response;

/// Why the host did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is no such thing.
    Absent = 1,
    /// No grant, or outside its scope.
    Refused = 2,
    /// A limit of size, rate or time was met.
    Limit = 3,
    /// It failed.
    Failed = 4,
}

/// A host call that was not done, with the host's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError {
    /// Which kind of failure.
    pub status: Status,
    /// The host's text.
    pub text: String,
}

impl From<HostError> for crate::Error {
    fn from(e: HostError) -> Self {
        crate::Error::new(e.text)
    }
}

/// A result of a host call.
pub type HostResult<T> = core::result::Result<T, HostError>;

/// How loud a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug = 0,
    /// Ordinary.
    Info = 1,
    /// Something is odd.
    Warning = 2,
    /// Something failed.
    Error = 3,
}

#[cfg(target_arch = "wasm32")]
mod imports {
    #[link(wasm_import_module = "weir:host")]
    extern "C" {
        pub fn log(level: i32, at: *const u8, n: usize) -> i32;
        pub fn clock(at: *mut i64) -> i32;
        pub fn random(at: *mut u8, n: usize) -> i32;
        pub fn kv_get(key: *const u8, key_n: usize) -> i32;
        pub fn kv_put(key: *const u8, key_n: usize, value: *const u8, value_n: usize) -> i32;
        pub fn kv_delete(key: *const u8, key_n: usize) -> i32;
        pub fn features_read(at: *const u8, n: usize) -> i32;
        pub fn model_infer(at: *const u8, n: usize) -> i32;
        pub fn http_request(at: *const u8, n: usize) -> i32;
        pub fn reply_size() -> i32;
        pub fn reply_read(at: *mut u8);
    }
}

/// The same names natively, where there is no host.
#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::missing_safety_doc)]
mod imports {
    macro_rules! refused {
        ($($name:ident($($arg:ident: $t:ty),*)),*) => { $(pub unsafe fn $name($(_: $t),*) -> i32 { 2 })* };
    }
    refused!(
        log(level: i32, at: *const u8, n: usize), clock(at: *mut i64), random(at: *mut u8, n: usize), kv_get(at: *const u8, n: usize),
        kv_put(key: *const u8, kn: usize, value: *const u8, vn: usize), kv_delete(at: *const u8, n: usize), features_read(at: *const u8, n: usize),
        model_infer(at: *const u8, n: usize), http_request(at: *const u8, n: usize)
    );
    pub unsafe fn reply_size() -> i32 {
        0
    }
    pub unsafe fn reply_read(_: *mut u8) {}
}

fn reply() -> Vec<u8> {
    unsafe {
        let mut bytes = vec![0; imports::reply_size().max(0) as usize];
        if !bytes.is_empty() {
            imports::reply_read(bytes.as_mut_ptr());
        }
        bytes
    }
}

fn done(status: i32) -> HostResult<()> {
    let status = match status {
        0 => return Ok(()),
        1 => Status::Absent,
        2 => Status::Refused,
        3 => Status::Limit,
        _ => Status::Failed,
    };
    Err(HostError { status, text: String::from_utf8_lossy(&reply()).into_owned() })
}

/// Writes a line to the host's log. Grant `log`. A refusal is no failure of the plugin, so there is nothing to handle.
pub fn log(level: Level, text: &str) {
    let _ = unsafe { imports::log(level as i32, text.as_ptr(), text.len()) };
}

/// Microseconds since 1970-01-01T00:00:00Z. Grant `clock`.
pub fn clock() -> HostResult<i64> {
    let mut now = 0;
    done(unsafe { imports::clock(&mut now) }).map(|()| now)
}

/// Fills the bytes with random ones. Grant `random`.
pub fn random(bytes: &mut [u8]) -> HostResult<()> {
    done(unsafe { imports::random(bytes.as_mut_ptr(), bytes.len()) })
}

/// The value of a key, None when there is none. Grant `kv.read`.
pub fn kv_get(key: &str) -> HostResult<Option<Vec<u8>>> {
    match done(unsafe { imports::kv_get(key.as_ptr(), key.len()) }) {
        Ok(()) => Ok(Some(reply())),
        Err(e) if e.status == Status::Absent => Ok(None),
        Err(e) => Err(e),
    }
}

/// Sets the value of a key. Grant `kv.write`.
pub fn kv_put(key: &str, value: &[u8]) -> HostResult<()> {
    done(unsafe { imports::kv_put(key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
}

/// Forgets a key. Grant `kv.write`.
pub fn kv_delete(key: &str) -> HostResult<()> {
    done(unsafe { imports::kv_delete(key.as_ptr(), key.len()) })
}

/// Reads features: document in, document out. Grant `features.read`.
pub fn features_read(document: &str) -> HostResult<Vec<u8>> {
    done(unsafe { imports::features_read(document.as_ptr(), document.len()) }).map(|()| reply())
}

/// Asks a model: `{"model":"name","rows":[{"x":1}]}` in, `{"predictions":[…],"model_version":"1"}` out. Grant `model.infer`.
pub fn model_infer(document: &str) -> HostResult<Vec<u8>> {
    done(unsafe { imports::model_infer(document.as_ptr(), document.len()) }).map(|()| reply())
}

/// Sends an HTTP request. Grant `http.out`. A status of failure is a response, not an error.
pub fn http_request(method: &str, url: &str, headers: &[(String, Vec<String>)], body: &[u8]) -> HostResult<Response> {
    let mut w = Writer::new();
    w.begin_object().key("method").text(method).key("url").text(url);
    write_headers(&mut w, headers);
    let document = w.key("body").text(&base64(body)).end_object().finish();
    done(unsafe { imports::http_request(document.as_ptr(), document.len()) })?;
    Response::read(&reply()).map_err(|e| HostError { status: Status::Failed, text: e.text().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_refused_without_a_host() {
        log(Level::Info, "nobody hears it");
        let refused = |e: HostError| assert_eq!(e.status, Status::Refused);
        refused(clock().unwrap_err());
        refused(random(&mut [0; 4]).unwrap_err());
        refused(kv_get("k").unwrap_err());
        refused(kv_put("k", b"v").unwrap_err());
        refused(kv_delete("k").unwrap_err());
        refused(features_read("{}").unwrap_err());
        refused(model_infer("{}").unwrap_err());
        refused(http_request("GET", "https://example.com", &[], b"").unwrap_err());
    }
}
