import { Buffer } from "./buffer";

let problem: string | null = null;
const text = new Buffer();

/**
 * Makes the running export fail with this text; the first one counts. The host shows it to users, so it should name the thing, the
 * place and the fix. Calling it does not end the function: write `return fail("…")`, which TypeScript allows in a function without a
 * result. The host throws the instance away afterwards, so nothing has to be undone.
 */
export function fail(message: string): void {
  if (problem === null) problem = message;
}

/** Whether the running export has failed. */
export function failed(): bool {
  return problem !== null;
}

/** The text of the failure as weir_error answers it, at most 1,024 bytes. */
export function failure(): u64 {
  const p = problem;
  text.clear();
  if (p !== null) text.string(p);
  return text.packed();
}
