// @weir/plugin: weir plugins in AssemblyScript. Read plugin.ts first, then columns.ts and reader.ts. The wasm exports are in
// exports/, one file for each world, and are included by `export * from ".../exports/transform"`.

export { Batch, Column, Type, MAX_ROWS } from "./batch";
export { Buffer, ByteReader, Utf8, quoted } from "./buffer";
export { Input, Output } from "./columns";
export { Description, Request, Response, Scores, Verdict } from "./documents";
export { fail, failed } from "./errors";
export { log1p, log1p2, log1pArray } from "./log1p";
export { Plugin, Side, register } from "./plugin";
export { Kind, Reader } from "./reader";
export { Schema } from "./schema";
export { Writer } from "./writer";
import * as host from "./host";
export { host };
