//! Hashes the cross of two texts, and takes a time apart.

use weir::{fail, json, Batch, Description, Output, Plugin, Result, Schema, Transform, Type};

const HOUR: i64 = 3_600_000_000; // microseconds
const DAY: i64 = 24 * HOUR;

/// sin(2π · hour / 24) for the hours 0 to 29, each the nearest double; the cosine is six hours further on.
#[rustfmt::skip]
const SIN: [f64; 30] = [
    0.0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
    1.0, 0.9659258262890683, 0.8660254037844386, 0.7071067811865476, 0.5, 0.25881904510252074,
    0.0, -0.25881904510252074, -0.5, -0.7071067811865476, -0.8660254037844386, -0.9659258262890683,
    -1.0, -0.9659258262890683, -0.8660254037844386, -0.7071067811865476, -0.5, -0.25881904510252074,
    0.0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
];

struct CrossTime {
    a: String,
    b: String,
    time: String,
    buckets: u64,
}

/// FNV-1a of 64 bits, continued from h.
fn fnv1a(h: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(h, |h, byte| (h ^ u64::from(*byte)).wrapping_mul(1099511628211))
}

/// The month, 1 to 12, of a day since 1970-01-01: H. Hinnant's civil_from_days.
fn month(day: i64) -> i32 {
    let doe = (day + 719468).rem_euclid(146097); // of the era of 400 years, which begins on a first of March
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    (if mp < 10 { mp + 3 } else { mp - 9 }) as i32
}

impl Plugin for CrossTime {
    const DESCRIPTION: Description = Description {
        name: "cross-time",
        version: "1.0.0",
        summary: "Hashes the cross of two texts, and takes a time apart.",
        parameters: r#"{"type":"object","additionalProperties":false,"required":["a","b","time","buckets"],"properties":{
            "a":{"type":"string","minLength":1},"b":{"type":"string","minLength":1},"time":{"type":"string","minLength":1},
            "buckets":{"type":"integer","minimum":1,"maximum":2147483647}}}"#,
        ..Description::EMPTY
    };

    fn new(parameters: &[u8]) -> Result<Self> {
        let (mut a, mut b, mut time, mut buckets) = (None, None, None, None);
        let mut r = json::Reader::new("parameters", parameters);
        r.object(|r, key| {
            match key {
                "a" => a = Some(r.string()?),
                "b" => b = Some(r.string()?),
                "time" => time = Some(r.string()?),
                "buckets" => buckets = Some(r.number()?),
                _ => return r.unknown(key),
            }
            Ok(())
        })?;
        r.end()?;
        let a = a.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("a"))?;
        let b = b.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("b"))?;
        let time = time.filter(|s| !s.is_empty()).ok_or_else(|| r.missing("time"))?;
        let buckets = buckets.ok_or_else(|| r.missing("buckets"))?;
        if !(1.0..=2147483647.0).contains(&buckets) || buckets.fract() != 0.0 {
            return fail!("parameters: \"buckets\" must be a whole number from 1 to 2147483647");
        }
        if a == b || a == time || b == time {
            let twice = if a == b || a == time { a } else { b };
            return fail!("parameters: column {:?} is named twice: \"a\", \"b\" and \"time\" must be three different ones", twice);
        }
        Ok(CrossTime { a, b, time, buckets: buckets as u64 })
    }

    fn schema(&self) -> Schema {
        let time = |suffix| self.time.clone() + suffix;
        Schema::default()
            .input(&self.a, Type::Utf8)
            .input(&self.b, Type::Utf8)
            .input(&self.time, Type::Timestamp)
            .output(self.a.clone() + "_x_" + &self.b, Type::Int64)
            .output(time("_hour"), Type::Int32)
            .output(time("_day_of_week"), Type::Int32)
            .output(time("_month"), Type::Int32)
            .output(time("_hour_sin"), Type::Float64)
            .output(time("_hour_cos"), Type::Float64)
    }
}

impl Transform for CrossTime {
    fn transform<'a>(&mut self, input: Batch<'a>, output: &mut Output<'a>) -> Result<()> {
        let (a, b, time) = (input.column_near(0, &self.a)?, input.column_near(1, &self.b)?, input.column_near(2, &self.time)?);
        let (at, nulls) = (time.timestamps()?, time.validity());

        let (left, right) = (a.texts()?, b.texts()?);
        let either = if b.validity().is_all() {
            a.validity()
        } else {
            let b = b.validity();
            output.nulls(a.validity(), |bits| (0..input.rows()).filter(|i| !b.is_valid(*i)).for_each(|i| bits.set(i, false)))
        };
        let cross = output.i64s(&(self.a.clone() + "_x_" + &self.b), either);
        for (row, cross) in cross.iter_mut().enumerate() {
            if let (Some(a), Some(b)) = (left.bytes(row), right.bytes(row)) {
                let hash = fnv1a(fnv1a(fnv1a(14695981039346656037, a), &[0x1f]), b);
                *cross = (hash % self.buckets) as i64;
            }
        }

        let name = |suffix| self.time.clone() + suffix;
        let (hours, days, months) = (output.i32s(&name("_hour"), nulls), output.i32s(&name("_day_of_week"), nulls), output.i32s(&name("_month"), nulls));
        let (sines, cosines) = (output.f64s(&name("_hour_sin"), nulls), output.f64s(&name("_hour_cos"), nulls));
        for (row, t) in at.iter().enumerate() {
            let (day, hour) = (t.div_euclid(DAY), (t.rem_euclid(DAY) / HOUR) as usize);
            hours[row] = hour as i32;
            days[row] = (day + 3).rem_euclid(7) as i32; // 1970-01-01 was a Thursday
            months[row] = month(day);
            sines[row] = SIN[hour];
            cosines[row] = SIN[hour + 6];
        }
        Ok(())
    }
}

weir::export!(CrossTime: transform);

#[cfg(test)]
mod tests {
    use super::*;
    use weir::Column;

    #[test]
    fn before_and_after_1970() {
        let mut plugin = CrossTime::new(br#"{"a":"a","b":"b","time":"t","buckets":1024}"#).unwrap();
        // 1969-12-31 23:59:59.999999 was a Wednesday, 2024-02-29 06:00 a Thursday.
        let times = [-1, 1_709_186_400_000_000];
        let columns = [Column::of_texts("a", "xy", &[0, 1, 2]), Column::of_texts("b", "", &[0, 0, 0]), Column::of_timestamps("t", &times)];
        let mut output = Output::leaked(2);
        plugin.transform(Batch::new(2, &columns), &mut output).unwrap();
        output.inspect(|out| {
            let ints = |name| out.column(name).unwrap().i32s().unwrap().to_vec();
            assert_eq!((ints("t_hour"), ints("t_day_of_week"), ints("t_month")), (vec![23, 6], vec![2, 3], vec![12, 2]));
            assert_eq!(out.column("t_hour_cos").unwrap().f64s().unwrap(), [0.9659258262890683, 0.0]);
        });
    }
}
