//! Every figure, in tables.

use std::collections::BTreeMap;

use super::sheet::{Cell, Column, Table};
use super::words::{bytes, cores, count, ms, per_second};
use crate::report::seconds;
use kubeclash_load::LoadRun;
use kubeclash_load::measure::etcd::ALL;
use kubeclash_load::measure::measured::{CallKind, EtcdSize, Measured, Quantiles, StepFigures, StepUse};
use kubeclash_load::run::StepRecord;

/// The component that is looked at step by step.
const APISERVER: &str = "kube-apiserver";

/// The tables of a run; those only that have rows.
pub(super) fn of(run: &LoadRun) -> Vec<Table> {
    let measured = &run.measured;
    let all = [
        steps(run),
        latency(measured),
        start_up(measured),
        rates(measured),
        requests(run),
        processes(measured),
        etcd(measured),
        took_too_long(measured),
        late(run),
        cost(measured),
    ];
    let mut all: Vec<Table> = all.into_iter().collect();
    all.retain(|table| !table.rows.is_empty());
    all
}

fn table(title: &'static str, columns: &[&'static str], rows: Vec<Vec<Cell>>) -> Table {
    // A head that ends so stands over text.
    let column = |name: &&'static str| Column {
        name: name.trim_end_matches(':'),
        number: !name.ends_with(':'),
    };
    Table {
        title,
        note: String::new(),
        columns: columns.iter().map(column).collect(),
        shown: rows.len(),
        rows,
    }
}

fn steps(run: &LoadRun) -> Table {
    let rows = run.steps.iter().map(|record| {
        let figures = run
            .measured
            .steps
            .iter()
            .find(|figures| figures.step == record.step);
        let mut row = vec![
            Cell::new(record.step.number().to_string()),
            Cell::new(record.step.name()),
            Cell::new(duration(record)),
            Cell::trouble(record.late_total),
        ];
        match figures {
            Some(figures) => row.extend(step(figures)),
            None => row.extend((0..15).map(|_| Cell::new("–"))),
        }
        row
    });
    let mut table = table(
        "Steps",
        &[
            "",
            "step:",
            "time",
            "late",
            "requests",
            "rejected",
            "failed",
            "mutating p99",
            "read p99",
            "list p99",
            "pods made",
            "scheduled, peak",
            "running, peak",
            "cores, mean",
            "cores, peak",
            "memory",
            "etcd",
            "keys",
            "too long",
        ],
        rows.collect(),
    );
    table.note = "Peaks are of one second; cores and memory are the API server's; etcd's figures are those at the step's end.".to_owned();
    table
}

fn duration(record: &StepRecord) -> String {
    match record.ended_ms {
        Some(ended) => seconds(ended.saturating_sub(record.started_ms)),
        None => "not ended".to_owned(),
    }
}

fn step(figures: &StepFigures) -> Vec<Cell> {
    let p99 = |kind| {
        let took = figures.latency.get(&kind);
        took.map_or_else(|| Cell::new("–"), |took| latency_cell(took, kind))
    };
    let apiserver = figures.processes.get(APISERVER);
    let process = |of: fn(&StepUse) -> String| Cell::new(apiserver.map_or_else(|| "–".to_owned(), of));
    let etcd =
        |of: fn(&EtcdSize) -> String| Cell::new(figures.etcd.as_ref().map_or_else(|| "–".to_owned(), of));
    vec![
        Cell::new(count(figures.requests)),
        Cell::trouble(figures.rejected),
        Cell::trouble(figures.failed + figures.terminated),
        p99(CallKind::Mutating),
        p99(CallKind::Read),
        p99(CallKind::List),
        Cell::new(count(figures.pods_created)),
        Cell::new(per_second(figures.pods_scheduled.peak_1s as f64)),
        Cell::new(per_second(figures.pods_running.peak_1s as f64)),
        process(|used| cores(used.mean_cores)),
        process(|used| cores(used.peak_cores)),
        process(|used| bytes(used.peak_bytes)),
        etcd(|size| bytes(size.db_bytes)),
        etcd(|size| count(size.keys.get(ALL).copied().unwrap_or_default())),
        Cell::new(count(figures.took_too_long)),
    ]
}

/// A p99, marked only where the objective is missed: a curve of greens says nothing.
fn latency_cell(took: &Quantiles, kind: CallKind) -> Cell {
    let cell = Cell::new(p99(took));
    if took.p99_ms > kind.objective_s() * 1e3 {
        Cell::judged(cell.text, false)
    } else {
        cell
    }
}

