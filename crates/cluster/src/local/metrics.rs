//! `metrics.k8s.io/v1beta1`, served in-process from the pods' CPU curves.
//!
//! metrics-server can't sample faster than every 10 s, and hollow pods burn nothing. This serves what
//! metrics-server would: every `RESOLUTION` it takes a sample of each container's CPU time as the kubelet last
//! measured it (`LAG` ago, not before the container's `FIRST` seconds), and a pod's usage is the rate between its last two samples. A pod younger than two
//! samples has no metric, which is what C1's staircase is made of (metrics-server `pkg/storage/pod.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use kube::Client;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::kubelet::{Container, Registry};
use super::usage::{Meter, Metered};
use crate::pki::Pki;
use crate::site::Site;
use crate::{ProviderError, metrics_api};
use kubeclash_timeline::Pace;

/// How often samples are taken, at the recorded pace (`--metric-resolution=10s` in the study).
const RESOLUTION: Duration = Duration::from_secs(10);
/// How old the kubelet's measurement is when it is sampled, at the recorded pace (cAdvisor measures every 10–15 s).
const LAG: Duration = Duration::from_secs(8);
/// How old a container is when the kubelet first measures it, at the recorded pace (cAdvisor's housekeeping interval).
///
/// With two samples 10 s apart, a pod has its first metric 28–38 s after its start; the study saw 26–32 s.
const FIRST: Duration = Duration::from_secs(10);

/// The metrics API of one cluster, from the CPU curves of its pods.
#[derive(Debug)]
struct Sampler {
    resolution: Duration,
    lag: Duration,
    first: Duration,
    registry: Registry,
    meter: Mutex<Meter>,
    pods: Mutex<BTreeMap<String, Sampled>>,
}

/// A pod's last two samples.
#[derive(Debug, Clone)]
struct Sampled {
    container: Container,
    previous: Option<Sample>,
    last: Sample,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// When the kubelet measured.
    at: Instant,
    date: jiff::Timestamp,
    /// CPU time since the container's start, in millicore-seconds.
    used: f64,
}

impl Sampler {
    fn sample(&self) {
        let now = Instant::now();
        let Some(at) = now.checked_sub(self.lag) else {
            return;
        };
        let date = jiff::Timestamp::now() - jiff::SignedDuration::try_from(self.lag).unwrap_or_default();
        let measured = lock(&self.meter).advance(at);
        let running: BTreeSet<String> = self.registry.lock().running.keys().cloned().collect();
        let mut pods = lock(&self.pods);
        pods.retain(|uid, _| running.contains(uid) && measured.contains_key(uid));
        for (uid, Metered { container, used }) in measured {
            let age = at.checked_duration_since(container.since);
            if !running.contains(&uid) || age.is_none_or(|age| age < self.first) {
                continue;
            }
            let last = Sample { at, date, used };
            pods.entry(uid)
                .and_modify(|sampled| {
                    sampled.previous = Some(sampled.last);
                    sampled.last = last;
                })
                .or_insert(Sampled {
                    container,
                    previous: None,
                    last,
                });
        }
    }

    /// The pods that have a metric, of one namespace or of all, as `PodMetrics`.
    fn metrics(&self, namespace: Option<&str>, selector: &BTreeMap<String, String>) -> Vec<Value> {
        let pods = lock(&self.pods);
        pods.values()
            .filter(|sampled| namespace.is_none_or(|namespace| namespace == sampled.container.namespace))
            .filter(|sampled| {
                selector
                    .iter()
                    .all(|(k, v)| sampled.container.labels.get(k) == Some(v))
            })
            .filter_map(pod_metrics)
            .collect()
    }

    /// What the pods of each node use together, as `NodeMetrics`.
    fn nodes(&self) -> Vec<Value> {
        let pods = lock(&self.pods);
        let mut nodes: BTreeMap<&str, (u64, String, String)> = BTreeMap::new();
        for sampled in pods.values() {
            let Some((nano, timestamp, window)) = usage(sampled) else {
                continue;
            };
            let node = nodes
                .entry(&sampled.container.node)
                .or_insert((0, timestamp, window));
            node.0 += nano;
        }
        nodes
            .into_iter()
            .map(|(name, (nano, timestamp, window))| {
                json!({"metadata": {"name": name, "creationTimestamp": timestamp}, "timestamp": timestamp, "window": window,
                       "usage": {"cpu": format!("{nano}n"), "memory": "0"}})
            })
            .collect()
    }
}

