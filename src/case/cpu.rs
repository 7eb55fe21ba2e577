//! What a case says of the CPU that pods use, as a curve.

use super::format::{CpuFile, CpuPiece};
use kubeclash_cluster::file::Quantity;
use kubeclash_cluster::{CpuCurve, CpuShare, CpuUse, thousandths};

/// The CPU use that a step sets.
///
/// # Errors
/// What is wrong with it, in words.
pub fn cpu_use(file: &CpuFile) -> Result<CpuUse, String> {
    let (share, pieces) = match (&file.each_pod, &file.all_pods) {
        (Some(pieces), None) => (CpuShare::EachPod, pieces),
        (None, Some(pieces)) => (CpuShare::AllPods, pieces),
        _ => return Err("a CPU use is of each-pod or of all-pods: one of the two".to_owned()),
    };
    Ok(CpuUse {
        of: file.of.clone(),
        share,
        curve: curve(pieces)?,
    })
}

fn curve(pieces: &[CpuPiece]) -> Result<CpuCurve, String> {
    let mut points = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let text = match &piece.usage {
            Quantity::Number(number) => number.to_string(),
            Quantity::Text(text) => text.clone(),
        };
        let usage =
            thousandths(&text).ok_or_else(|| format!("\"{text}\" is no amount of CPU: write 100m"))?;
        let last = at + 1 == pieces.len();
        match piece.lasting {
            None if !last => {
                return Err("a piece without \"for\" lasts for ever: only the last one may".to_owned());
            }
            lasting => points.push((lasting.map(|span| span.0), usage)),
        }
    }
    CpuCurve::of(&points).ok_or_else(|| "a CPU curve has at least one piece".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use kubeclash_host::yaml;

    fn read(text: &str) -> Result<CpuUse, String> {
        cpu_use(&yaml::read(text).unwrap())
    }

    #[test]
    fn a_curve_is_made_of_pieces_of_which_the_last_one_lasts() {
        let burst = read("{of: deployment/web, each-pod: [{for: 120s, use: 100m}, {use: 0}]}").unwrap();
        assert_eq!(burst.share, CpuShare::EachPod);
        assert_eq!(burst.curve, CpuCurve::burst(100, Duration::from_secs(120), 0));
        let all = read("{of: sts/shop/db, all-pods: [{for: 1m, use: 2}]}").unwrap();
        assert_eq!(
            (all.share, all.curve.rate(Duration::from_secs(300))),
            (CpuShare::AllPods, 2000)
        );
    }

    #[test]
    fn what_is_no_curve_is_told() {
        for (text, told) in [
            ("{of: deployment/web}", "one of the two"),
            (
                "{of: deployment/web, each-pod: [{use: 1}], all-pods: [{use: 1}]}",
                "one of the two",
            ),
            ("{of: deployment/web, each-pod: []}", "at least one piece"),
            (
                "{of: deployment/web, each-pod: [{use: 1}, {use: 2}]}",
                "only the last one",
            ),
            (
                "{of: deployment/web, each-pod: [{use: much}]}",
                "no amount of CPU",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