fn p99(took: &Quantiles) -> String {
    let more = if took.beyond { "> " } else { "" };
    format!("{more}{}", ms(took.p99_ms))
}

fn latency(measured: &Measured) -> Table {
    let latency = &measured.latency;
    let rows = latency.rows.iter().map(|row| {
        vec![
            Cell::new(row.title()),
            Cell::new(count(row.took.count)),
            Cell::new(ms(row.took.p50_ms)),
            Cell::new(ms(row.took.p90_ms)),
            Cell::new(p99(&row.took)),
            Cell::new(ms(row.judged_p99_ms)),
            Cell::new(ms(row.objective_ms)),
            Cell::new(row.slow.map_or_else(|| "–".to_owned(), count)),
            Cell::judged(if row.met { "met" } else { "missed" }, row.met),
        ]
    });
    let mut table = table(
        "API latency",
        &[
            "request:",
            "count",
            "p50",
            "p90",
            "p99",
            "judged p99",
            "objective",
            "slower",
            "verdict:",
        ],
        rows.collect(),
    );
    let missed = latency.rows.iter().filter(|row| !row.met).count();
    table.note = format!(
        "{missed} of {} kinds of request miss their objective ({}). Quantiles are of {}; judged by {}. A quantile of few \
         requests is that of a few.",
        latency.rows.len(),
        latency.objectives,
        latency.metric,
        latency.judged_metric
    );
    table.shown = missed.max(12);
    table
}

fn start_up(measured: &Measured) -> Table {
    let pods = &measured.pods;
    let spans = [
        ("made → scheduled", pods.create_to_schedule),
        ("scheduled → running", pods.schedule_to_run),
        ("started → seen to run", pods.run_to_watch),
        ("made → running", pods.start_up),
    ];
    let rows = spans.into_iter().filter_map(|(what, took)| {
        let took = took?;
        let mut row = vec![Cell::new(what), Cell::new(count(took.count))];
        let max = took.max_ms.unwrap_or(took.p99_ms);
        row.extend([took.p50_ms, took.p90_ms, took.p99_ms, max].map(|span| Cell::new(ms(span))));
        Some(row)
    });
    let mut table = table(
        "Pod start-up",
        &["from → to:", "pods", "p50", "p90", "p99", "max"],
        rows.collect(),
    );
    if let Some(met) = pods.met {
        let verdict = if met { "met" } else { "missed" };
        table.note = format!(
            "As a watch saw it. \"started\" has whole seconds, so up to one second is too much. The official objective, p99 \
             of {} for a cluster in a steady state, is {verdict}: under load, pods wait for their turn.",
            ms(pods.objective_ms)
        );
    }
    table
}

fn rates(measured: &Measured) -> Table {
    let pods = &measured.pods;
    let rows = [("scheduled", pods.schedule_rate), ("running", pods.run_rate)];
    let rows = rows
        .into_iter()
        .filter(|(_, rate)| rate.total > 0)
        .map(|(what, rate)| {
            vec![
                Cell::new(what),
                Cell::new(count(rate.total)),
                Cell::new(per_second(rate.mean_per_s)),
                Cell::new(per_second(rate.peak_10s_per_s)),
                Cell::new(per_second(rate.peak_1s as f64)),
            ]
        });
    table(
        "Pods a second",
        &["pods:", "in all", "mean", "peak of 10 s", "peak of 1 s"],
        rows.collect(),
    )
}

fn requests(run: &LoadRun) -> Table {
    let requests = &run.measured.requests;
    let mut rows = vec![vec![
        Cell::new("answered"),
        Cell::new(""),
        Cell::new(count(requests.total)),
    ]];
    let mut add = |what: &str, counts: &BTreeMap<String, u64>, trouble: bool| {
        rows.extend(counts.iter().map(|(which, &number)| {
            let number = if trouble {
                Cell::trouble(number)
            } else {
                Cell::new(count(number))
            };
            vec![Cell::new(what), Cell::new(which.clone()), number]
        }));
    };
    let bad = |code: &String| code.starts_with('5') || code == "429";
    let (wrong, right): (BTreeMap<_, _>, BTreeMap<_, _>) = requests
        .by_code
        .clone()
        .into_iter()
        .partition(|(code, _)| bad(code));
    add("answered with", &right, false);
    add("answered with", &wrong, true);
    add("rejected", &requests.rejected, true);
    add("broken off by the API server", &requests.terminated, true);
    add("ended before an answer", &requests.aborted, true);
    add("went on after their time limit", &requests.post_timeout, true);
    add("given up by the load test", &run.requests.failed, true);
    for (what, number) in [
        ("of the load test: answered", run.requests.ok),
        ("of the load test: sent again", run.requests.retried),
        ("being worked on, at most", requests.peak_in_flight),
        ("waiting, at most", requests.peak_in_queue),
    ] {
        rows.push(vec![Cell::new(what), Cell::new(""), Cell::new(count(number))]);
    }
    table("API requests", &["requests:", "which:", "count"], rows)
}

