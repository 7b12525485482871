// A handler and gate through which the SDK's tests reach its parts; the path says which.

import { Buffer, Description, Kind, Plugin, Reader, Request, Response, Verdict, Writer, fail, host, log1pArray, quoted, register } from "../assembly";

export * from "../assembly/exports/gate";
export { weir_handle } from "../assembly/exports/handler";

class Pair {
  constructor(
    public left: Pair | null,
    public text: string,
  ) {}
}

class Probe extends Plugin {
  private calls: i32 = 0;
  private kept: Pair | null = null;

  describe(): Description {
    const d = new Description("probe", ["handler", "gate"]);
    d.grants = ["log", "clock", "random", "kv.read:*", "kv.write:*"];
    return d;
  }

  gate(context: Reader, verdict: Verdict): void {
    context.object();
    while (context.member()) {
      if (context.name == "outcome") verdict.outcome = context.string();
      else if (context.name == "reason") verdict.reasons.push(context.string());
      else context.unknown();
    }
  }

  handle(request: Request, response: Response): void {
    this.calls++;
    const body = request.body, path = request.path;
    const r = new Reader(body.address, body.length, "body"), w = new Writer(response.body);
    if (path == "/echo") return this.echo(request, response);
    if (path == "/copy") {
      copy(r, w);
      r.finish();
    } else if (path == "/bits") {
      // Numbers come as JSON and go as the bits that they were read as.
      w.array();
      r.array();
      while (r.item()) w.string(reinterpret<u64>(r.number()).toString());
      r.finish();
      w.end();
    } else if (path == "/log1p") {
      log1pArray(body.address, response.body.grow(body.length), body.length >> 3);
    } else if (path == "/garbage") {
      this.kept = null;
      for (let i = 0; i < 8; i++) this.kept = new Pair(i < 4 ? this.kept : null, "text " + i.toString());
      const some: string[] = [];
      for (let i = 0; i < 4; i++) some.push(quoted("item " + i.toString()));
      w.array();
      w.integer(this.calls);
      w.integer(memory.size());
      w.integer(some.join("").length);
      w.end();
    } else if (path == "/leftover") {
      r.array();
      r.item();
    } else if (path == "/fail") {
      return fail("asked to fail: żółw");
    } else if (path == "/throw") {
      throw new Error("asked to throw");
    } else if (path == "/host") {
      this.askHost(w, body);
    } else fail("no such path: " + quoted(path));
  }

  private echo(request: Request, response: Response): void {
    response.status = 418;
    response.headers.set("X-Kind", [request.kind, request.method, request.query, request.subject, request.id]);
    response.headers.set("X-First", [request.header("Accept"), request.header("None")]);
    response.body.bytes(request.body.address, request.body.length);
  }

  private askHost(w: Writer, value: Buffer): void {
    w.array();
    w.integer(host.log(host.Level.Warning, "from the guest: żółw"));
    w.bool(host.clock() > 0);
    const bytes = new StaticArray<u8>(16);
    w.integer(host.random(changetype<usize>(bytes), 16));
    w.integer(host.kvPut("key", value).status);
    const got = host.kvGet("key");
    w.bool(got.done);
    w.string(got.toString());
    w.integer(host.kvDelete("key").status);
    w.integer(host.kvGet("key").status);
    const request = new Buffer();
    request.string("{}");
    w.integer(host.featuresRead(request).status);
    w.integer(host.modelInfer(request).status);
    const refused = host.httpRequest(request);
    w.integer(refused.status);
    w.bool(refused.body.length > 0);
    w.end();
  }
}

/** Writes the next value as it was read. */
function copy(r: Reader, w: Writer): void {
  switch (r.kind()) {
    case Kind.Object:
      r.object();
      w.object();
      while (r.member()) {
        w.key(r.name);
        copy(r, w);
      }
      w.end();
      break;
    case Kind.Array:
      r.array();
      w.array();
      while (r.item()) copy(r, w);
      w.end();
      break;
    case Kind.Text:
      w.string(r.string());
      break;
    case Kind.Number:
      w.number(r.number());
      break;
    case Kind.Bool:
      w.bool(r.bool());
      break;
    case Kind.Null:
      r.null();
      w.null();
      break;
    default:
      r.skip(); // says what is wrong
  }
}

register(new Probe());
