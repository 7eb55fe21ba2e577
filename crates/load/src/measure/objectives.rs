//! What the API server's latency is held against.

use super::api::Look;
use super::histogram::whole;
use super::measured::{CallKind, LatencyRow};

/// Where the objectives come from.
///
/// One object, read or changed: 1 s. More than one: 30 s. clusterloader2 judges the same
/// (`api_responsiveness_prometheus.go`); that lists of one namespace take 5 s at most is counted there, and not judged.
pub(super) const OBJECTIVES: &str = "https://github.com/kubernetes/community/blob/master/sig-scalability/slos/api_call_latency.md: \
     99 of 100 requests for one object within 1 s, lists within 30 s";

impl CallKind {
    /// How long 99 of 100 may take, seconds.
    #[must_use]
    pub const fn objective_s(self) -> f64 {
        match self {
            Self::Mutating | Self::Read => 1.0,
            Self::List => 30.0,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mutating => "mutating",
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

impl LatencyRow {
    /// What is called, in a few words: `PATCH pods/status resource`, `LIST deployments.apps cluster`.
    #[must_use]
    pub fn title(&self) -> String {
        let dotted = |mark: &str, part: &str| match part {
            "" => String::new(),
            part => format!("{mark}{part}"),
        };
        let (group, subresource) = (dotted(".", &self.group), dotted("/", &self.subresource));
        format!(
            "{} {}{group}{subresource} {}",
            self.verb, self.resource, self.scope
        )
    }
}

/// Every call, held against its objective; the worst first.
pub(super) fn rows(look: &Look) -> Vec<LatencyRow> {
    let rows = look.durations.iter().filter_map(|(call, durations)| {
        let kind = call.kind();
        let took = durations.quantiles()?;
        // The indicator leaves out some calls that are counted else.
        let judged = look
            .indicators
            .get(call)
            .filter(|indicator| indicator.count() > 0.0);
        let judged = judged.unwrap_or(durations);
        let p99 = judged.quantile(0.99)?;
        let objective = kind.objective_s();
        Some(LatencyRow {
            verb: call.verb.clone(),
            group: call.group.clone(),
            version: call.version.clone(),
            resource: call.resource.clone(),
            subresource: call.subresource.clone(),
            scope: call.scope.clone(),
            kind,
            took,
            judged_p99_ms: p99.value * 1e3,
            objective_ms: objective * 1e3,
            slow: judged.above(objective).map(whole),
            met: p99.value <= objective && !p99.beyond,
        })
    });
    let mut rows: Vec<LatencyRow> = rows.collect();
    // By how much of the objective is used; names last, so that the order is always the same.
    let share = |row: &LatencyRow| row.judged_p99_ms / row.objective_ms;
    rows.sort_by(|a, b| {
        (a.met.cmp(&b.met))
            .then(share(b).total_cmp(&share(a)))
            .then_with(|| {
                (
                    &a.resource,
                    &a.subresource,
                    &a.verb,
                    &a.scope,
                    &a.group,
                    &a.version,
                )
                    .cmp(&(
                        &b.resource,
                        &b.subresource,
                        &b.verb,
                        &b.scope,
                        &b.group,
                        &b.version,
                    ))
            })
    });
    rows
}
