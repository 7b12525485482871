// The exports of a metric.

import { Batch } from "../batch";
import { ByteReader } from "../buffer";
import { Scores } from "../documents";
import { fail, failed } from "../errors";
import { tidy } from "../memory";
import { answer, document, plugin, schema } from "../plugin";

export * from "./common";

export function weir_metric_update(side: u32, address: usize): i32 {
  tidy();
  if (side > 1) fail("side " + side.toString() + " is neither reference nor current");
  const batch = changetype<Batch>(address);
  if (!failed() && schema._bind(batch)) plugin().update(side, batch.rows);
  return failed();
}

export function weir_metric_state(): u64 {
  tidy();
  document.clear();
  plugin().state(document);
  return answer(!failed());
}

export function weir_metric_merge(address: usize, length: i32): i32 {
  tidy();
  plugin().merge(new ByteReader(address, length));
  return failed();
}

export function weir_metric_finish(): u64 {
  tidy();
  document.clear();
  const scores = new Scores(document);
  plugin().finish(scores);
  scores._finish();
  return answer(!failed());
}

export function weir_metric_reset(): i32 {
  tidy();
  plugin().reset();
  return failed();
}
