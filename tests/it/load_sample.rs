//! A run that never was: of every figure something.

use std::collections::BTreeMap;

use kubeclash_load::LoadRun;
use kubeclash_load::measure::Measured;
use kubeclash_load::measure::measured::{
    CallKind, Cost, Etcd, EtcdMoment, EtcdSize, Latency, LatencyMoment, LatencyRow, PodCurve, Pods,
    ProcessCurve, ProcessUse, Quantiles, Rate, Requests, StepFigures, StepUse,
};
use kubeclash_load::measure::took_too_long::{Slow, TookTooLong};
use kubeclash_load::run::{ClientRequests, FORMAT, LivenessEvent, LoadOutcome, ProfileUsed, StepRecord};
use kubeclash_timeline::{ComponentVersion, Label, LoadStep};

/// How long each step took, seconds.
const TOOK: [u64; 13] = [1, 3, 1, 1, 42, 18, 30, 12, 26, 9, 1, 2, 4];

/// What breaks out of a page that takes a name for HTML.
pub(crate) const HOSTILE: &str =
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=2> | `x` *y*";

/// A run of all steps.
pub(crate) fn run() -> LoadRun {
    let mut t = 0;
    let steps: Vec<StepRecord> = LoadStep::ALL
        .into_iter()
        .zip(TOOK)
        .map(|(step, seconds)| {
            let started_ms = t;
            t += seconds * 1_000;
            let late = step == LoadStep::WaitForScaled;
            StepRecord {
                step,
                started_ms,
                ended_ms: Some(t),
                late: if late {
                    vec!["deployment load-1/small-7: 4 of 5".to_owned(), HOSTILE.to_owned()]
                } else {
                    Vec::new()
                },
                late_total: if late { 12 } else { 0 },
                note: None,
            }
        })
        .collect();
    LoadRun {
        format: FORMAT,
        started: "2026-01-02T03:04:05Z".parse().unwrap(),
        elapsed_ms: t,
        profile: ProfileUsed {
            name: "100".to_owned(),
            yaml: "nodes: 100\npods_per_node: 30 # </script>\n".to_owned(),
        },
        nodes: 1_000,
        components: [("kube-apiserver", "v1.36.3"), ("etcd", "3.6.16")]
            .map(|(name, version)| {
                let part = ComponentVersion {
                    version: version.to_owned(),
                    sha256: "0".repeat(64),
                    origin: "release".to_owned(),
                };
                (name.to_owned(), part)
            })
            .into(),
        measured: measured(&steps, t),
        steps,
        outcome: LoadOutcome::CompletedWithTimeouts,
        reached: LoadStep::CollectMeasurements,
        label: Some(Label::Red),
        why: "12 objects were late in step 8, and the API server was killed once".to_owned(),
        requests: ClientRequests {
            ok: 4_321,
            retried: 17,
            failed: [("timed out".to_owned(), 3)].into(),
        },
        liveness: vec![
            LivenessEvent {
                t_ms: 61_000,
                what: "probe 8 of 8 failed: no answer within 15 s".to_owned(),
            },
            LivenessEvent {
                t_ms: 63_000,
                what: "kube-apiserver was killed, and started again".to_owned(),
            },
        ],
    }
}

/// A hill over time: it rises, stays, and falls.
fn hill(t: u64, end: u64) -> f64 {
    let part = t as f64 / end as f64;
    (part * 4.0).min(1.0).min((1.0 - part) * 3.0).max(0.02) * (1.0 + 0.2 * (t as f64 / 1_700.0).sin())
}

