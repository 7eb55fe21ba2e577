//! The descheduler out of its image, from the reference registry in a container.
//!
//! What a registry really answers; what can be wrong with an answer is in `component_image`. Needs Docker, and says
//! `NOT RUN` where there is none; with `KUBECLASH_REQUIRE_DOCKER=1` that is a failure. Where the registry's image can't
//! be pulled, it is made of the program that `KUBECLASH_TEST_REGISTRY` names (`.ci/docker` does).

use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt;
use kubeclash_components::{ComponentError, ComponentName, Origin, Selection, Spec};
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use serde_json::{Value, json};
use tempfile::tempdir;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::PortBinding;
use testcontainers::bollard::query_parameters::{
    PushImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::component_site::{Lines, digest, layer, resolver, sha256, version};
use crate::docker_images::{Made, docker, not_run, program};

const IMAGE: (&str, &str) = ("registry", "3.0.0");
const PORT: ContainerPort = ContainerPort::Tcp(5000);
const REPOSITORY: &str = "descheduler/descheduler";

/// The image has 20 MB.
const PULL: Duration = Duration::from_secs(180);

/// A registry; its container ends with it, in a panic as well.
pub(crate) struct Registry {
    container: ContainerAsync<GenericImage>,
    address: String,
    docker: Docker,
    /// What it was made of, if it was not pulled; goes after its container.
    _made: Option<Made>,
}

/// The reference registry out of a program on this machine, with the libraries that it is linked to.
async fn made(docker: &Docker, program: &Path) -> Made {
    let linked = std::process::Command::new("ldd").arg(program).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    let libraries = linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(|library| (library, Path::new(library)));
    let dir = tempdir().unwrap();
    let config = dir.path().join("config.yml");
    std::fs::write(&config, CONFIG).unwrap();
    let files: Vec<_> = [("/registry", program), ("/config.yml", &*config)]
        .into_iter()
        .chain(libraries)
        .collect();
    let how = json!({"Entrypoint": ["/registry", "serve", "/config.yml"], "ExposedPorts": {"5000/tcp": {}}});
    Made::of(docker, "registry", &files, &how).await
}

const CONFIG: &str =
    "{version: 0.1, storage: {filesystem: {rootdirectory: /var/lib/registry}}, http: {addr: ':5000'}}";

impl Registry {
    /// A fresh one on a free port of loopback, or why there cannot be one here.
    pub(crate) async fn up() -> Result<Self, String> {
        let docker = docker().await?;
        let program = std::env::var_os("KUBECLASH_TEST_REGISTRY").filter(|program| !program.is_empty());
        let made = match &program {
            Some(program) => Some(made(&docker, Path::new(program)).await),
            None => None,
        };
        let own = made.as_ref().and_then(|made| made.reference().split_once(':'));
        let (name, tag) = own.unwrap_or(IMAGE);
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
        let port = container.get_host_port_ipv4(PORT).await.unwrap();
        // Asked for its host, testcontainers goes by whether this looks like a container.
        TcpStream::connect(("127.0.0.1", port))
            .await
            .map_err(|error| format!("Docker does not share loopback with this test: {error}"))?;
        Ok(Self {
            container,
            address: format!("127.0.0.1:{port}"),
            docker,
            _made: made,
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

    /// Pushes an image that Docker has, through Docker, and gives its reference there.
    pub(crate) async fn take(&self, image: &Made, repository: &str, tag: &str) -> String {
        let repository = format!("{}/{repository}", self.address);
        let named = TagImageOptionsBuilder::new().repo(&repository).tag(tag).build();
        self.docker
            .tag_image(image.reference(), Some(named))
            .await
            .unwrap();
        let push = PushImageOptionsBuilder::new().tag(tag).build();
        let pushed = self.docker.push_image(&repository, Some(push), None);
        let _: Vec<_> = pushed.try_collect().await.unwrap();
        format!("{repository}:{tag}")
    }

    /// Takes a name of an image from Docker; the registry keeps it.
    pub(crate) async fn forget(&self, reference: &str) {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        self.docker
            .remove_image(reference, Some(options), None)
            .await
            .unwrap();
    }

    pub(crate) async fn down(self) {
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
        file: None,
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

#[tokio::test]
async fn an_image_that_docker_does_not_have_is_pulled_and_known_by_its_digest() {
    let registry = match Registry::up().await {
        Ok(registry) => registry,
        Err(why) => return not_run("an image that Docker pulls", &why),
    };
    let docker = &registry.docker;
    let files = [("/bin/program", &*program().await)];
    let image = Made::of(docker, "pulled", &files, &json!({"Entrypoint": ["/bin/program"]})).await;
    let id = image.inspect(docker).await.id.unwrap();
    let reference = registry.take(&image, "me/descheduler", "pr-12").await;
    let remove = async || {
        registry.forget(&reference).await;
    };
    remove().await;
    drop(image);
    docker.inspect_image(&id).await.unwrap_err();

    let cache = tempdir().unwrap();
    let lines = Lines::default();
    let wanted = [ComponentName::Descheduler];
    let selection = Selection::default().with(ComponentName::Descheduler, Spec::Image(reference.clone()));
    let resolver = resolver(cache.path(), &registry.address, &lines);
    let binaries = resolver.resolve(&selection, &wanted).await.unwrap();
    let binary = &binaries[&ComponentName::Descheduler];
    assert!(lines.text().contains("Docker is pulling"), "{}", lines.text());
    assert_eq!(binary.version, "v0.36.7");
    assert_eq!(format!("sha256:{}", binary.sha256), id);
    let Origin::Container {
        reference: named,
        digest,
    } = &binary.origin
    else {
        panic!("{:?}", binary.origin)
    };
    assert_eq!(*named, reference);
    assert!(digest.starts_with("sha256:") && *digest != id, "{digest}");

    // By that digest it is the same.
    let by_digest = Spec::Image(format!("{}/me/descheduler@{digest}", registry.address));
    let selection = selection.with(ComponentName::Descheduler, by_digest);
    let again = resolver.resolve(&selection, &wanted).await.unwrap();
    assert_eq!(again[&ComponentName::Descheduler].sha256, binary.sha256);
    remove().await;
    registry.down().await;
}
