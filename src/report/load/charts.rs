//! Curves over the steps.

use super::sheet::{Chart, Line};
use kubeclash_load::LoadRun;
use kubeclash_load::measure::etcd::ALL;
use kubeclash_load::measure::measured::{CallKind, Measured};

/// How many points a curve has at most: more than there are pixels for show nothing.
const POINTS: usize = 600;

/// How many curves a drawing has at most; tables have the others.
const LINES: usize = 8;

const MIB: f64 = 1_048_576.0;

/// The drawings of a run; those only that have something to show.
pub(super) fn of(run: &LoadRun) -> Vec<Chart> {
    let measured = &run.measured;
    let all = [
        cpu(measured),
        memory(measured),
        pods(measured),
        latency(measured),
        requests(measured),
        size(measured),
        keys(measured),
    ];
    let mut all: Vec<Chart> = all.into_iter().collect();
    all.retain(|chart| !chart.lines.is_empty());
    all
}

fn cpu(measured: &Measured) -> Chart {
    let lines = measured.processes.iter().map(|one| {
        let points = one
            .curve
            .t_ms
            .iter()
            .copied()
            .zip(one.curve.cores.iter().copied());
        line(&one.name, points.collect())
    });
    chart("CPU", "cores", lines)
}

fn memory(measured: &Measured) -> Chart {
    let lines = measured.processes.iter().map(|one| {
        let mib = one.curve.bytes.iter().map(|&bytes| bytes as f64 / MIB);
        line(&one.name, one.curve.t_ms.iter().copied().zip(mib).collect())
    });
    chart("Memory", "MiB", lines)
}

fn pods(measured: &Measured) -> Chart {
    let curve = &measured.pods.curve;
    let lines = [
        ("made", &curve.created),
        ("scheduled", &curve.scheduled),
        ("running", &curve.running),
        ("removed", &curve.deleted),
    ];
    let lines = lines.map(|(what, counts)| {
        // The count of a second stands at its middle.
        let points = counts.iter().enumerate();
        let points = points.map(|(second, &count)| (second as u64 * 1_000 + 500, f64::from(count)));
        line(what, points.collect())
    });
    chart("Pods", "a second", lines.into_iter())
}

fn latency(measured: &Measured) -> Chart {
    let lines = [CallKind::Mutating, CallKind::Read, CallKind::List].map(|kind| {
        let curve = measured.latency.curve.iter();
        let points = curve.filter_map(|moment| Some((moment.t_ms, *moment.p99_ms.get(&kind)?)));
        line(kind.name(), points.collect())
    });
    let mut chart = chart("API latency, p99", "ms", lines.into_iter());
    let bound = CallKind::Mutating.objective_s() * 1e3;
    chart.bound = (bound <= chart.top).then_some((bound, "objective of one object"));
    chart
}

fn requests(measured: &Measured) -> Chart {
    let curve = || measured.latency.curve.iter();
    let answered = line(
        "answered a second",
        curve()
            .map(|moment| (moment.t_ms, moment.requests_per_s))
            .collect(),
    );
    let gauge = |what: &str, of: fn(&kubeclash_load::measure::measured::LatencyMoment) -> Option<u64>| {
        line(
            what,
            curve()
                .filter_map(|moment| Some((moment.t_ms, of(moment)? as f64)))
                .collect(),
        )
    };
    let lines = [
        answered,
        gauge("being worked on", |moment| moment.in_flight),
        gauge("waiting", |moment| moment.in_queue),
    ];
    chart("API requests", "requests", lines.into_iter())
}

fn size(measured: &Measured) -> Chart {
    let curve = || measured.etcd.curve.iter();
    let lines = [
        line(
            "file",
            curve()
                .map(|moment| (moment.t_ms, moment.size.db_bytes as f64 / MIB))
                .collect(),
        ),
        line(
            "in use",
            curve()
                .map(|moment| (moment.t_ms, moment.size.in_use_bytes as f64 / MIB))
                .collect(),
        ),
    ];
    chart("etcd's database", "MiB", lines.into_iter())
}

fn keys(measured: &Measured) -> Chart {
    let Some(first) = measured.etcd.curve.first() else {
        return chart("etcd's keys", "keys", std::iter::empty());
    };
    let of = |name: &String| {
        let curve = measured.etcd.curve.iter();
        let points = curve.filter_map(|moment| Some((moment.t_ms, *moment.size.keys.get(name)? as f64)));
        line(name, points.collect())
    };
    let mut lines: Vec<Line> = first.size.keys.keys().map(of).collect();
    // All of them first, then those of which there were most.
    lines.sort_by(|a, b| {
        (b.what == ALL)
            .cmp(&(a.what == ALL))
            .then(b.peak.total_cmp(&a.peak))
    });
    lines.retain(|line| line.peak > 0.0);
    chart("etcd's keys", "keys", lines.into_iter())
}

fn chart(name: &'static str, unit: &'static str, lines: impl Iterator<Item = Line>) -> Chart {
    let lines: Vec<Line> = lines.filter(|line| !line.points.is_empty()).take(LINES).collect();
    let peak = lines.iter().map(|line| line.peak).fold(0.0, f64::max);
    Chart {
        name,
        unit,
        top: round_up(peak),
        bound: None,
        lines,
    }
}

fn line(what: &str, points: Vec<(u64, f64)>) -> Line {
    Line {
        what: what.to_owned(),
        peak: points.iter().map(|(_, value)| *value).fold(0.0, f64::max),
        points: thinned(&points, POINTS),
    }
}

/// No more points than `most`: of those that lie together, the greatest.
fn thinned(points: &[(u64, f64)], most: usize) -> Vec<(u64, f64)> {
    let together = points.len().div_ceil(most).max(1);
    let greatest = |some: &[(u64, f64)]| some.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    points.chunks(together).filter_map(greatest).collect()
}

/// A number with one digit, or with two that end in 5, that is no less.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let found = steps
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= value);
    found.unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_peaks() {
        let points: Vec<(u64, f64)> = (0..10_000)
            .map(|t| (t, if t == 7_777 { 9.0 } else { 1.0 }))
            .collect();
        let thin = thinned(&points, 600);
        assert!(thin.len() <= 600);
        assert!(thin.contains(&(7_777, 9.0)));
        assert!(thin.is_sorted_by_key(|(t, _)| *t));
        assert_eq!(thinned(&points[..3], 600), points[..3]);
    }

    #[test]
    fn a_scale_ends_with_a_round_number() {
        for (value, top) in [
            (0.0, 1.0),
            (0.12, 0.15),
            (1.0, 1.0),
            (1.1, 1.5),
            (71.0, 80.0),
            (999.0, 1_000.0),
            (12_345.0, 15_000.0),
        ] {
            assert!(
                (round_up(value) - top).abs() < 1e-9,
                "{value}: {}",
                round_up(value)
            );
        }
    }
}
