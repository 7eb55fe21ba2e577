//! The descheduler out of its image, from the reference registry in a container.
//!
//! What a registry really answers; what can be wrong with an answer is in `component_image`. Needs Docker, and says
//! `NOT RUN` where there is none; with `KUBECLASH_REQUIRE_DOCKER=1` that is a failure.

use std::time::Duration;

use kubeclash::component::{ComponentError, ComponentName, Origin, Selection, Spec};
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use serde_json::{Value, json};
use tempfile::tempdir;
use testcontainers::bollard::models::PortBinding;
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::time::timeout;

use crate::component_site::{Lines, digest, layer, resolver, sha256, version};
use crate::docker_images::{docker, not_run};

const IMAGE: (&str, &str) = ("registry", "3.0.0");
const PORT: ContainerPort = ContainerPort::Tcp(5000);
const REPOSITORY: &str = "descheduler/descheduler";

/// The image has 20 MB.
const PULL: Duration = Duration::from_secs(180);

/// A registry; its container ends with it, in a panic as well.
struct Registry {
    container: ContainerAsync<GenericImage>,
    address: String,
}

impl Registry {
    /// A fresh one on a free port of loopback, or why there cannot be one here.
    async fn up() -> Result<Self, String> {
        let docker = docker().await?;
        let (name, tag) = IMAGE;
        let request = GenericImage::new(name, tag)
            .with_exposed_port(PORT)
            .with_wait_for(WaitFor::message_on_stderr("listening on"))
            .with_host_config_modifier(|host| {
                let loopback = PortBinding {
                    host_ip: Some("127.0.0.1".to_owned()),
                    host_port: None,
                };
                host.publish_all_ports = Some(false);
                host.port_bindings = Some([(PORT.to_string(), Some(vec![loopback]))].into());
            });
        let request = match docker.inspect_image(&format!("{name}:{tag}")).await {
            Ok(_) => request,
            Err(missing) => timeout(PULL, request.pull_image())
                .await
                .map_err(|_| format!("{missing}, and it was not pulled within {PULL:?}"))?
                .map_err(|error| format!("{missing}, and {error}"))?,
        };
        // From here on Docker has all that it needs: what goes wrong now is a failure.
        let container = request.start().await.unwrap();
        let host = container.get_host().await.unwrap().to_string();
        if !["localhost", "127.0.0.1"].contains(&host.as_str()) {
            return Err(format!(
                "Docker is at {host}, and does not share loopback with this test"
            ));
        }
        let port = container.get_host_port_ipv4(PORT).await.unwrap();
        Ok(Self {
            container,
            address: format!("127.0.0.1:{port}"),
        })
    }

    /// Pushes an image for two architectures, each with its own binary, and returns the digests of their manifests.
    async fn push(&self, tag: &str, binaries: [(&str, &[u8]); 2]) -> [String; 2] {
        let client = client();
        let repository = format!("{}/{REPOSITORY}", self.address);
        let manifests = binaries.map(|(arch, binary)| (arch, layer(&[("bin/descheduler", binary)])));
        let mut digests = Vec::new();
        let mut entries = Vec::new();
        for (arch, layer) in &manifests {
            let config = serde_json::to_vec(&json!({"architecture": arch, "os": "linux"})).unwrap();
            let manifest = serde_json::to_vec(&json!({
                "schemaVersion": 2,
                "mediaType": OCI_IMAGE_MEDIA_TYPE,
                "config": described(IMAGE_CONFIG_MEDIA_TYPE, &config),
                "layers": [described(IMAGE_LAYER_GZIP_MEDIA_TYPE, layer)],
            }))
            .unwrap();
            let place = format!("{repository}@{}", digest(&manifest)).parse().unwrap();
            for blob in [&config, layer] {
                client
                    .push_blob(&place, blob.clone(), &digest(blob))
                    .await
                    .unwrap();
            }
            let mut entry = described(OCI_IMAGE_MEDIA_TYPE, &manifest);
            entry["platform"] = json!({"os": "linux", "architecture": arch});
            entries.push(entry);
            digests.push(digest(&manifest));
            let kind = OCI_IMAGE_MEDIA_TYPE.parse().unwrap();
            client.push_manifest_raw(&place, manifest, kind).await.unwrap();
        }
        let index =
            json!({"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE, "manifests": entries});
        let place = format!("{repository}:{tag}").parse().unwrap();
        let kind = OCI_IMAGE_INDEX_MEDIA_TYPE.parse().unwrap();
        client
            .push_manifest_raw(&place, serde_json::to_vec(&index).unwrap(), kind)
            .await
            .unwrap();
        digests.try_into().unwrap()
    }

    async fn down(self) {
        self.container.rm().await.unwrap();
    }
}

/// A client that pushes over plain HTTP.
fn client() -> Client {
    // Fails when another test has chosen already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        // Keeps it from asking the environment for a proxy, which could not reach loopback on our behalf.
        http_proxy: Some("http://127.0.0.1:9".to_owned()),
        no_proxy: Some("127.0.0.1".to_owned()),
        ..ClientConfig::default()
    })
}

fn described(kind: &str, blob: &[u8]) -> Value {
    json!({"mediaType": kind, "size": blob.len(), "digest": digest(blob)})
}

/// Bytes that gzip cannot shrink, so that a layer comes in more than one piece.
fn noise(seed: u64) -> Vec<u8> {
    std::iter::successors(Some(seed), |last| {
        let mut next = *last;
        next ^= next << 13;
        next ^= next >> 7;
        next ^= next << 17;
        Some(next)
    })
    .take(128 * 1024)
    .flat_map(u64::to_le_bytes)
    .collect()
}

#[tokio::test]
async fn a_descheduler_comes_out_of_an_image_in_a_real_registry() {
    let registry = match Registry::up().await {
        Ok(registry) => registry,
        Err(why) => return not_run("a descheduler out of a real registry", &why),
    };
    let (amd, arm) = (noise(0xA3D), noise(0xA53));
    let [_, amd_digest] = registry.push("v0.36.0", [("arm64", &arm), ("amd64", &amd)]).await;

    let cache = tempdir().unwrap();
    let lines = Lines::default();
    let wanted = [ComponentName::Descheduler];
    let pinned = Selection::default();
    let first = resolver(cache.path(), &registry.address, &lines);
    let binaries = first.resolve(&pinned, &wanted).await.unwrap();
    let binary = &binaries[&ComponentName::Descheduler];
    assert!(
        std::fs::read(binary.file().unwrap()).unwrap() == amd,
        "other bytes"
    );
    assert_eq!(binary.sha256, sha256(&amd));
    let reference = format!("{}/{REPOSITORY}:v0.36.0", registry.address);
    let origin = Origin::Image {
        reference: reference.clone(),
        digest: amd_digest,
    };
    assert_eq!(binary.origin, origin);

    let absent = Spec::Release(version("v0.35.9"));
    let absent = Selection::default().with(ComponentName::Descheduler, absent);
    let error = first.resolve(&absent, &wanted).await.unwrap_err();
    assert!(matches!(error, ComponentError::Unavailable { .. }), "{error:?}");
    let notice = format!("there is no {} (404)", reference.replace("v0.36.0", "v0.35.9"));
    assert!(error.to_string().contains(&notice), "{error}");
    assert!(lines.text().contains(&notice), "{}", lines.text());

    // With nobody left to ask, and nothing known from before, only the cache can have it.
    let address = registry.address.clone();
    registry.down().await;
    let second = resolver(cache.path(), &address, &lines);
    assert_eq!(second.resolve(&pinned, &wanted).await.unwrap(), binaries);
}
