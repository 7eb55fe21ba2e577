//! What the API server says of itself on `/metrics`: looks at it, and what was added from one look to the next.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kube::Client;

use super::exposition::{self, Labels, Read};
use super::histogram::{Histogram, increase};
use super::measured::CallKind;

/// How long the API server takes for an answer, as its clients see it.
pub(super) const DURATION: &str = "apiserver_request_duration_seconds";

/// The same without the time in webhooks and in queues, by its names since v1.26 and since v1.23.
pub(super) const INDICATORS: [&str; 2] = [
    "apiserver_request_sli_duration_seconds",
    "apiserver_request_slo_duration_seconds",
];

/// Counters that are added up, each by the label that tells its counts apart.
const COUNTERS: [(&str, Count, &str); 6] = [
    ("apiserver_request_total", Count::Code, "code"),
    (
        "apiserver_flowcontrol_rejected_requests_total",
        Count::Rejected,
        "reason",
    ),
    ("apiserver_dropped_requests_total", Count::Rejected, ""),
    ("apiserver_request_terminations_total", Count::Terminated, "code"),
    ("apiserver_request_aborts_total", Count::Aborted, "verb"),
    (
        "apiserver_request_post_timeout_total",
        Count::PostTimeout,
        "status",
    ),
];

const IN_FLIGHT: &str = "apiserver_current_inflight_requests";
const IN_QUEUE: &str = "apiserver_flowcontrol_current_inqueue_requests";
const STARTED: &str = "process_start_time_seconds";

/// Verbs that last: the official indicator leaves them out.
const LONG: [&str; 4] = ["WATCH", "WATCHLIST", "CONNECT", "PROXY"];

/// Subresources that last, as clusterloader2 leaves them out (`api_responsiveness_prometheus.go`).
const LONG_SUBRESOURCES: [&str; 5] = ["log", "exec", "portforward", "attach", "proxy"];

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Count {
    Code,
    Rejected,
    Terminated,
    Aborted,
    PostTimeout,
}

/// One kind of call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) verb: String,
    pub(super) group: String,
    pub(super) version: String,
    pub(super) resource: String,
    pub(super) subresource: String,
    pub(super) scope: String,
}

impl Call {
    /// The call of a line's labels; `None` for what lasts, and for what asks for no resource (`/livez`).
    fn of(labels: Labels<'_>) -> Option<Self> {
        let mut call = Self {
            verb: String::new(),
            group: String::new(),
            version: String::new(),
            resource: String::new(),
            subresource: String::new(),
            scope: String::new(),
        };
        for (name, value) in labels.iter() {
            let field = match name {
                "verb" => &mut call.verb,
                "group" => &mut call.group,
                "version" => &mut call.version,
                "resource" => &mut call.resource,
                "subresource" => &mut call.subresource,
                "scope" => &mut call.scope,
                _ => continue,
            };
            *field = value.into_owned();
        }
        let lasts = LONG.contains(&call.verb.as_str())
            || call
                .subresource
                .split('/')
                .any(|part| LONG_SUBRESOURCES.contains(&part));
        (!lasts && !call.resource.is_empty()).then_some(call)
    }

    /// What an objective takes it for.
    ///
    /// By verb: releases up to v1.16 count the creation of one object to the scope "namespace".
    pub(super) fn kind(&self) -> CallKind {
        match self.verb.as_str() {
            "LIST" | "DELETECOLLECTION" => CallKind::List,
            // A collection is deleted by the same method as an object.
            "DELETE" if self.scope != "resource" => CallKind::List,
            "GET" => CallKind::Read,
            _ => CallKind::Mutating,
        }
    }
}

/// Histograms by call.
pub(super) type Calls = HashMap<Call, Histogram>;

/// Counts, by what is counted and the label that tells them apart.
pub(super) type Counts = BTreeMap<(Count, String), f64>;

/// One look at `/metrics`; or what was added between two.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Look {
    pub(super) durations: Calls,
    pub(super) indicators: Calls,
    /// The indicator that there is.
    pub(super) indicator: Option<&'static str>,
    pub(super) counts: Counts,
    pub(super) in_flight: Option<f64>,
    pub(super) in_queue: Option<f64>,
    pub(super) started: Option<f64>,
}

/// Lines of the same histogram stand together: their labels are taken apart once.
#[derive(Default)]
struct Reader {
    look: Look,
    series: String,
    call: Option<Call>,
}

impl Look {
    /// Asks the API server.
    ///
    /// # Errors
    /// When it does not answer in time, or the answer breaks off.
    pub(super) async fn take(client: &Client, patience: Duration) -> Result<(Self, Read), String> {
        let request = http::Request::get("/metrics")
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        let asked = async {
            let answer = client
                .request_stream(request)
                .await
                .map_err(|error| error.to_string())?;
            let mut reader = Reader::default();
            let read = exposition::read(answer, wanted, |sample| reader.see(&sample)).await;
            Ok((reader.look, read.map_err(|error| error.to_string())?))
        };
        tokio::time::timeout(patience, asked)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", patience.as_secs())))
    }