fn measured(steps: &[StepRecord], end: u64) -> Measured {
    let quantiles = |count, p99_ms: f64| Quantiles {
        count,
        p50_ms: p99_ms / 9.0,
        p90_ms: p99_ms / 2.0,
        p99_ms,
        max_ms: None,
        beyond: false,
    };
    Measured {
        latency: latency(end),
        requests: Requests {
            total: 48_000,
            by_code: [("200", 40_000), ("201", 7_900), ("429", 60), ("504", 40)]
                .map(|(code, n)| (code.to_owned(), n))
                .into(),
            rejected: [("queue-full".to_owned(), 60)].into(),
            terminated: BTreeMap::new(),
            aborted: [("LIST".to_owned(), 40)].into(),
            post_timeout: BTreeMap::new(),
            peak_in_flight: 91,
            peak_in_queue: 12,
        },
        pods: pods(end),
        processes: [
            "kube-apiserver",
            "etcd",
            "kube-controller-manager",
            "kube-scheduler",
            "kwok",
        ]
        .iter()
        .enumerate()
        .map(|(nth, name)| process(name, end, 1.6 / (nth + 1) as f64))
        .collect(),
        etcd: etcd(end),
        took_too_long: TookTooLong {
            total: 130,
            by_prefix: [
                (
                    "/registry/leases/kube-node-lease/".to_owned(),
                    Slow {
                        count: 104,
                        sum_ms: 20_000.0,
                        max_ms: 812.0,
                    },
                ),
                (
                    "/registry/pods/".to_owned(),
                    Slow {
                        count: 26,
                        sum_ms: 9_000.0,
                        max_ms: 2_400.0,
                    },
                ),
            ]
            .into(),
        },
        steps: steps
            .iter()
            .map(|step| StepFigures {
                step: step.step,
                started_ms: step.started_ms,
                ended_ms: step.ended_ms.unwrap(),
                latency: [
                    (
                        CallKind::Mutating,
                        quantiles(900, 40.0 * step.step.number() as f64),
                    ),
                    (CallKind::List, quantiles(9, 2_200.0)),
                ]
                .into(),
                requests: 4_000,
                rejected: if step.step == LoadStep::ScaleObjects {
                    60
                } else {
                    0
                },
                failed: 0,
                terminated: 0,
                pods_created: 250,
                pods_scheduled: rate(250, 88),
                pods_running: rate(250, 71),
                pods_deleted: 0,
                processes: [(
                    "kube-apiserver".to_owned(),
                    StepUse {
                        mean_cores: 0.81,
                        peak_cores: 1.62,
                        peak_bytes: 700 << 20,
                    },
                )]
                .into(),
                etcd: Some(size(1_000, 9 << 20)),
                took_too_long: 10,
            })
            .collect(),
        cost: Cost {
            samples: 28,
            failed_samples: 2,
            peak_metrics_bytes: 3 << 20,
            mean_sample_ms: 92.4,
            peak_sample_ms: 311.0,
            mean_etcd_ms: 4.2,
            pod_events: 18_000,
        },
        missing: vec![
            "the API server was asked 2 times without an answer, first at 61.0 s: connection refused"
                .to_owned(),
        ],
    }
}

fn rate(total: u64, peak_1s: u64) -> Rate {
    Rate {
        total,
        mean_per_s: 42.5,
        peak_1s,
        peak_10s_per_s: 61.2,
    }
}

