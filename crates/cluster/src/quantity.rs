//! Quantities as Kubernetes writes them: `500m`, `8`, `32Gi`.

/// The suffixes and what they multiply by; the longer ones first.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// A quantity in thousandths of its unit, rounded up: 100 of `100m`, 8000 of `8`; `None` where it is none, or negative.
///
/// # Examples
///
/// ```
/// use kubeclash_cluster::thousandths;
///
/// assert_eq!(thousandths("100m"), Some(100));
/// assert_eq!(thousandths("1Ki"), Some(1_024_000));
/// assert_eq!(thousandths("many"), None);
/// ```
#[must_use]
pub fn thousandths(text: &str) -> Option<u64> {
    let suffix = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix));
    let (number, factor) = suffix.map_or((text, 1.0), |(suffix, factor)| {
        (&text[..text.len() - suffix.len()], *factor)
    });
    // What f64 reads besides decimal numbers ("inf", "NaN") is no quantity.
    let decimal = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let number: f64 = number.parse().ok().filter(|_| decimal)?;
    // Rounded up, but not for what a binary fraction adds to 0.1.
    let thousandths = (number * factor * 1e3 - 1e-6).ceil();
    (number >= 0.0 && thousandths < u64::MAX as f64).then_some(thousandths.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_become_thousandths_rounded_up() {
        for (text, expected) in [
            ("100m", 100),
            ("0.1", 100),
            ("8", 8000),
            ("0.5", 500),
            ("1500u", 2),
            ("1k", 1_000_000),
            ("2e3", 2_000_000),
            ("32Gi", 34_359_738_368_000),
            ("0", 0),
        ] {
            assert_eq!(thousandths(text), Some(expected), "{text}");
        }
        for text in ["", "m", "x", "-1", "inf", "NaN", "1Qi", "1 Gi", "99999999999E"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }
}
