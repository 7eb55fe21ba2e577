//! kube-apiserver, and clients of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::Process;
use crate::site::Site;
use crate::{ClusterSpec, ProviderError, audit, wait};

/// Where an API server's audit log lies that keeps one.
pub(super) fn audit_log(site: &Site) -> PathBuf {
    site.log("audit")
}

/// The flags of an API server that writes down who changed what.
pub(super) fn audit_flags(site: &Site, spec: &ClusterSpec) -> Result<Vec<String>, ProviderError> {
    let policy = site.write("audit-policy.yaml", &audit::policy(spec))?;
    let mut flags = vec![
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", audit_log(site).display()),
    ];
    flags.extend(audit::FLAGS.map(|(flag, value)| format!("--{flag}={value}")));
    Ok(flags)
}

/// The arguments of an API server, with some more at the end; [`wait`] waits for it.
///
/// Everything that a verdict could depend on is at its default; what is switched off is what costs start-up time
/// and has nobody to serve here (authorization of our own components, priority and fairness) or would need more
/// certificates than it is worth (service account admission).
pub(super) fn args(site: &Site, port: u16, etcd: u16, more: Vec<String>) -> Vec<String> {
    let file = |name: &str| site.pki.file(name).display().to_string();
    let mut args = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", file("serving.crt")),
        format!("--tls-private-key-file={}", file("serving.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        "--anonymous-auth=false".to_owned(),
        "--authorization-mode=AlwaysAllow".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!(
            "--service-account-signing-key-file={}",
            file("service-accounts.key")
        ),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--enable-priority-and-fairness=false".to_owned(),
        format!("--requestheader-client-ca-file={}", file("front-proxy-ca.crt")),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        format!("--proxy-client-cert-file={}", file("front-proxy.crt")),
        format!("--proxy-client-key-file={}", file("front-proxy.key")),
        "--enable-aggregator-routing=false".to_owned(),
        "--profiling=false".to_owned(),
    ];
    args.extend(more);
    args
}

/// Everything that the API server calls ready.
pub(super) const READY: &str = "/readyz";

/// That it answers. Other components can start then; its start hooks go on meanwhile, and the slowest of them only
/// sleeps (a second, before it looks for priority classes: pkg/registry/scheduling/rest/storage_scheduling.go).
pub(super) const ANSWERING: &str = "/version";

/// Waits until the API server says that it is [`READY`] or [`ANSWERING`]; without its etcd it never will be.
pub(super) async fn wait(
    process: &mut Process,
    etcd: &mut Process,
    client: &kube::Client,
    patience: Duration,
    what: &str,
) -> Result<(), ProviderError> {
    wait::until_ready_on(process, Some(etcd), patience, || async {
        let request = http::Request::get(what)
            .body(Vec::new())
            .map_err(|e| e.to_string())?;
        match client.request_text(request).await {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("{what}: {}", failing(&e.to_string()))),
        }
    })
    .await
}

/// The checks that fail, out of the answer's long list of all.
fn failing(answer: &str) -> String {
    let failing: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.split_once("[-]")?.1.split_whitespace().next())
        .collect();
    if failing.is_empty() {
        answer.lines().next().unwrap_or_default().to_owned()
    } else {
        format!("not yet {}", failing.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_checks_those_that_fail_are_told() {
        let answer =
            "ApiError: [+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\n[-]poststarthook/x failed\n";
        assert_eq!(failing(answer), "not yet etcd, poststarthook/x");
        assert_eq!(failing("connection refused\n: more"), "connection refused");
    }
}