fn latency(end: u64) -> Latency {
    let row = |verb: &str, resource: &str, scope: &str, kind: CallKind, p99_ms: f64| LatencyRow {
        verb: verb.to_owned(),
        group: String::new(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        subresource: String::new(),
        scope: scope.to_owned(),
        kind,
        took: Quantiles {
            count: 3_000,
            p50_ms: 11.0,
            p90_ms: 80.0,
            p99_ms,
            max_ms: None,
            beyond: p99_ms >= 60_000.0,
        },
        judged_p99_ms: p99_ms,
        objective_ms: kind.objective_s() * 1e3,
        slow: Some(if p99_ms > kind.objective_s() * 1e3 { 31 } else { 0 }),
        met: p99_ms <= kind.objective_s() * 1e3,
    };
    let mut rows = vec![
        row("LIST", "pods", "cluster", CallKind::List, 60_000.0),
        row("POST", "pods", "resource", CallKind::Mutating, 1_450.0),
    ];
    rows.extend((0..20).map(|nth| {
        row(
            "PATCH",
            &format!("things{nth}"),
            "resource",
            CallKind::Mutating,
            300.0 - 10.0 * f64::from(nth),
        )
    }));
    Latency {
        metric: "apiserver_request_duration_seconds".to_owned(),
        judged_metric: "apiserver_request_sli_duration_seconds".to_owned(),
        objectives: "https://example.org/slos: 1 s, lists 30 s".to_owned(),
        rows,
        kinds: [(
            CallKind::Mutating,
            Quantiles {
                count: 9_000,
                p50_ms: 9.0,
                p90_ms: 60.0,
                p99_ms: 1_210.0,
                max_ms: None,
                beyond: false,
            },
        )]
        .into(),
        curve: (1..=end / 5_000)
            .map(|nth| LatencyMoment {
                t_ms: nth * 5_000,
                requests_per_s: 700.0 * hill(nth * 5_000, end),
                in_flight: Some(nth % 23),
                in_queue: None,
                p99_ms: [
                    (CallKind::Mutating, 1_400.0 * hill(nth * 5_000, end)),
                    (CallKind::Read, 220.0 * hill(nth * 5_000, end)),
                ]
                .into(),
            })
            .collect(),
        restarts: 1,
    }
}

fn pods(end: u64) -> Pods {
    let span = |p99_ms: f64| {
        Some(Quantiles {
            count: 3_000,
            p50_ms: p99_ms / 2.0,
            p90_ms: p99_ms / 1.2,
            p99_ms,
            max_ms: Some(p99_ms * 1.4),
            beyond: false,
        })
    };
    let counts = |scale: f64, shift: u64| -> Vec<u32> {
        (0..=end / 1_000)
            .map(|second| (hill((second * 1_000 + shift) % end, end) * scale) as u32)
            .collect()
    };
    Pods {
        created: 3_250,
        scheduled: 3_250,
        running: 3_245,
        deleted: 3_000,
        there_before: 0,
        peak_running: 3_100,
        create_to_schedule: span(700.0),
        schedule_to_run: span(5_100.0),
        run_to_watch: span(900.0),
        start_up: span(5_800.0),
        objective_ms: 5_000.0,
        met: Some(false),
        schedule_rate: rate(3_250, 96),
        run_rate: rate(3_245, 90),
        curve: PodCurve {
            created: counts(90.0, 0),
            scheduled: counts(80.0, 3_000),
            running: counts(70.0, 9_000),
            deleted: counts(20.0, end / 2),
        },
        gaps: 0,
    }
}

fn process(name: &str, end: u64, scale: f64) -> ProcessUse {
    let t_ms: Vec<u64> = (0..=end / 1_000).map(|second| second * 1_000).collect();
    ProcessUse {
        name: name.to_owned(),
        starts: u64::from(name == "kube-apiserver") + 1,
        cpu_s: 91.2,
        mean_cores: scale / 2.0,
        peak_cores: scale,
        mean_bytes: 300 << 20,
        peak_bytes: 700 << 20,
        curve: ProcessCurve {
            cores: t_ms.iter().map(|&t| scale * hill(t, end)).collect(),
            bytes: t_ms
                .iter()
                .map(|&t| (scale * 4e8 * (0.4 + hill(t, end))) as u64)
                .collect(),
            t_ms,
        },
    }
}

fn size(pods: u64, db_bytes: u64) -> EtcdSize {
    let keys = [
        ("all", pods * 3 + 400),
        ("pods", pods),
        ("events", pods + 200),
        ("leases", 1_003),
        ("secrets", 0),
    ];
    EtcdSize {
        db_bytes,
        in_use_bytes: db_bytes / 3 * 2,
        keys: keys.map(|(name, number)| (name.to_owned(), number)).into(),
    }
}

fn etcd(end: u64) -> Etcd {
    let moment = |nth: u64| EtcdMoment {
        t_ms: nth * 10_000,
        size: size((3_000.0 * hill(nth * 10_000, end)) as u64, (5 + nth * 3) << 20),
    };
    Etcd {
        version: Some("3.6.16".to_owned()),
        peak_db_bytes: 50 << 20,
        peak_keys: 9_400,
        curve: (0..=end / 10_000).map(moment).collect(),
    }
}
