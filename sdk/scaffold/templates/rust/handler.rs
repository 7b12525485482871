//! PLUGIN_NAME greets whoever the path names.
//!
//! A handler answers HTTP requests and events.

use weir::{json, Description, Handler, Plugin, Request, Response, Result};

struct Greeter {
    greeting: String,
}

impl Plugin for Greeter {
    const DESCRIPTION: Description = Description {
        name: "PLUGIN_NAME",
        version: "0.1.0",
        summary: "Greets whoever the path names.",
        parameters: r#"{"type":"object","additionalProperties":false,"properties":{"greeting":{"type":"string","default":"hello"}}}"#,
        ..Description::EMPTY
    };

    /// Reads the parameters, strictly: a misspelt one must not pass unnoticed.
    fn new(parameters: &[u8]) -> Result<Self> {
        let mut greeting = String::from("hello");
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| match key {
            "greeting" => {
                greeting = r.string()?;
                Ok(())
            }
            _ => r.unknown(key),
        })?;
        r.end()?;
        Ok(Greeter { greeting })
    }
}

impl Handler for Greeter {
    fn handle(&mut self, request: Request) -> Result<Response> {
        if request.kind == "http" && request.method != "GET" {
            return Ok(Response::new(405, "text/plain; charset=utf-8", "only GET\n"));
        }
        let who = match request.path.trim_start_matches('/') {
            "" => "world",
            name => name,
        };
        Ok(Response::new(200, "text/plain; charset=utf-8", format!("{}, {}\n", self.greeting, who)))
    }
}

weir::export!(Greeter: handler);
