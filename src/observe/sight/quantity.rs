//! Quantities as Kubernetes writes them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// A CPU quantity in millicores, rounded up; 0 for what is none.
pub(super) fn millicores(quantity: &Quantity) -> u64 {
    whole(quantity, 1e3)
}

/// A quantity of bytes, or of anything that is counted, rounded up; 0 for what is none.
pub(super) fn number(quantity: &Quantity) -> u64 {
    whole(quantity, 1.0)
}

fn whole(quantity: &Quantity, times: f64) -> u64 {
    let text = quantity.0.as_str();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    // An exponent is no suffix: 1e3, 12E6. A bare E is exa.
    let (digits, suffix) = match text.parse::<f64>() {
        Ok(_) => (text, ""),
        Err(_) => (digits, &text[digits.len()..]),
    };
    let unit = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1_024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        _ => return 0,
    };
    let value = match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => number * (unit * times),
        _ => return 0,
    };
    // What a binary fraction adds to a decimal one is not to be rounded up.
    let whole = if (value - value.round()).abs() <= value * 1e-12 {
        value.round()
    } else {
        value.ceil()
    };
    whole.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_quantities_become_millicores() {
        for (text, m) in [
            ("100m", 100),
            ("2", 2_000),
            ("0.5", 500),
            ("0.07", 70),
            ("1500u", 2),
            ("1k", 1_000_000),
            ("x", 0),
            ("", 0),
            ("-1", 0),
        ] {
            assert_eq!(millicores(&Quantity(text.into())), m, "{text}");
        }
    }

    #[test]
    fn memory_quantities_become_bytes() {
        for (text, bytes) in [
            ("64Mi", 67_108_864),
            ("1.5Gi", 1_610_612_736),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129M", 129_000_000),
            ("1E", 1_000_000_000_000_000_000),
            ("1500m", 2),
            ("110", 110),
            ("1Xi", 0),
            ("inf", 0),
        ] {
            assert_eq!(number(&Quantity(text.into())), bytes, "{text}");
        }
    }
}