fn processes(measured: &Measured) -> Table {
    let rows = measured.processes.iter().map(|one| {
        vec![
            Cell::new(one.name.clone()),
            Cell::new(count(one.starts)),
            Cell::new(format!("{:.1} s", one.cpu_s)),
            Cell::new(cores(one.mean_cores)),
            Cell::new(cores(one.peak_cores)),
            Cell::new(bytes(one.mean_bytes)),
            Cell::new(bytes(one.peak_bytes)),
        ]
    });
    table(
        "Processes",
        &[
            "process:",
            "starts",
            "CPU time",
            "cores, mean",
            "cores, peak",
            "memory, mean",
            "memory, peak",
        ],
        rows.collect(),
    )
}

fn etcd(measured: &Measured) -> Table {
    let curve = &measured.etcd.curve;
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else {
        return table("etcd", &[], Vec::new());
    };
    let row = |what: &str, of: &dyn Fn(&EtcdSize) -> u64, shown: fn(u64) -> String| {
        let most = curve
            .iter()
            .map(|moment| of(&moment.size))
            .max()
            .unwrap_or_default();
        let values = [of(&first.size), most, of(&last.size)];
        std::iter::once(Cell::new(what))
            .chain(values.map(|value| Cell::new(shown(value))))
            .collect()
    };
    let mut rows: Vec<Vec<Cell>> = vec![
        row("database", &|size| size.db_bytes, bytes),
        row("of it in use", &|size| size.in_use_bytes, bytes),
    ];
    let keys = |name: &str, what: &str| {
        row(
            what,
            &|size| size.keys.get(name).copied().unwrap_or_default(),
            count,
        )
    };
    rows.push(keys(ALL, "keys in all"));
    let names = last.size.keys.keys().filter(|name| *name != ALL);
    rows.extend(names.map(|name| keys(name, name)));
    let mut table = table(
        "etcd",
        &["of what:", "at the start", "at most", "at the end"],
        rows,
    );
    table.note = measured
        .etcd
        .version
        .as_ref()
        .map(|version| format!("etcd {version}."))
        .unwrap_or_default();
    table
}

fn took_too_long(measured: &Measured) -> Table {
    let mut slow: Vec<_> = measured.took_too_long.by_prefix.iter().collect();
    slow.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.0.cmp(b.0)));
    let rows = slow.into_iter().map(|(prefix, slow)| {
        let mean = slow.sum_ms / slow.count.max(1) as f64;
        vec![
            Cell::new(prefix.clone()),
            Cell::new(count(slow.count)),
            Cell::new(ms(mean)),
            Cell::new(ms(slow.max_ms)),
        ]
    });
    let mut table = table(
        "Took too long",
        &["prefix:", "count", "mean", "max"],
        rows.collect(),
    );
    table.note = "Requests of which etcd's log says that they took too long: more than 100 ms.".to_owned();
    table.shown = 20;
    table
}

fn late(run: &LoadRun) -> Table {
    let steps = run.steps.iter().filter(|step| step.late_total > 0);
    let rows = steps.map(|step| {
        let left_out = step.late_total.saturating_sub(step.late.len() as u64);
        let more = (left_out > 0).then(|| format!("and {} more", count(left_out)));
        let names: Vec<String> = step.late.iter().cloned().chain(more).collect();
        vec![
            Cell::new(step.step.name()),
            Cell::trouble(step.late_total),
            Cell::new(names.join(", ")),
        ]
    });
    table("Late objects", &["step:", "late", "which:"], rows.collect())
}

fn cost(measured: &Measured) -> Table {
    let cost = &measured.cost;
    let rows = [
        ("looks at the API server's metrics", count(cost.samples)),
        ("of them without an answer", count(cost.failed_samples)),
        ("the longest answer", bytes(cost.peak_metrics_bytes)),
        ("a look, on average", ms(cost.mean_sample_ms)),
        ("a look, at most", ms(cost.peak_sample_ms)),
        ("counting etcd's keys, on average", ms(cost.mean_etcd_ms)),
        ("watch events of pods", count(cost.pod_events)),
    ];
    let rows = rows
        .into_iter()
        .map(|(what, value)| vec![Cell::new(what), Cell::new(value)]);
    table("What measuring took", &["of what:", ""], rows.collect())
}
