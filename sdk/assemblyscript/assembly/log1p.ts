// log1p as sdk/examples/SPEC.md has it, operation by operation, so that every SDK gives the same bits: fdlibm's method
// (Sun Microsystems, 1993) without branches. At most 0.86 ulp from the true value.

const LN2_HIGH: f64 = reinterpret<f64>(0x3fe62e42fee00000);
const LN2_LOW: f64 = reinterpret<f64>(0x3dea39ef35793c76);
const L1: f64 = reinterpret<f64>(0x3fe5555555555593);
const L2: f64 = reinterpret<f64>(0x3fd999999997fa04);
const L3: f64 = reinterpret<f64>(0x3fd2492494229359);
const L4: f64 = reinterpret<f64>(0x3fcc71c51d8e78af);
const L5: f64 = reinterpret<f64>(0x3fc7466496cb03de);
const L6: f64 = reinterpret<f64>(0x3fc39a09d078c69f);
const L7: f64 = reinterpret<f64>(0x3fc2f112df3e5244);

/** The natural logarithm of 1 + x; the canonical NaN for NaN and below -1. */
export function log1p(x: f64): f64 {
  return f64x2.extract_lane(log1p2(f64x2.splat(x)), 0);
}

/** log1p of two numbers at once. */
// @ts-ignore: decorator
@inline
export function log1p2(x: v128): v128 {
  const one = f64x2.splat(1);
  const u = f64x2.add(one, x);
  const b = i64x2.add(u, i64x2.splat(0x00095f619980c433));
  const exponent = i64x2.shr_u(b, 52);
  const m = i64x2.add(v128.and(b, i64x2.splat(0x000fffffffffffff)), i64x2.splat(0x3fe6a09e667f3bcd));
  const e = v128.bitselect(f64x2.sub(x, f64x2.sub(u, one)), f64x2.sub(one, f64x2.sub(u, x)), f64x2.lt(x, one));
  const zero = i64x2.eq(exponent, i64x2.splat(1023));
  const c = v128.andnot(f64x2.div(e, u), zero);
  const f = v128.bitselect(x, f64x2.sub(m, one), zero);
  // The exponent as a double: in the low bits of 2^52 it is 2^52 + exponent.
  const d = f64x2.sub(v128.or(exponent, i64x2.splat(0x4330000000000000)), f64x2.splat(4503599627371519));
  const s = f64x2.div(f, f64x2.add(f64x2.splat(2), f));
  const z = f64x2.mul(s, s);
  const w = f64x2.mul(z, z);
  const t1 = f64x2.mul(w, f64x2.add(f64x2.splat(L2), f64x2.mul(w, f64x2.add(f64x2.splat(L4), f64x2.mul(w, f64x2.splat(L6))))));
  const t2 = f64x2.mul(
    z,
    f64x2.add(f64x2.splat(L1), f64x2.mul(w, f64x2.add(f64x2.splat(L3), f64x2.mul(w, f64x2.add(f64x2.splat(L5), f64x2.mul(w, f64x2.splat(L7))))))),
  );
  const r = f64x2.add(t2, t1);
  const h = f64x2.mul(f64x2.mul(f64x2.splat(0.5), f), f);
  const y = f64x2.add(
    f64x2.add(f64x2.sub(f64x2.add(f64x2.mul(s, f64x2.add(h, r)), f64x2.add(f64x2.mul(d, f64x2.splat(LN2_LOW)), c)), h), f),
    f64x2.mul(d, f64x2.splat(LN2_HIGH)),
  );
  const same = v128.or(f64x2.eq(x, f64x2.splat(0)), f64x2.eq(x, f64x2.splat(Infinity)));
  const usual = v128.bitselect(x, y, same);
  const below = v128.bitselect(f64x2.splat(-Infinity), f64x2.splat(NaN), f64x2.eq(x, f64x2.splat(-1)));
  return v128.bitselect(usual, below, f64x2.gt(x, f64x2.splat(-1)));
}

/** log1p of n numbers at from, written to `to`, which may be the same. */
export function log1pArray(from: usize, to: usize, n: i32): void {
  const end = from + (<usize>n << 3), pairs = from + (<usize>(n & ~1) << 3);
  while (from < pairs) {
    v128.store(to, log1p2(v128.load(from)));
    from += 16;
    to += 16;
  }
  if (from < end) store<f64>(to, log1p(load<f64>(from)));
}
