//! An API server in memory, for tests: it lists, watches and forgets as the real one does, and fails when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::channel::mpsc;
use http::{Request, Response, StatusCode};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

type Stream = mpsc::UnboundedSender<Result<Bytes, io::Error>>;

/// The paths of its collections.
pub(super) const PODS: &str = "/api/v1/pods";

/// An API server in memory.
#[derive(Clone, Default)]
pub(super) struct Server(Arc<Mutex<Collections>>);

#[derive(Default)]
struct Collections {
    version: u64,
    by_path: BTreeMap<String, Collection>,
    /// What discovery answers, by path.
    apis: BTreeMap<String, Value>,
}

#[derive(Default)]
struct Collection {
    objects: BTreeMap<String, Value>,
    /// Every change, and its version.
    history: Vec<(u64, Value)>,
    /// Of changes up to here nothing is known any more.
    forgotten: u64,
    streams: Vec<Stream>,
    /// Requests that are refused, and how.
    refused: BTreeMap<Asks, u16>,
    /// Whether requests for changes are answered, and ended at once.
    ends_at_once: bool,
    /// Changes that are written down, and not told yet.
    held: Option<Vec<Value>>,
    asked: watch::Sender<BTreeMap<Asks, usize>>,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asks {
    List,
    /// A list of metadata only: what there is at the end.
    Metadata,
    Changes,
}

impl Server {
    fn lock(&self) -> MutexGuard<'_, Collections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at<T>(&self, path: &str, change: impl FnOnce(&mut Collection) -> T) -> T {
        change(self.lock().by_path.entry(path.to_owned()).or_default())
    }

