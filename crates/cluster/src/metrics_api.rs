//! The metrics API, made known to the API server that asks it on behalf of others.

use std::time::{Duration, Instant};

use kube::Client;
use serde_json::{Value, json};

use super::ProviderError;
use super::site::Site;

/// Registers what serves metrics on `localhost`, as the API server sees it, and waits until it is reached.
///
/// An `APIService` over a Service of type ExternalName: works without kube-proxy.
pub(super) async fn register(client: &Client, site: &Site, port: u16) -> Result<(), ProviderError> {
    let api = |what: &str, source: kube::Error| ProviderError::Api {
        what: what.to_owned(),
        source: Box::new(source),
    };
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}});
    let registration = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
                 "service": {"name": "metrics-server", "namespace": "kube-system", "port": port},
                 "caBundle": base64(site.pki.ca.as_bytes())}});
    for (path, object) in [
        ("/api/v1/namespaces/kube-system/services", service),
        ("/apis/apiregistration.k8s.io/v1/apiservices", registration),
    ] {
        let request = http::Request::post(path)
            .header("content-type", "application/json")
            .body(object.to_string().into_bytes());
        let request = request.map_err(|e| api("register the metrics API", kube::Error::HttpError(e)))?;
        client
            .request::<Value>(request)
            .await
            .map_err(|e| api("register the metrics API", e))?;
    }
    let start = Instant::now();
    loop {
        let request = http::Request::get("/apis/metrics.k8s.io/v1beta1/nodes").body(Vec::new());
        let request = request.map_err(|e| api("ask the metrics API", kube::Error::HttpError(e)))?;
        match client.request::<Value>(request).await {
            Ok(_) => return Ok(()),
            Err(e) if start.elapsed() > site.patience => {
                return Err(api("reach the metrics API", e));
            }
            // The aggregation layer looks at a new APIService when it gets to it; there is nothing to watch but its answer.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
