//! What a sheet has of a run.

use super::sheet::*;
use super::words::{bytes, count, ms, per_second};
use super::{charts, tables};
use crate::report::seconds;
use kubeclash_load::LoadRun;
use kubeclash_load::measure::measured::CallKind;
use kubeclash_load::run::LoadOutcome;

impl Sheet {
    /// What is to be shown of a run.
    #[must_use]
    pub fn of(run: &LoadRun) -> Self {
        let components = run
            .components
            .iter()
            .map(|(name, part)| format!("{name} {}", part.version));
        let started = run.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        Self {
            title: format!(
                "Load test {}: {} nodes",
                run.profile.name,
                count(run.nodes as u64)
            ),
            outcome: run.outcome.to_string(),
            mark: match run.outcome {
                LoadOutcome::Completed => Mark::Good,
                LoadOutcome::CompletedWithTimeouts => Mark::Unclear,
                LoadOutcome::Aborted => Mark::Bad,
            },
            label: run.label.map(|label| (label, label.colour())),
            why: run.why.clone(),
            with: std::iter::once(started)
                .chain(components)
                .collect::<Vec<_>>()
                .join(" · "),
            facts: facts(run),
            missing: run.measured.missing.clone(),
            length_ms: length(run),
            bands: bands(run),
            events: run
                .liveness
                .iter()
                .map(|event| (event.t_ms, event.what.clone()))
                .collect(),
            charts: charts::of(run),
            tables: tables::of(run),
            profile: run.profile.yaml.clone(),
        }
    }
}

fn length(run: &LoadRun) -> u64 {
    let ends = run.steps.iter().filter_map(|step| step.ended_ms);
    ends.chain([run.elapsed_ms]).max().unwrap_or_default()
}

fn bands(run: &LoadRun) -> Vec<Band> {
    let end = length(run);
    let band = |step: &kubeclash_load::run::StepRecord| Band {
        number: step.step.number(),
        name: step.step.name(),
        from: step.started_ms,
        to: step.ended_ms.unwrap_or(end).max(step.started_ms),
        late: step.late_total > 0,
    };
    run.steps.iter().map(band).collect()
}

fn facts(run: &LoadRun) -> Vec<(&'static str, String)> {
    let measured = &run.measured;
    let pods = &measured.pods;
    let ended = run.steps.iter().filter(|step| step.ended_ms.is_some()).count();
    let mut facts = vec![
        ("time", seconds(run.elapsed_ms)),
        ("steps ended", format!("{ended} of 13, up to \"{}\"", run.reached)),
        (
            "pods",
            format!(
                "{} made, at most {} at once",
                count(pods.created),
                count(pods.peak_running)
            ),
        ),
        (
            "scheduled",
            format!(
                "{} on average, at most {}",
                per_second(pods.schedule_rate.mean_per_s),
                per_second(pods.schedule_rate.peak_1s as f64)
            ),
        ),
    ];
    if let Some(took) = pods.start_up {
        facts.push((
            "start-up p50, p99",
            format!("{}, {}", ms(took.p50_ms), ms(took.p99_ms)),
        ));
    }
    for (kind, name) in [
        (CallKind::Mutating, "mutating p99"),
        (CallKind::Read, "read p99"),
        (CallKind::List, "list p99"),
    ] {
        if let Some(took) = measured.latency.kinds.get(&kind) {
            facts.push((name, ms(took.p99_ms)));
        }
    }
    let (rejected, timeouts) = (measured.requests.rejections(), measured.requests.timeouts());
    facts.extend([
        ("requests", count(measured.requests.total)),
        (
            "rejected, timed out",
            format!("{}, {}", count(rejected), count(timeouts)),
        ),
        (
            "etcd at most",
            format!(
                "{}, {} keys",
                bytes(measured.etcd.peak_db_bytes),
                count(measured.etcd.peak_keys)
            ),
        ),
        ("took too long", count(measured.took_too_long.total)),
    ]);
    if measured.latency.restarts > 0 {
        facts.push(("API server restarts", count(measured.latency.restarts)));
    }
    facts
}