    pub(super) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let answer = server.answer(&request);
            async move { Ok::<_, io::Error>(answer) }
        });
        Client::new(service, "default")
    }

    /// Makes or changes an object; its version.
    pub(super) fn put(&self, path: &str, object: Value) -> u64 {
        self.change(path, object, false)
    }

    /// Deletes an object.
    pub(super) fn delete(&self, path: &str, object: Value) {
        self.change(path, object, true);
    }

    fn change(&self, path: &str, mut object: Value, delete: bool) -> u64 {
        let mut all = self.lock();
        all.version += 1;
        let version = all.version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let uid = object["metadata"]["uid"].as_str().unwrap().to_owned();
        let here = all.by_path.entry(path.to_owned()).or_default();
        let kind = if delete {
            here.objects.remove(&uid);
            "DELETED"
        } else if here.objects.insert(uid, object.clone()).is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        let event = json!({"type": kind, "object": object});
        here.history.push((version, event.clone()));
        match &mut here.held {
            Some(held) => held.push(event),
            None => here.tell(&event),
        }
        version
    }

    /// Sends something to whoever watches, though nothing has changed.
    pub(super) fn tell(&self, path: &str, event: &Value) {
        self.at(path, |here| here.tell(event));
    }

    /// The last change, as it was told.
    pub(super) fn last(&self, path: &str) -> Value {
        self.at(path, |here| here.history.last().unwrap().1.clone())
    }

    /// Forgets what has changed so far: a watch that resumes has to list again.
    pub(super) fn compact(&self, path: &str) {
        let version = self.lock().version;
        self.at(path, |here| here.forgotten = version);
    }

    /// Ends the connections of those who watch; with an error, or without.
    pub(super) fn cut(&self, path: &str, error: Option<io::ErrorKind>) {
        self.at(path, |here| {
            for stream in here.streams.drain(..) {
                if let Some(error) = error {
                    let _ = stream.unbounded_send(Err(error.into()));
                }
            }
        });
    }

    /// Answers such requests with this from now on; `None` for as it should be.
    pub(super) fn refuse(&self, path: &str, asks: Asks, code: Option<u16>) {
        self.at(path, |here| match code {
            Some(code) => drop(here.refused.insert(asks, code)),
            None => drop(here.refused.remove(&asks)),
        });
    }

    /// Answers requests for changes, and ends the answer at once.
    pub(super) fn end_at_once(&self, path: &str) {
        self.at(path, |here| here.ends_at_once = true);
    }

    /// Writes changes down, and does not tell of them until they are released.
    pub(super) fn hold(&self, path: &str) {
        self.at(path, |here| here.held = Some(Vec::new()));
    }

    /// Tells of what was held.
    pub(super) fn release(&self, path: &str) {
        self.at(path, |here| {
            for event in here.held.take().into_iter().flatten() {
                here.tell(&event);
            }
        });
    }

    /// Says of a group and version which kinds it has.
    pub(super) fn serve(&self, path: &str, group_version: &str, resources: Value) {
        let list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
        self.lock().apis.insert(path.to_owned(), list);
    }

    /// How often was asked so.
    pub(super) fn count(&self, path: &str, asks: Asks) -> usize {
        self.at(path, |here| here.asked.borrow().get(&asks).copied().unwrap_or(0))
    }

    /// Returns when was asked so, at least this often.
    pub(super) async fn asked(&self, path: &str, asks: Asks, often: usize) {
        let mut asked = self.at(path, |here| here.asked.subscribe());
        let enough = asked.wait_for(|asked| asked.get(&asks).copied().unwrap_or(0) >= often);
        let in_time = tokio::time::timeout(Duration::from_secs(60), enough).await;
        drop(in_time.expect("it is asked so within a minute").unwrap());
    }

    fn answer(&self, request: &Request<kube::client::Body>) -> Response<Body> {
        let path = request.uri().path();
        let parts: BTreeSet<&str> = request.uri().query().unwrap_or_default().split('&').collect();
        let accepts = request
            .headers()
            .get("accept")
            .and_then(|accepts| accepts.to_str().ok());
        let asks = if parts.contains("watch=true") {
            Asks::Changes
        } else if accepts.is_some_and(|accepts| accepts.contains("PartialObjectMetadataList")) {
            Asks::Metadata
        } else {
            Asks::List
        };
        if let Some(api) = self.lock().apis.get(path) {
            return answer(200, &api.to_string());
        }
        if path.split('/').count() < 4 || (path.starts_with("/apis/") && path.split('/').count() < 5) {
            return answer(404, &status(404));
        }
        let version = self.lock().version;
        self.at(path, |here| {
            here.asked
                .send_modify(|asked| *asked.entry(asks).or_default() += 1);
            if let Some(code) = here.refused.get(&asks) {
                return answer(*code, &status(*code));
            }
            if asks == Asks::Changes {
                let from = parts
                    .iter()
                    .find_map(|part| part.strip_prefix("resourceVersion="));
                return here.stream(from.and_then(|from| from.parse().ok()).unwrap_or(0));
            }
            let items: Vec<&Value> = here.objects.values().collect();
            let list = json!({"kind": "List", "apiVersion": "v1", "items": items,
                "metadata": {"resourceVersion": version.to_string()}});
            answer(200, &list.to_string())
        })
    }
}

impl Collection {
    fn tell(&mut self, event: &Value) {
        let line = Bytes::from(format!("{event}\n"));
        self.streams
            .retain(|stream| stream.unbounded_send(Ok(line.clone())).is_ok());
    }

    fn stream(&mut self, from: u64) -> Response<Body> {
        let (stream, lines) = mpsc::unbounded();
        let send = |event: &Value| {
            stream
                .unbounded_send(Ok(Bytes::from(format!("{event}\n"))))
                .unwrap()
        };
        if from < self.forgotten {
            let gone: Value = serde_json::from_str(&status(410)).unwrap();
            send(&json!({"type": "ERROR", "object": gone}));
        } else {
            for (_, event) in self.history.iter().filter(|(version, _)| *version > from) {
                send(event);
            }
            if !self.ends_at_once {
                self.streams.push(stream);
            }
        }
        Response::new(Body::from_stream(lines))
    }
}

fn status(code: u16) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": "Test", "message": format!("the test says {code}")})
    .to_string()
}

fn answer(code: u16, body: &str) -> Response<Body> {
    let mut answer = Response::new(Body::from(body.to_owned()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer
}
