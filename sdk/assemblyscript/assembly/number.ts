// Decimal numbers to the nearest double, exactly: the standard library's parseFloat is off by a bit now and then.

/** Significant digits that decide everything: the longest halfway point of two doubles has 767. Further ones only count as "more". */
const DIGITS = 800;

/** Bits of +Infinity. */
const INFINITE: u64 = 0x7ff0000000000000;

/** A whole number of any size, in 32-bit limbs, the least first. */
@final
class Big {
  private limbs: StaticArray<u32>;
  private used: i32 = 0;

  constructor(bits: i32) {
    this.limbs = new StaticArray<u32>((bits >> 5) + 2);
  }

  /** this = v. */
  set(v: u64): void {
    this.limbs[0] = <u32>v;
    this.limbs[1] = <u32>(v >> 32);
    this.used = v >> 32 ? 2 : v ? 1 : 0;
  }

  /** this = this · factor + plus. */
  multiply(factor: u32, plus: u32): void {
    let carry: u64 = plus;
    for (let i = 0; i < this.used; i++) {
      carry += <u64>this.limbs[i] * factor;
      this.limbs[i] = <u32>carry;
      carry >>= 32;
    }
    if (carry) this.limbs[this.used++] = <u32>carry;
  }

  /** this = this · 5^n. */
  fives(n: i32): void {
    for (; n >= 13; n -= 13) this.multiply(1220703125, 0);
    let p: u32 = 1;
    while (n-- > 0) p *= 5;
    this.multiply(p, 0);
  }

  /** this = this · 2^n. */
  shift(n: i32): void {
    const whole = n >> 5, part = n & 31;
    if (this.used == 0) return;
    for (let i = this.used - 1; i >= 0; i--) this.limbs[i + whole] = this.limbs[i];
    for (let i = 0; i < whole; i++) this.limbs[i] = 0;
    this.used += whole;
    if (part) this.multiply(<u32>1 << part, 0);
  }

  /** -1, 0 or 1: this below, equal to or above other. */
  compare(other: Big): i32 {
    if (this.used != other.used) return this.used < other.used ? -1 : 1;
    for (let i = this.used - 1; i >= 0; i--) {
      const a = this.limbs[i], b = other.limbs[i];
      if (a != b) return a < b ? -1 : 1;
    }
    return 0;
  }
}

// Scratch: reading numbers leaves no garbage. 4,800 bits hold both sides of the longest comparison.
const digits = new StaticArray<u8>(DIGITS + 1);
const number = new Big(4800);
const halfway = new Big(4800);

/** 10^n for 0 ≤ n ≤ 22, all exact. */
const TENS = memory.data<f64>([1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]);

function ten(n: i32): f64 {
  return load<f64>(TENS + (<usize>n << 3));
}

/**
 * The double nearest to the decimal number in the length bytes at address, ties to even; Infinity beyond the largest. The text must
 * be a JSON number without a sign.
 */
export function parseDecimal(address: usize, length: i32): f64 {
  // value = digits · 10^exponent; mantissa holds the first 19 digits.
  digits[DIGITS] = 0;
  let count = 0, exponent = 0, mantissa: u64 = 0, i = 0, point = false;
  for (; i < length; i++) {
    const c = load<u8>(address + i);
    if (c == 0x2e) {
      point = true;
      continue;
    }
    const digit = c - 0x30;
    if (digit > 9) break;
    if (point) exponent--;
    if (count == 0 && digit == 0) continue; // leading zeros
    if (count < 19) mantissa = mantissa * 10 + digit;
    if (count < DIGITS) {
      digits[count++] = digit;
    } else {
      exponent++;
      if (digit) {
        // More follows: one digit more, not zero, breaks a tie as all of them would.
        digits[DIGITS] = 1;
      }
    }
  }
  if (count == 0) return 0;
  if (i < length) {
    i++;
    const negative = load<u8>(address + i) == 0x2d;
    if (negative || load<u8>(address + i) == 0x2b) i++;
    let e = 0;
    for (; i < length; i++) if (e < 100000) e = e * 10 + (load<u8>(address + i) - 0x30);
    exponent += negative ? -e : e;
  }
  if (digits[DIGITS]) {
    count = DIGITS + 1;
    exponent--;
  } else {
    while (count > 19 && digits[count - 1] == 0) {
      count--;
      exponent++;
    }
  }
  // The value lies between 10^(size-1) and 10^size.
  const size = count + exponent;
  if (size > 310) return Infinity;
  if (size < -330) return 0;
  if (count <= 19 && mantissa < 1 << 53) {
    // Both exact, so that one rounding gives the nearest (W. D. Clinger, How to read floating point numbers accurately, 1990).
    if (exponent >= 0 && exponent <= 22) return <f64>mantissa * ten(exponent);
    if (exponent < 0 && exponent >= -22) return <f64>mantissa / ten(-exponent);
  }
  return refine(count, exponent, guess(<f64>mantissa, count > 19 ? exponent + count - 19 : exponent));
}

/** mantissa · 10^exponent, a few units in the last place off. */
function guess(mantissa: f64, exponent: i32): f64 {
  let v = mantissa;
  for (; exponent > 22; exponent -= 22) v *= 1e22;
  for (; exponent < -22; exponent += 22) v /= 1e22;
  return exponent < 0 ? v / ten(-exponent) : v * ten(exponent);
}

/** Moves near until the number lies within half a unit of it, by comparing exactly with the halfway points. */
function refine(count: i32, exponent: i32, near: f64): f64 {
  let bits = reinterpret<u64>(near);
  if (bits > INFINITE) bits = INFINITE;
  while (true) {
    // Above the point halfway to the next double up: go up; below the one down: go down; on a point: the even one.
    if (bits < INFINITE) {
      const up = compareHalfway(count, exponent, bits);
      if (up > 0 || (up == 0 && bits & 1)) {
        bits++;
        continue;
      }
      if (up == 0) break;
    }
    if (bits == 0) break;
    const down = compareHalfway(count, exponent, bits - 1);
    if (down > 0 || (down == 0 && !(bits & 1))) break;
    bits--;
  }
  return reinterpret<f64>(bits);
}

/** Compares the number with the point halfway between the double of those bits and the next one up. */
function compareHalfway(count: i32, exponent: i32, bits: u64): i32 {
  // Halfway = (2m + 1) · 2^(e - 1).
  const field = <i32>(bits >> 52);
  const m = (bits & 0x000fffffffffffff) | (field ? 0x0010000000000000 : 0);
  let e = (field ? field : 1) - 1075 - 1;
  number.set(0);
  for (let i = 0; i < count; i++) number.multiply(10, digits[i]);
  const odd = (m << 1) | 1;
  halfway.set(odd);
  // 10^n = 5^n · 2^n; negative powers go to the other side.
  if (exponent >= 0) number.fives(exponent);
  else halfway.fives(-exponent);
  e -= exponent;
  if (e >= 0) halfway.shift(e);
  else number.shift(-e);
  return number.compare(halfway);
}
