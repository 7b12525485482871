// The exports of every module (ABI.md, section 2). The files of the worlds beside this one include them.

import { failed, failure } from "../errors";
import { allocate, release, tidy } from "../memory";
import { answer, document, plugin, schema } from "../plugin";
import { Reader } from "../reader";

export function weir_abi_version(): i32 {
  return 1;
}

export function weir_alloc(size: u32): usize {
  return allocate(size);
}

export function weir_free(address: usize, size: u32): void {
  release(address);
}

export function weir_error(): u64 {
  return failure();
}

export function weir_describe(): u64 {
  tidy();
  document.clear();
  plugin().describe()._write(document);
  return answer(!failed());
}

export function weir_init(address: usize, length: i32): i32 {
  tidy();
  const r = new Reader(address, length, "parameters");
  plugin().init(r, schema);
  if (r.finish()) schema._finish();
  return failed();
}

export function weir_schema(): u64 {
  tidy();
  document.clear();
  schema._write(document);
  return answer(!failed());
}
