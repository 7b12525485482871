/// ln(1 + x), at most 0.86 ulp from the true value, and the same bits in every SDK of weir, on every machine. It has no branches,
/// so that loops of it become vector code. NaN and x below -1 give the canonical NaN, -1 gives -infinity; zeros keep their sign.
///
/// fdlibm's s_log1p.c (Sun Microsystems, 1993) with k, the power of two, chosen for every x; `sdk/examples/SPEC.md` has the
/// operations one by one. They must not be reordered or fused.
#[inline(always)]
#[allow(clippy::excessive_precision)]
pub fn log1p(x: f64) -> f64 {
    const LN2_HI: f64 = 0.6931471803691238; // 0x3fe62e42fee00000
    const LN2_LO: f64 = 1.9082149292705877e-10; // 0x3dea39ef35793c76
    const L1: f64 = 0.6666666666666735; // 0x3fe5555555555593
    const L2: f64 = 0.3999999999940942; // 0x3fd999999997fa04
    const L3: f64 = 0.2857142874366239; // 0x3fd2492494229359
    const L4: f64 = 0.22222198432149784; // 0x3fcc71c51d8e78af
    const L5: f64 = 0.1818357216161805; // 0x3fc7466496cb03de
    const L6: f64 = 0.15313837699209373; // 0x3fc39a09d078c69f
    const L7: f64 = 0.14798198605116586; // 0x3fc2f112df3e5244

    let u = 1.0 + x;
    let b = u.to_bits().wrapping_add(0x00095f619980c433);
    let one = b >> 52 == 1023; // k is 0
    let d = f64::from_bits(b >> 52 | 0x4330000000000000) - 4503599627371519.0;
    let m = f64::from_bits((b & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
    let e = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let c = if one { 0.0 } else { e / u };
    let f = if one { x } else { m - 1.0 };
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let t1 = w * (L2 + w * (L4 + w * L6));
    let t2 = z * (L1 + w * (L3 + w * (L5 + w * L7)));
    let r = t2 + t1;
    let h = (0.5 * f) * f;
    let y = (((s * (h + r) + (d * LN2_LO + c)) - h) + f) + d * LN2_HI;

    let y = if x == 0.0 || x == f64::INFINITY { x } else { y };
    let y = if x == -1.0 { f64::NEG_INFINITY } else { y };
    if x >= -1.0 { y } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::log1p;

    #[test]
    fn check_values() {
        for (x, bits) in [
            (1.0, 0x3fe62e42fefa39efu64),
            (0.5, 0x3fd9f323ecbf984c),
            (-0.5, 0xbfe62e42fefa39ef),
            (1e-05, 0x3ee4f8aea9ae7317),
            (-0.999, 0xc01ba18a998fff9f),
            (0.4142135623730951, 0x3fd62e42fefa39f0),
            (-0.2929, 0xbfd62e6b3842a25c),
            (3.0, 0x3ff62e42fefa39ef),
            (1e10, 0x4037069e2aa3184e),
            (1e300, 0x4085963447f87fb5),
            (8.673617379884035e-19, 0x3c30000000000000),
            (-0.9999999999999999, 0xc0425e4f7b2737fa),
            (99.0, 0x40126bb1bbb55516),
            (0.1, 0x3fb8663f793c46c7),
            (0.0, 0),
            (-0.0, 1 << 63),
            (-1.0, 0xfff0000000000000),
            (f64::INFINITY, 0x7ff0000000000000),
            (f64::NEG_INFINITY, 0x7ff8000000000000),
            (-1.5, 0x7ff8000000000000),
            (-f64::NAN, 0x7ff8000000000000),
        ] {
            assert_eq!(log1p(x).to_bits(), bits, "log1p({:?})", x);
        }
    }
}
