// The export of a gate.

import { Verdict } from "../documents";
import { failed } from "../errors";
import { tidy } from "../memory";
import { answer, document, plugin } from "../plugin";
import { Reader } from "../reader";

export * from "./common";

export function weir_gate(address: usize, length: i32): u64 {
  tidy();
  document.clear();
  const context = new Reader(address, length, "context"), verdict = new Verdict(document);
  plugin().gate(context, verdict);
  if (context.finish()) verdict._finish();
  return answer(!failed());
}
