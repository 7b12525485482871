// What plugins answer in documents (ABI.md, section 6).

import { Buffer } from "./buffer";
import { fail } from "./errors";
import { Reader } from "./reader";
import { Writer } from "./writer";

/** What a module says about itself. */
@final
export class Description {
  /** A version of the author's choosing. */
  version: string = "";
  /** One line. */
  summary: string = "";
  /** The JSON Schema of the parameters, as JSON. */
  parameters: string = "";
  /** What the plugin wants of the host, such as "log" or "kv.read:prefix*". */
  grants: string[] = [];

  /** name: at most 64 bytes of a-z, 0-9 and dashes; worlds: "transform", "metric", "gate", "handler". */
  constructor(
    public name: string,
    public worlds: string[],
  ) {}

  _write(to: Buffer): void {
    const w = new Writer(to);
    w.object();
    w.key("name");
    w.string(this.name);
    w.key("version");
    w.string(this.version);
    w.key("summary");
    w.string(this.summary);
    w.key("worlds");
    texts(w, this.worlds);
    if (this.parameters.length) {
      w.key("parameters");
      w.raw(this.parameters);
    }
    if (this.grants.length) {
      w.key("grants");
      texts(w, this.grants);
    }
    w.end();
  }
}

function texts(w: Writer, list: string[]): void {
  w.array();
  for (let i = 0; i < list.length; i++) w.string(list[i]);
  w.end();
}

/** Writes a metric's scores. */
@final
export class Scores {
  private w: Writer;

  constructor(to: Buffer) {
    this.w = new Writer(to);
    this.w.array();
  }

  /** Adds a score. */
  add(column: string, name: string, value: f64): void {
    this.open(column, name);
    this.w.number(value);
    this.w.end();
  }

  /** Begins a score with details: the caller writes their members (key, value) to what is answered, then calls close. */
  begin(column: string, name: string, value: f64): Writer {
    this.open(column, name);
    this.w.number(value);
    return this.detail();
  }

  /** As begin, for a score that has no value; note says why. */
  beginUndefined(column: string, name: string, note: string): Writer {
    this.open(column, name);
    this.w.null();
    this.w.key("note");
    this.w.string(note);
    return this.detail();
  }

  /** Ends what begin began. */
  close(): void {
    this.w.end();
    this.w.end();
  }

  private open(column: string, name: string): void {
    this.w.object();
    this.w.key("column");
    this.w.string(column);
    this.w.key("name");
    this.w.string(name);
    this.w.key("value");
  }

  private detail(): Writer {
    this.w.key("detail");
    this.w.object();
    return this.w;
  }

  _finish(): void {
    this.w.end();
  }
}

/** A gate's verdict. It needs an outcome and a reason. */
@final
export class Verdict {
  /** "pass", "fail" or "review". */
  outcome: string = "";
  /** Sentences with their figures. */
  reasons: string[] = [];
  /** Members of the evidence are written to it: evidence.key("candidate"), evidence.number(v). */
  evidence: Writer;

  constructor(private to: Buffer) {
    this.evidence = new Writer(to);
    this.evidence.object();
    this.evidence.key("evidence");
    this.evidence.object();
  }

  _finish(): void {
    if (this.outcome != "pass" && this.outcome != "fail" && this.outcome != "review") return fail('a verdict needs the outcome pass, fail or review, not "' + this.outcome + '"');
    if (!this.reasons.length) return fail("a verdict needs a reason");
    const w = this.evidence;
    w.end();
    w.key("outcome");
    w.string(this.outcome);
    w.key("reasons");
    texts(w, this.reasons);
    w.end();
  }
}

/** What a handler is asked. */
@final
export class Request {
  /** "http" or "event". */
  kind: string = "";
  method: string = "";
  /** Below the function. */
  path: string = "";
  /** As it came, without the question mark. */
  query: string = "";
  headers: Map<string, string[]> = new Map();
  /** Of an event. */
  subject: string = "";
  id: string = "";
  body: Buffer = new Buffer();

  /** The first value of a header; "" when there is none. Names are spelled like Content-Type. */
  header(name: string): string {
    return this.headers.has(name) && this.headers.get(name).length ? this.headers.get(name)[0] : "";
  }

  _read(r: Reader): void {
    r.object();
    while (r.member()) {
      const name = r.name;
      if (r.null()) continue;
      if (name == "kind") this.kind = r.string();
      else if (name == "method") this.method = r.string();
      else if (name == "path") this.path = r.string();
      else if (name == "query") this.query = r.string();
      else if (name == "subject") this.subject = r.string();
      else if (name == "id") this.id = r.string();
      else if (name == "body") r.base64(this.body);
      else if (name == "headers") {
        r.object();
        while (r.member()) {
          const header = r.name, values: string[] = [];
          if (!r.null()) {
            r.array();
            while (r.item()) values.push(r.string());
          }
          this.headers.set(header, values);
        }
      } else r.skip();
    }
  }
}

/** What a handler answers. */
@final
export class Response {
  status: i32 = 200;
  headers: Map<string, string[]> = new Map();
  body: Buffer = new Buffer();

  _write(to: Buffer): void {
    const w = new Writer(to), names = this.headers.keys();
    w.object();
    w.key("status");
    w.integer(this.status);
    if (names.length) {
      w.key("headers");
      w.object();
      for (let i = 0; i < names.length; i++) {
        w.key(names[i]);
        texts(w, this.headers.get(names[i]));
      }
      w.end();
    }
    if (this.body.length) {
      w.key("body");
      w.base64(this.body.address, this.body.length);
    }
    w.end();
  }
}
