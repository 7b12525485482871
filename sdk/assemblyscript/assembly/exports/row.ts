// The entry for single rows of a transform that declares its inputs and outputs: Plugin.transform with one row, whose values are
// read and written in their places. So it answers what the batch entry answers.

import { failed } from "../errors";
import { tidy } from "../memory";
import { plugin, schema } from "../plugin";

export function weir_row(row: usize): usize {
  tidy();
  schema._beginRow(row);
  plugin().transform(1);
  const result = schema._endRow();
  return failed() ? 0 : result;
}
