// What a plugin may ask of the host (ABI.md, section 9). Each needs a grant, listed in Description.grants and given by the manifest;
// within transform, update, merge and the like everything but log is refused.

import { Buffer, Utf8 } from "./buffer";
import { Reader } from "./reader";

// @ts-ignore: decorator
@external("weir:host", "log")
declare function hostLog(level: i32, address: usize, length: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "clock")
declare function hostClock(address: usize): i32;
// @ts-ignore: decorator
@external("weir:host", "random")
declare function hostRandom(address: usize, length: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "kv_get")
declare function hostKvGet(key: usize, keyLength: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "kv_put")
declare function hostKvPut(key: usize, keyLength: i32, value: usize, valueLength: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "kv_delete")
declare function hostKvDelete(key: usize, keyLength: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "features_read")
declare function hostFeaturesRead(address: usize, length: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "model_infer")
declare function hostModelInfer(address: usize, length: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "http_request")
declare function hostHttpRequest(address: usize, length: i32): i32;
// @ts-ignore: decorator
@external("weir:host", "reply_size")
declare function hostReplySize(): i32;
// @ts-ignore: decorator
@external("weir:host", "reply_read")
declare function hostReplyRead(address: usize): void;

/** How a host call ended. */
export enum Status {
  Done = 0,
  /** There is no such thing. */
  Absent = 1,
  /** No grant, or outside its scope. */
  Refused = 2,
  /** A limit was met: size, rate, time. */
  Limit = 3,
  Failed = 4,
}

/** How bad a log line is. */
export enum Level {
  Debug = 0,
  Info = 1,
  Warning = 2,
  Error = 3,
}

/** What a host call answered. */
@final
export class Reply {
  /** The reply; the error's text unless status is Done. */
  body: Buffer = new Buffer();

  constructor(public status: Status) {
    const n = hostReplySize();
    if (n > 0) hostReplyRead(this.body.grow(n));
  }

  /** Whether it was done. */
  get done(): bool {
    return this.status == Status.Done;
  }

  /** The reply, or the error, as text. */
  toString(): string {
    return this.body.toString();
  }

  /** Reads the reply as JSON; what opens error texts. */
  reader(what: string): Reader {
    return new Reader(this.body.address, this.body.length, what);
  }
}

/** Logs a line. Grant: log. */
export function log(level: Level, text: string): Status {
  const t = new Utf8(text);
  return hostLog(level, t.address, t.length);
}

const number = memory.data(8, 8);

/** Microseconds since 1970-01-01T00:00:00Z; -1 when that is refused. Grant: clock. */
export function clock(): i64 {
  return hostClock(number) ? -1 : load<i64>(number);
}

/** Fills length bytes at address with random ones. Grant: random. */
export function random(address: usize, length: i32): Status {
  return hostRandom(address, length);
}

/** Reads a value. Grant: kv.read:KEY. */
export function kvGet(key: string): Reply {
  const k = new Utf8(key);
  return new Reply(hostKvGet(k.address, k.length));
}

/** Writes a value. Grant: kv.write:KEY. */
export function kvPut(key: string, value: Buffer): Reply {
  const k = new Utf8(key);
  return new Reply(hostKvPut(k.address, k.length, value.address, value.length));
}

/** Deletes a value. Grant: kv.write:KEY. */
export function kvDelete(key: string): Reply {
  const k = new Utf8(key);
  return new Reply(hostKvDelete(k.address, k.length));
}

/** Reads online features: document to document. Grant: features.read:VIEW. */
export function featuresRead(request: Buffer): Reply {
  return new Reply(hostFeaturesRead(request.address, request.length));
}

/** Asks a model for predictions: document to document. Grant: model.infer:MODEL. */
export function modelInfer(request: Buffer): Reply {
  return new Reply(hostModelInfer(request.address, request.length));
}

/** Sends an HTTP request: document to document. Grant: http.out:HOST. */
export function httpRequest(request: Buffer): Reply {
  return new Reply(hostHttpRequest(request.address, request.length));
}
