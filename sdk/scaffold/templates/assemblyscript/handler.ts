// PLUGIN_NAME greets whoever the path names.
//
// A handler answers HTTP requests and events.

import { Description, Plugin, Reader, Request, Response, Schema, register } from "./sdk/assembly";

export * from "./sdk/assembly/exports/handler";

class Greeter extends Plugin {
  private greeting: string = "hello";

  describe(): Description {
    const d = new Description("PLUGIN_NAME", ["handler"]);
    d.version = "0.1.0";
    d.summary = "Greets whoever the path names.";
    d.parameters = `{"type":"object","additionalProperties":false,"properties":{"greeting":{"type":"string","default":"hello"}}}`;
    return d;
  }

  // The parameters are read strictly: a misspelt one must not pass unnoticed.
  init(p: Reader, schema: Schema): void {
    p.object();
    while (p.member()) {
      if (p.name == "greeting") this.greeting = p.string();
      else return p.unknown();
    }
  }

  handle(request: Request, response: Response): void {
    response.headers.set("Content-Type", ["text/plain; charset=utf-8"]);
    if (request.kind == "http" && request.method != "GET") {
      response.status = 405;
      response.body.string("only GET\n");
      return;
    }
    const who = request.path.length > 1 ? request.path.substring(1) : "world"; // without the slash
    response.body.string(this.greeting + ", " + who + "\n");
  }
}

register(new Greeter());
