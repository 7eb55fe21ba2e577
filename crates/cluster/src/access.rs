//! Clients of a cluster's API server, and their kubeconfigs.
//!
//! They know that cluster and nothing of the user's: no kubeconfig, no proxy, no environment is read.

use std::path::Path;

use http::{HeaderValue, Uri, header};
use kube::config::{AuthInfo, Kubeconfig};

use super::ProviderError;
use super::pki::Pki;

/// What kubeclash does in a scenario's steps are `kubectl`'s requests, and are named so.
pub(super) const KUBECTL: &str = concat!("kubectl/kubeclash-", env!("CARGO_PKG_VERSION"));

/// What it does in a kubelet's place.
pub(super) const KUBELET: &str = concat!("kubelet/kubeclash-", env!("CARGO_PKG_VERSION"));

/// A client that knows this cluster and nothing of the user's: no kubeconfig, no proxy, no environment is read. `agent`
/// is who it says it is.
pub(super) fn client(pki: &Pki, port: u16, agent: &str) -> Result<kube::Client, ProviderError> {
    let failed = |why: String| ProviderError::Setup {
        what: "client".to_owned(),
        why,
    };
    let url: Uri = format!("https://127.0.0.1:{port}")
        .parse()
        .map_err(|e| failed(format!("{e}")))?;
    let mut config = kube::Config::new(url);
    let ca = pem_to_der(&pki.ca).ok_or_else(|| failed("no certificate in ca.crt".to_owned()))?;
    config.root_cert = Some(vec![ca]);
    config.auth_info = AuthInfo {
        client_certificate: Some(pki.file("admin.crt").display().to_string()),
        client_key: Some(pki.file("admin.key").display().to_string()),
        ..AuthInfo::default()
    };
    config.read_timeout = None;
    // Who waits does so knowingly: a drain answers a disruption budget's 429 itself.
    config.default_retry = false;
    let agent = HeaderValue::from_str(agent).map_err(|e| failed(format!("user agent \"{agent}\": {e}")))?;
    config.headers.push((header::USER_AGENT, agent));
    kube::Client::try_from(config).map_err(|e| failed(e.to_string()))
}

/// The user agent of who is called so.
pub(super) fn agent(name: &str) -> String {
    format!("{name}/kubeclash-{}", env!("CARGO_PKG_VERSION"))
}

fn pem_to_der(pem: &str) -> Option<Vec<u8>> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes())
        .ok()
        .map(|der| der.to_vec())
}

/// Writes a kubeconfig for one of the identities; only its owner can read it.
pub(super) fn write_kubeconfig(pki: &Pki, identity: &str, port: u16, to: &Path) -> Result<(), ProviderError> {
    let failed = |why: String| ProviderError::Setup {
        what: format!("kubeconfig of {identity}"),
        why,
    };
    let config = kubeconfig(identity, port, pki.dir());
    // Read back as what clients will read it as.
    let _: Kubeconfig = serde_json::from_value(config.clone()).map_err(|e| failed(e.to_string()))?;
    super::pki::write(to, &kubeclash_host::yaml::text(&config)).map_err(|e| failed(e.to_string()))
}

/// A kubeconfig for one of the identities, whose certificates are seen in a folder.
pub(super) fn kubeconfig(identity: &str, port: u16, certificates: &Path) -> serde_json::Value {
    let file = |name: &str| certificates.join(name);
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "kubeclash",
        "clusters": [{"name": "kubeclash", "cluster": {
            "server": format!("https://127.0.0.1:{port}"), "certificate-authority": file("ca.crt")}}],
        "users": [{"name": identity, "user": {
            "client-certificate": file(&format!("{identity}.crt")),
            "client-key": file(&format!("{identity}.key"))}}],
        "contexts": [{"name": "kubeclash", "context": {"cluster": "kubeclash", "user": identity}}],
    })
}