    /// What was added since an earlier look, and whether the API server began anew in between.
    ///
    /// Its start time tells that exactly; a count that has gone down tells it where there is none.
    pub(super) fn since(&self, earlier: &Self) -> (Self, bool) {
        let restarted = match (self.started, earlier.started) {
            (Some(now), Some(before)) => now != before,
            _ => false,
        };
        if restarted {
            return (self.clone(), true);
        }
        let calls = |now: &Calls, before: &Calls| {
            let since = now.iter().map(|(call, histogram)| {
                let added = before
                    .get(call)
                    .map_or_else(|| histogram.clone(), |earlier| histogram.since(earlier));
                (call.clone(), added)
            });
            since.filter(|(_, added)| added.count() > 0.0).collect()
        };
        let counts = self.counts.iter().map(|(key, &now)| {
            let before = earlier.counts.get(key).copied().unwrap_or_default();
            (key.clone(), increase(now, before))
        });
        let added = Self {
            durations: calls(&self.durations, &earlier.durations),
            indicators: calls(&self.indicators, &earlier.indicators),
            counts: counts.filter(|(_, added)| *added > 0.0).collect(),
            indicator: self.indicator,
            in_flight: self.in_flight,
            in_queue: self.in_queue,
            started: self.started,
        };
        (added, false)
    }

    /// Adds what was added at another time.
    pub(super) fn absorb(&mut self, added: &Self) {
        for (into, from) in [
            (&mut self.durations, &added.durations),
            (&mut self.indicators, &added.indicators),
        ] {
            for (call, histogram) in from {
                into.entry(call.clone()).or_default().absorb(histogram);
            }
        }
        for (key, count) in &added.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
        self.indicator = added.indicator.or(self.indicator);
    }

    /// All calls of a kind together.
    pub(super) fn kinds(&self) -> BTreeMap<CallKind, Histogram> {
        let mut kinds: BTreeMap<CallKind, Histogram> = BTreeMap::new();
        for (call, histogram) in &self.durations {
            kinds.entry(call.kind()).or_default().absorb(histogram);
        }
        kinds
    }

    /// The counts of one thing, by its label.
    pub(super) fn counted(&self, what: Count) -> impl Iterator<Item = (&str, f64)> {
        self.counts
            .iter()
            .filter(move |((of, _), _)| *of == what)
            .map(|((_, label), count)| (label.as_str(), *count))
    }
}

/// Whether a metric is looked at.
fn wanted(name: &str) -> bool {
    let buckets = name.strip_suffix("_bucket");
    buckets.is_some_and(|name| name == DURATION || INDICATORS.contains(&name))
        || COUNTERS.iter().any(|(counter, ..)| *counter == name)
        || [IN_FLIGHT, IN_QUEUE, STARTED].contains(&name)
}

impl Reader {
    fn see(&mut self, sample: &exposition::Sample<'_>) {
        let look = &mut self.look;
        match sample.name {
            IN_FLIGHT => *look.in_flight.get_or_insert_default() += sample.value,
            IN_QUEUE => *look.in_queue.get_or_insert_default() += sample.value,
            STARTED => look.started = Some(sample.value),
            name => match name.strip_suffix("_bucket") {
                Some(histogram) => self.bucket(histogram, sample),
                None => self.counter(sample),
            },
        }
    }

    fn counter(&mut self, sample: &exposition::Sample<'_>) {
        let counter = COUNTERS.iter().find(|(name, ..)| *name == sample.name);
        if let Some(&(_, what, label)) = counter {
            let value = match label {
                "" => "limit".to_owned(),
                label => sample.labels.get(label).into_owned(),
            };
            *self.look.counts.entry((what, value)).or_default() += sample.value;
        }
    }

    fn bucket(&mut self, histogram: &str, sample: &exposition::Sample<'_>) {
        let Some((series, bound)) = sample.labels.without_bound() else {
            return;
        };
        let Ok(bound) = bound.parse::<f64>() else {
            return;
        };
        if self.series != series {
            series.clone_into(&mut self.series);
            self.call = Call::of(sample.labels);
        }
        let Some(call) = &self.call else {
            return;
        };
        let into = match INDICATORS.iter().find(|name| **name == histogram) {
            Some(indicator) => {
                self.look.indicator = Some(indicator);
                &mut self.look.indicators
            }
            None => &mut self.look.durations,
        };
        match into.get_mut(call) {
            Some(histogram) => histogram.add(bound, sample.value),
            None => into.entry(call.clone()).or_default().add(bound, sample.value),
        }
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
