// Memory: what the host may ask for, and when the garbage collector runs.
//
// The minimal runtime's collector never runs by itself and knows no stack: it is called at the start of an export, when no
// function of the guest is active, so that hot loops pay nothing for it. Objects never move. How much has been
// allocated is counted by standing in front of the runtime's __new and __renew (asconfig.json: "use"); the collector
// runs when as much has come as survived the last time, so that its cost stays in proportion to the work.

import { __new as managedNew, __renew as managedRenew } from "rt/tcms";

/** Bytes of garbage below which collecting is not worth while. */
const SLACK: isize = 65536;

let held: isize = 0; // bytes of managed objects, garbage included
let limit: isize = SLACK;
let pages: i32 = 0; // of memory after the last collection

// @ts-ignore: decorator
@global @unsafe
function __weir_new(size: usize, id: i32): usize {
  held += size;
  return managedNew(size, id);
}

// @ts-ignore: decorator
@global @unsafe
function __weir_renew(old: usize, size: usize): usize {
  held += old < __heap_base ? size : size - sizeOf(old);
  return managedRenew(old, size);
}

// @ts-ignore: decorator
@global @unsafe
function __finalize(object: usize): void {
  held -= sizeOf(object);
}

/** The size of a managed object's data: the last word of its header (rt/common.ts, OBJECT.rtSize). */
function sizeOf(object: usize): isize {
  return load<u32>(object - 4);
}

/**
 * Frees what is no longer reachable, when there is enough of it. Only exports call it, first thing. Without the aliases of
 * asconfig.json nothing is counted; the growth of memory then takes the count's place, so that such a build leaks less.
 */
// @ts-ignore: decorator
@inline
export function tidy(): void {
  if (held >= limit || memory.size() > pages) collect();
}

function collect(): void {
  __collect();
  limit = held + (held > SLACK ? held : SLACK);
  pages = memory.size();
}

/** Memory for the host: a multiple of 16, stays put, not the collector's. */
export function allocate(size: u32): usize {
  // Beyond this the allocator would abort; running out below it traps, and the host knows that it refused memory.
  if (size > 0x3ffffff0) return 0;
  return heap.alloc(<usize>size);
}

/** Gives back what allocate answered. */
export function release(address: usize): void {
  if (address) heap.free(address);
}
