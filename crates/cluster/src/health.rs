//! Asking components for their health, over TLS with our own certificate authority.

use super::process::Process;
use super::site::Site;
use super::wait;
use crate::ProviderError;
use kubeclash_components::ComponentName;

/// Asks components for their health.
#[derive(Debug)]
pub(super) struct Health<'a> {
    client: reqwest::Client,
    site: &'a Site,
}

impl<'a> Health<'a> {
    /// Trusts the site's certificates and nobody else's.
    pub(super) fn new(site: &'a Site) -> Result<Self, ProviderError> {
        let failed = |why: String| ProviderError::Setup {
            what: "health checks".to_owned(),
            why,
        };
        let ca = reqwest::Certificate::from_pem(site.pki.ca.as_bytes()).map_err(|e| failed(e.to_string()))?;
        let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build();
        Ok(Self {
            client: client.map_err(|e| failed(e.to_string()))?,
            site,
        })
    }

    /// Waits until a component says on `/healthz` that it is healthy.
    pub(super) async fn wait(&self, process: &mut Process, port: u16) -> Result<(), ProviderError> {
        wait::until_ready(process, self.site.patience, || self.ask(port)).await
    }

    /// Whether a component says so now; if not, what it says instead.
    pub(super) async fn ask(&self, port: u16) -> Result<(), String> {
        let url = format!("https://localhost:{port}/healthz");
        let answer = self.client.get(&url).send().await;
        let answer = answer.map_err(|e| format!("/healthz: {e}"))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("/healthz: {}", answer.status()))
        }
    }

    /// Whether a component answers at the end of a run; if not, what it does instead.
    pub(super) async fn answers(&self, name: ComponentName, port: u16) -> Result<(), String> {
        match tokio::time::timeout(wait::ANSWER, self.ask(port)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(answer)) => Err(format!("{name} was not healthy at the end: {answer}")),
            Err(_) => {
                let waited = wait::ANSWER.as_secs();
                Err(format!(
                    "{name} hung at the end: no answer on /healthz within {waited} s"
                ))
            }
        }
    }
}
