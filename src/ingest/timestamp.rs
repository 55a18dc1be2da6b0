//! Times as reports state them: RFC 3339, with what reports leave out of it.

const DAY_S: i64 = 86_400;

/// Microseconds since the Unix epoch of `2026-11-22T02:51:26.692511+00:00`; the fraction and the zone (then UTC) may be
/// missing, a space may stand for the `T`. `None` for anything else and for times before the epoch.
pub(super) fn parse_us(text: &str) -> Option<u64> {
    let text = text.trim();
    let (year, month, day) = (digits(text, 0, 4)?, digits(text, 5, 2)?, digits(text, 8, 2)?);
    let (hour, minute, second) = (digits(text, 11, 2)?, digits(text, 14, 2)?, digits(text, 17, 2)?);
    let is_shaped =
        [(4, "-"), (7, "-"), (13, ":"), (16, ":")].iter().all(|&(at, want)| text.get(at..at + 1) == Some(want))
            && matches!(text.get(10..11), Some("T" | "t" | " "));
    let is_real = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !is_shaped || !is_real {
        return None;
    }
    let (fraction_us, zone) = fraction(text.get(19..)?)?;
    let seconds = days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset_s(zone)?;
    u64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(fraction_us)
}

fn digits(text: &str, at: usize, count: usize) -> Option<i64> {
    let part = text.get(at..at + count)?;
    part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
}

/// The microseconds of `.692511...`, and what follows.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(rest) = text.strip_prefix(['.', ',']) else { return Some((0, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let micros: String = rest[..end].chars().chain("000000".chars()).take(6).collect();
    (end > 0).then(|| Some((micros.parse().ok()?, &rest[end..])))?
}

fn offset_s(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') => return (zone.len() <= 1).then_some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let minutes_at = if zone.get(3..4) == Some(":") { 4 } else { 3 };
    let minutes = if zone.len() == 3 { 0 } else { digits(zone, minutes_at, 2)? };
    Some(sign * (digits(zone, 1, 2)? * 3600 + minutes * 60))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_times() {
        let cases = [
            ("1970-01-01T00:00:00", Some(0)),
            ("2026-11-22T02:51:26.692511+00:00", Some(1_795_315_886_692_511)),
            ("2026-11-22 03:51:26.5+01:00", Some(1_795_315_886_500_000)),
            ("2026-11-21T21:21:26-0530", Some(1_795_315_886_000_000)),
            ("2000-02-29T12:00:00Z", Some(951_825_600_000_000)),
            ("2026-11-22", None),
            ("2026-13-22T02:51:26", None),
            ("1960-01-01T00:00:00", None),
            ("nonsense éé", None),
            ("2026-11-22T02:51:26 CET", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_us(text), want, "{text}");
        }
    }
}