/// A panic elsewhere is no reason to lose what was measured.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nanocores, timestamp and window; `None` before the second sample.
fn usage(sampled: &Sampled) -> Option<(u64, String, String)> {
    let previous = sampled.previous?;
    let window = sampled.last.at.duration_since(previous.at);
    let nano = (sampled.last.used - previous.used) / window.as_secs_f64().max(1e-3) * 1e6;
    Some((
        nano as u64,
        sampled.last.date.to_string(),
        format!("{}ms", window.as_millis()),
    ))
}

fn pod_metrics(sampled: &Sampled) -> Option<Value> {
    let (nano, timestamp, window) = usage(sampled)?;
    let container = &sampled.container;
    let share = nano / container.names.len().max(1) as u64;
    let containers: Vec<Value> = container
        .names
        .iter()
        .map(|name| json!({"name": name, "usage": {"cpu": format!("{share}n"), "memory": "1Mi"}}))
        .collect();
    Some(json!({
        "metadata": {"name": container.pod, "namespace": container.namespace, "labels": container.labels,
                     "creationTimestamp": timestamp},
        "timestamp": timestamp, "window": window, "containers": containers}))
}

/// Serves the metrics API and registers it with the API server, in `tasks`. Returns when it answers through it.
pub(super) async fn serve(
    client: &Client,
    site: &Site,
    registry: Registry,
    pace: Pace,
    tasks: &mut JoinSet<()>,
) -> Result<(), ProviderError> {
    let failed = |why: String| ProviderError::Setup {
        what: "the metrics API".to_owned(),
        why,
    };
    let tls = tls(&site.pki).map_err(|e| failed(e.to_string()))?;
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .map_err(|e| failed(e.to_string()))?;
    let port = listener.local_addr().map_err(|e| failed(e.to_string()))?.port();
    let sampler = Arc::new(Sampler {
        resolution: pace.scale(RESOLUTION),
        lag: pace.scale(LAG),
        first: pace.scale(FIRST),
        meter: Mutex::new(Meter::new(&registry, pace)),
        registry,
        pods: Mutex::default(),
    });
    tasks.spawn(accept(
        listener,
        TlsAcceptor::from(Arc::new(tls)),
        routes(Arc::clone(&sampler)),
    ));
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(sampler.resolution);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            sampler.sample();
        }
    });
    metrics_api::register(client, site, port).await
}

fn routes(sampler: Arc<Sampler>) -> Router {
    type Asked = Query<BTreeMap<String, String>>;
    let pods = async |State(sampler): State<Arc<Sampler>>, Query(query): Asked| {
        list("PodMetricsList", sampler.metrics(None, &selector(&query)))
    };
    let pods_of =
        async |State(sampler): State<Arc<Sampler>>, Path(namespace): Path<String>, Query(query): Asked| {
            list(
                "PodMetricsList",
                sampler.metrics(Some(&namespace), &selector(&query)),
            )
        };
    let nodes = async |State(sampler): State<Arc<Sampler>>| list("NodeMetricsList", sampler.nodes());
    Router::new()
        .route("/apis/metrics.k8s.io/v1beta1", get(async || Json(resources())))
        .route("/apis/metrics.k8s.io/v1beta1/pods", get(pods))
        .route("/apis/metrics.k8s.io/v1beta1/nodes", get(nodes))
        .route(
            "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods",
            get(pods_of),
        )
        .with_state(sampler)
}

fn list(kind: &str, items: Vec<Value>) -> impl IntoResponse + use<> {
    Json(json!({"apiVersion": "metrics.k8s.io/v1beta1", "kind": kind, "metadata": {}, "items": items}))
}

/// The equality requirements of a `labelSelector`, which is all that an HPA's selector of `matchLabels` becomes.
fn selector(query: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let text = query.get("labelSelector").map_or("", String::as_str);
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.trim_start_matches('=').to_owned()))
        .collect()
}

fn resources() -> Value {
    let resource = |name: &str, kind: &str, namespaced: bool| json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"]});
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1",
           "resources": [resource("nodes", "NodeMetrics", false), resource("pods", "PodMetrics", true)]})
}

/// Only the API server's aggregation layer gets in: it has the front proxy's certificate.
fn tls(pki: &Pki) -> Result<rustls::ServerConfig, Box<dyn std::error::Error>> {
    let identity = pki.identity("serving")?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.file("front-proxy-ca.crt"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let front_proxy =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(front_proxy)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(identity.cert.as_bytes())?],
            PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?,
        )?;
    Ok(config)
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, routes: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (tls, routes) = (tls.clone(), routes.clone());
                connections.spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        let service = TowerToHyperService::new(routes);
                        let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
