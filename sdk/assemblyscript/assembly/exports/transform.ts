// The exports of a transform. Plugins that declare their outputs get the entry for single rows (ABI.md, section 10) for nothing
// by exporting row.ts as well.

import { Batch } from "../batch";
import { failed } from "../errors";
import { tidy } from "../memory";
import { plugin, schema } from "../plugin";

export * from "./common";

export function weir_transform(address: usize): usize {
  tidy();
  const batch = changetype<Batch>(address), p = plugin();
  const answered = p.transformBatch(batch);
  if (answered) return failed() ? 0 : changetype<usize>(answered);
  const rows = <i32>batch.rows;
  if (!schema._bind(batch)) return 0;
  schema._begin(rows);
  p.transform(rows);
  const result = schema._end(rows);
  return failed() ? 0 : result;
}
