//! Budgets as people write them.

use crate::error::Error;

/// A budget of wall clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Budget {
    /// So many microseconds.
    Time(u64),
    /// A share of the suite's cost.
    Share(f64),
}

impl Budget {
    /// The budget in microseconds, for a suite of this cost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    pub(super) fn microseconds(self, suite_us: u64) -> u64 {
        match self {
            Budget::Time(us) => us,
            Budget::Share(share) => (suite_us as f64 * share) as u64,
        }
    }
}

/// Reads `10`, `1.5`, `90s`, `250ms`, `2m`, `1h` or `20%`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
pub(super) fn budget(text: &str) -> Result<Budget, String> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let expected = "expected seconds as `10` or `1.5`, or a number with `ms`, `s`, `m`, `h` or `%`";
    let number: f64 = number.parse().map_err(|_| expected.to_owned())?;
    let seconds = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "%" if number <= 100.0 => return Ok(Budget::Share(number / 100.0)),
        "%" => return Err("expected at most 100 %".to_owned()),
        _ => return Err(expected.to_owned()),
    };
    Ok(Budget::Time((number * seconds * 1e6).round() as u64))
}

/// The least memory that a build takes: below it most of the time would go into its files.
const MEMORY_LEAST: usize = 16 << 20;

/// Reads an amount of memory: `512M`, `4G`, or bytes.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => Some(0),
        "K" | "KB" | "KIB" => Some(10),
        "M" | "MB" | "MIB" => Some(20),
        "G" | "GB" | "GIB" => Some(30),
        "T" | "TB" | "TIB" => Some(40),
        _ => None,
    };
    let bytes = shift.and_then(|shift| number.parse::<usize>().ok()?.checked_mul(1 << shift));
    bytes.filter(|&bytes| bytes >= MEMORY_LEAST).ok_or_else(|| "expected at least 16M, such as 512M or 4G".to_owned())
}

/// Reads a number of candidates.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&count| count > 0).ok_or_else(|| "expected a number of at least 1".to_owned())
}

/// Reads a share between 0 and 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number between 0 and 1".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("expected a number between 0 and 1".to_owned()) }
}

/// Reads a confidence, `0.95` or `95%`: neither none nor all of it.
pub(super) fn confidence(text: &str) -> Result<f64, String> {
    let (number, unit) = text.trim().strip_suffix('%').map_or((text.trim(), 1.0), |number| (number.trim_end(), 100.0));
    let share = number.parse().map(|number: f64| number / unit).ok();
    share.filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(|| {
        "expected a share between 0 and 1, both excluded, as `0.95` or `95%`; for all tests that can see the change, use `covopt impacted`".to_owned()
    })
}

/// Reads the probability that a budget is to be kept with.
pub(super) fn certainty(text: &str) -> Result<f64, String> {
    let expected = "expected a number from 0.5 to below 1, such as 0.95";
    text.parse().ok().filter(|certainty| (0.5..1.0).contains(certainty)).ok_or_else(|| expected.to_owned())
}

/// The threshold of `impacted`: the flag, else what the environment says.
pub(super) fn threshold(flag: Option<f64>) -> Result<f64, Error> {
    let from_environment = || match super::environment("IMPACTED_THRESHOLD")
        .map(|text| text.to_string_lossy().into_owned())
    {
        Some(text) => share(&text).map_err(|problem| Error::Usage(format!("IMPACTED_THRESHOLD=`{text}`: {problem}"))),
        None => Ok(crate::policy::THRESHOLD),
    };
    flag.map_or_else(from_environment, Ok)
}

/// Reads seconds, a number from 0 to 1e9.
pub(super) fn limit(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds".to_owned())?;
    if (0.0..=1e9).contains(&seconds) { Ok(seconds) } else { Err("expected 0 to 1e9 seconds".to_owned()) }
}

/// Seconds as microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
pub(super) fn microseconds_of(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

/// Microseconds as seconds.
pub(super) fn seconds_of(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidences_are_read() {
        assert_eq!(["0.95", "95%", "95 %"].map(|text| confidence(text).unwrap()), [0.95; 3]);
        for text in ["0", "1", "100%", "0%", "-0.5", "nan", "inf", "95", "", "%"] {
            assert!(confidence(text).is_err(), "{text}");
        }
    }

    #[test]
    fn certainties_are_below_one() {
        assert_eq!((certainty("0.5"), certainty("0.95")), (Ok(0.5), Ok(0.95)));
        for text in ["1", "0.49", "95", "nan", "-1", "95%", ""] {
            assert!(certainty(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_of_memory_are_read() {
        assert_eq!(
            ["16777216", "16M", "1 GiB", "4g"].map(|text| memory(text).unwrap()),
            [16 << 20, 16 << 20, 1 << 30, 4 << 30]
        );
        for text in ["", "15M", "G", "-1G", "1.5G", "1P", "99999999999999999999", "20000000T"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn budgets_are_read() {
        for (text, us) in [
            ("10", 10_000_000),
            ("1.5", 1_500_000),
            ("90s", 90_000_000),
            ("2m", 120_000_000),
            ("250ms", 250_000),
            ("0", 0),
            ("1h", 3_600_000_000),
        ] {
            assert_eq!(budget(text), Ok(Budget::Time(us)), "{text}");
        }
        assert_eq!(budget("20%"), Ok(Budget::Share(0.2)));
        assert_eq!(budget("20%").unwrap().microseconds(50), 10);
        for text in ["", "-1", "ten", "10x", "1e3", "nan", "inf", "101%", "1.2.3", "."] {
            assert!(budget(text).is_err(), "{text}");
        }
    }
}
