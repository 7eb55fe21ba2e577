//! Figures as people read them.

use indicatif::HumanCount;

/// A count, with its thousands apart: `30,000`.
pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A size: `1.2 GiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64 / 1_024.0;
    let mut unit = 0;
    while size >= 1_024.0 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Milliseconds: `12 ms`, `1.25 s`.
pub(super) fn ms(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.2} s", ms / 1e3)
    }
}

/// A rate: `120/s`.
pub(super) fn per_second(rate: f64) -> String {
    if rate < 10.0 {
        format!("{rate:.1}/s")
    } else {
        format!("{rate:.0}/s")
    }
}

/// Cores: `1.52`.
pub(super) fn cores(cores: f64) -> String {
    format!("{cores:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_matter() {
        assert_eq!(
            ["0.0 KiB", "1.5 KiB", "700.0 MiB", "2.0 GiB"],
            [0, 1_536, 700 << 20, 2 << 30].map(bytes)
        );
        assert_eq!(
            ["4.2 ms", "999 ms", "1.25 s", "30.00 s"],
            [4.2, 999.0, 1_250.0, 30_000.0].map(ms)
        );
        assert_eq!(
            (per_second(0.25), per_second(412.6), count(30_000)),
            ("0.2/s".to_owned(), "413/s".to_owned(), "30,000".to_owned())
        );
    }
}
