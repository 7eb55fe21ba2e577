//! What the load test's own clients send: at a rate that is given and held, so many at once, each until it is done.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::Client;
use serde_json::json;

use super::objects::{Item, Kind};
use super::pods::GROUP;
use super::run::ClientRequests;

/// How long one answer is waited for, as clusterloader2's client does.
const ANSWER: Duration = Duration::from_secs(60);

/// How long a request is tried again, from when it was due: an API server that never comes back ends no step later than this.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long is waited before a request is sent again.
const PAUSE: Duration = Duration::from_millis(500);

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    /// Sets its size and its revision.
    Change,
    /// With what it owns, later.
    Delete,
}

/// A batch of requests.
pub(super) struct Batch<'a> {
    pub(super) deed: Deed,
    pub(super) items: &'a [Item],
    /// Requests a second, at most.
    pub(super) rate: f64,
    /// How many wait for an answer at once.
    pub(super) clients: usize,
}

/// A batch that is over.
pub(super) struct Done {
    pub(super) sent: ClientRequests,
    /// What was given up, in words.
    pub(super) lost: Vec<String>,
    /// Requests a second, as it was.
    pub(super) rate: f64,
}

impl Batch<'_> {
    /// Sends all of it; `tell` hears how many are done.
    pub(super) async fn send(&self, client: &Client, tell: &(dyn Fn(usize) + Sync)) -> Done {
        let start = Instant::now();
        let sent = Mutex::new(ClientRequests::default());
        let sent_here = &sent;
        // By number: of a closure that takes a reference the compiler can't tell that it may go from thread to thread.
        let requests = futures::stream::iter(0..self.items.len()).map(|n| {
            let due = start + Duration::from_secs_f64(n as f64 / self.rate);
            async move {
                tokio::time::sleep_until(due.into()).await;
                until_done(client, self.deed, &self.items[n], due, sent_here).await
            }
        });
        let mut answers = requests.buffer_unordered(self.clients);
        let (mut lost, mut done) = (Vec::new(), 0);
        while let Some(answer) = answers.next().await {
            lost.extend(answer.err());
            done += 1;
            tell(done);
        }
        drop(answers);
        let took = start.elapsed().as_secs_f64().max(1.0 / self.rate);
        Done {
            sent: sent.into_inner().unwrap_or_else(PoisonError::into_inner),
            lost,
            rate: self.items.len() as f64 / took,
        }
    }
}

/// Lists all pods of the load test, again and again, until it is dropped. What comes of it is the lists' own affair.
pub(super) async fn read(client: &Client, per_s: f64, clients: usize) {
    if clients == 0 || per_s <= 0.0 {
        return std::future::pending().await;
    }
    let start = Instant::now();
    let lists = futures::stream::iter(0_u64..).map(|n| async move {
        let due = start + Duration::from_secs_f64(n as f64 / per_s);
        tokio::time::sleep_until(due.into()).await;
        let request = http::Request::get(format!(
            "/api/v1/pods?labelSelector={}",
            GROUP.replace('=', "%3D")
        ));
        if let Ok(request) = request.body(Vec::new()) {
            // An overloaded API server's refusal is what the load is there for.
            let _ = tokio::time::timeout(ANSWER, client.request_text(request)).await;
        }
    });
    lists.buffer_unordered(clients).for_each(|()| async {}).await;
}

/// Sends a request again and again, until it is done or makes no sense any more.
async fn until_done(
    client: &Client,
    deed: Deed,
    item: &Item,
    due: Instant,
    sent: &Mutex<ClientRequests>,
) -> Result<(), String> {
    let note = |change: &dyn Fn(&mut ClientRequests)| {
        change(&mut sent.lock().unwrap_or_else(PoisonError::into_inner))
    };
    loop {
        let reason = match tokio::time::timeout(ANSWER, send(client, deed, item)).await {
            Ok(Ok(())) => {
                note(&|sent| sent.ok += 1);
                return Ok(());
            }
            Ok(Err(error)) if done_already(deed, &error) => {
                // An answer that was lost: the request itself was not.
                note(&|sent| sent.ok += 1);
                return Ok(());
            }
            Ok(Err(error)) => Reason::of(&error),
            Err(_) => Reason {
                name: "timed out".to_owned(),
                passes: true,
                said: format!("no answer within {} s", ANSWER.as_secs()),
            },
        };
        let again = reason.passes && due.elapsed() < PATIENCE;
        note(&|sent| {
            *sent.failed.entry(reason.name.clone()).or_default() += 1;
            sent.retried += u64::from(again);
        });
        if !again {
            return Err(format!("{}: {}", item.told(), reason.said));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends one request, once.
pub(super) async fn send(client: &Client, deed: Deed, item: &Item) -> Result<(), kube::Error> {
    let json = "application/json";
    let (request, body) = match deed {
        Deed::Create => {
            let to = item.kind.collection(&item.namespace);
            (http::Request::post(to), (json, item.body()))
        }
        Deed::Change => {
            let merge = "application/merge-patch+json";
            (http::Request::patch(item.path()), (merge, change(item)))
        }
        Deed::Delete => {
            let options =
                json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
            (http::Request::delete(item.path()), (json, options))
        }
    };
    let (kind, body) = body;
    let body = serde_json::to_vec(&body).map_err(kube::Error::SerdeError)?;
    let request = request.header(http::header::CONTENT_TYPE, kind).body(body);
    client
        .request_text(request.map_err(kube::Error::HttpError)?)
        .await
        .map(drop)
}

/// The patch that sets size and revision.
fn change(item: &Item) -> serde_json::Value {
    let body = item.body();
    match item.kind {
        Kind::Deployment => json!({"spec": {"replicas": item.size, "template": body["spec"]["template"]}}),
        Kind::StatefulSet => json!({"spec": {"replicas": item.size}}),
        Kind::Job => json!({"spec": {"parallelism": item.size}}),
        _ => body,
    }
}

fn done_already(deed: Deed, error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    match deed {
        Deed::Create => status.code == 409,
        Deed::Delete => status.code == 404,
        Deed::Change => false,
    }
}

/// Why a request was not done.
struct Reason {
    name: String,
    /// Whether it makes sense to send it again.
    passes: bool,
    said: String,
}

impl Reason {
    fn of(error: &kube::Error) -> Self {
        let said = error.to_string();
        let chain = chain(error).to_lowercase();
        let (name, passes) = match error {
            kube::Error::Api(status) => (
                status.code.to_string(),
                status.code == 429 || status.code >= 500 || status.code == 409 || status.code == 408,
            ),
            _ if chain.contains("connection refused") => ("connection refused".to_owned(), true),
            _ if chain.contains("connection reset") || chain.contains("closed") => {
                ("connection lost".to_owned(), true)
            }
            _ => ("not sent".to_owned(), true),
        };
        Self { name, passes, said }
    }
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
