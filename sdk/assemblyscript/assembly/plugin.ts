import { Batch } from "./batch";
import { Buffer, ByteReader } from "./buffer";
import { Description, Request, Response, Scores, Verdict } from "./documents";
import { fail } from "./errors";
import { Reader } from "./reader";
import { Schema } from "./schema";

/** The sides of a comparison, as Plugin.update gets them. */
export enum Side {
  Reference = 0,
  Current = 1,
}

/**
 * A plugin is a class that extends this one, overrides what its worlds need, and is registered; the file also exports the
 * functions of its worlds:
 *
 *     export * from "@weir/plugin/assembly/exports/transform";
 *     class Doubler extends Plugin { … }
 *     register(new Doubler());
 *
 * An instance serves one call at a time. Any method may call fail; the host then throws the instance away.
 */
export class Plugin {
  /** What the module is. Works before init and does not depend on it. */
  describe(): Description {
    return new Description("", []);
  }

  /** Reads the parameters and declares the columns. Called once, before any work. By default there are no parameters. */
  init(parameters: Reader, schema: Schema): void {
    parameters.object();
    while (parameters.member()) parameters.unknown();
  }

  /**
   * World transform: reads the inputs' rows and writes as many to each output. It must be a pure function of input and parameters.
   * rows is 0 to MAX_ROWS; 1 when the host asks for a single row.
   */
  transform(rows: i32): void {
    fail("this plugin is no transform");
  }

  /** World transform, for plugins whose columns are open: takes and answers batches as they lie in memory. */
  transformBatch(batch: Batch): Batch | null {
    return null;
  }

  /** World metric: adds rows to a side. */
  update(side: Side, rows: i32): void {
    fail("this plugin is no metric");
  }

  /** World metric: writes the summary, in a format of the plugin's own with a version in it. */
  state(to: Buffer): void {
    fail("this plugin is no metric");
  }

  /** World metric: adds another instance's state. */
  merge(from: ByteReader): void {
    fail("this plugin is no metric");
  }

  /** World metric: the scores. More rows may follow. */
  finish(scores: Scores): void {
    fail("this plugin is no metric");
  }

  /** World metric: forgets all rows. */
  reset(): void {
    fail("this plugin is no metric");
  }

  /** World gate: judges a context. */
  gate(context: Reader, verdict: Verdict): void {
    fail("this plugin is no gate");
  }

  /** World handler: answers a request. */
  handle(request: Request, response: Response): void {
    fail("this plugin is no handler");
  }
}

let registered: Plugin | null = null;
export const schema = new Schema();

/** Makes plugin the module's. Called once, at the top level of the plugin's file. */
export function register(plugin: Plugin): void {
  registered = plugin;
}

/** The module's plugin. */
export function plugin(): Plugin {
  const p = registered;
  if (p === null) {
    fail("register was not called at the top level of the plugin's file");
    return new Plugin();
  }
  return p;
}

/** What exports answer in; each call overwrites it. */
export const document = new Buffer();

/** Ends an export that answers the document: packed, or 0 after a failure. */
export function answer(good: bool): u64 {
  return good ? document.packed() : 0;
}
