// The export of a handler.

import { Request, Response } from "../documents";
import { failed } from "../errors";
import { tidy } from "../memory";
import { answer, document, plugin } from "../plugin";
import { Reader } from "../reader";

export * from "./common";

export function weir_handle(address: usize, length: i32): u64 {
  tidy();
  const r = new Reader(address, length, "request"), request = new Request(), response = new Response();
  request._read(r);
  if (r.finish()) plugin().handle(request, response);
  document.clear();
  if (!failed()) response._write(document);
  return answer(!failed());
}
