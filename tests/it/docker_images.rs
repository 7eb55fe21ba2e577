//! What the tests of Docker share: whether it is there, images made on the spot, and programs to put into them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryStreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use testcontainers::bollard::models::{ContainerCreateBody, ImageInspect};
use testcontainers::bollard::query_parameters::{
    CreateContainerOptions, ImportImageOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, StartContainerOptions,
};
use testcontainers::bollard::{Docker, body_full};
use testcontainers::core::client::docker_client_instance;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::component_site::digest;

/// A Docker that is there answers at once; one that does not must not hold up everybody's tests.
const ANSWER: Duration = Duration::from_secs(5);

/// Docker as testcontainers finds it, if it answers.
pub(crate) async fn docker() -> Result<Docker, String> {
    let docker = docker_client_instance()
        .await
        .map_err(|error| format!("there is no Docker: {error}"))?;
    match timeout(ANSWER, docker.ping()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(format!("Docker does not answer: {error}")),
        Err(_) => return Err(format!("Docker does not answer within {ANSWER:?}")),
    }
    Ok(docker)
}

/// The same for a test that is over without.
pub(crate) async fn docker_for(what: &str) -> Option<Docker> {
    docker().await.map_err(|why| not_run(what, &why)).ok()
}

/// Tells everybody that a test was not run for want of Docker.
pub(crate) fn not_run(what: &str, why: &str) {
    crate::cli_sandbox::not_run(what, why, "KUBECLASH_REQUIRE_DOCKER");
}

/// An image that nobody pulled; it goes when dropped.
pub(crate) struct Made {
    reference: String,
}

impl Made {
    /// Of these files (path in the image, file here), with this configuration (`Entrypoint`, `Cmd`, …).
    pub(crate) async fn of(docker: &Docker, name: &str, files: &[(&str, &Path)], config: &Value) -> Self {
        let arch = if cfg!(target_arch = "x86_64") {
            "amd64"
        } else {
            "arm64"
        };
        Self::for_arch(docker, name, files, config, arch).await
    }

    /// The same for an architecture, in Go's words.
    pub(crate) async fn for_arch(
        docker: &Docker,
        name: &str,
        files: &[(&str, &Path)],
        config: &Value,
        arch: &str,
    ) -> Self {
        let files = files
            .iter()
            .map(|(path, file)| (*path, std::fs::read(file).unwrap()));
        let layer = tar_of(files.collect());
        // One of the same content would be the same image, and its containers would be another test's.
        let own = uuid::Uuid::new_v4().simple().to_string();
        let config = json!({
            "author": own, "architecture": arch, "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let reference = format!("kubeclash-test/{name}:{own}");
        let manifest = json!([{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]);
        let archive = tar_of(vec![
            ("manifest.json", serde_json::to_vec(&manifest).unwrap()),
            ("config.json", serde_json::to_vec(&config).unwrap()),
            ("layer.tar", layer),
        ]);
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let loaded = docker.import_image(options, body_full(archive.into()), None);
        let _: Vec<_> = loaded.try_collect().await.unwrap();
        Self { reference }
    }

    /// As `image:REF`.
    pub(crate) fn spec(&self) -> String {
        format!("image:{}", self.reference)
    }

    pub(crate) fn reference(&self) -> &str {
        &self.reference
    }

    pub(crate) async fn inspect(&self, docker: &Docker) -> ImageInspect {
        docker.inspect_image(&self.reference).await.unwrap()
    }
}

fn tar_of(files: Vec<(&str, Vec<u8>)>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, path.trim_start_matches('/'), &*content)
            .unwrap();
    }
    tar.into_inner().unwrap()
}

impl Drop for Made {
    fn drop(&mut self) {
        let reference = self.reference.clone();
        let removal = async move {
            let docker = docker_client_instance().await.ok()?;
            let options = RemoveImageOptionsBuilder::new().force(true).build();
            docker.remove_image(&reference, Some(options), None).await.ok()
        };
        if in_the_end(removal).is_none() {
            eprintln!("the image {} is left", self.reference);
        }
    }
}

/// Waits on a runtime of its own: that of the test may be in the middle of a panic.
fn in_the_end<T: Send + 'static>(last: impl Future<Output = Option<T>> + Send + 'static) -> Option<T> {
    let waiting = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.ok()?.block_on(last)
    });
    waiting.join().ok()?
}

/// A container of somebody else's, which sleeps, with a label that could be taken for ours; it goes when dropped.
pub(crate) struct Foreign(String);

impl Foreign {
    pub(crate) async fn start(docker: &Docker, sleeps: &Made, run: Option<&str>) -> Self {
        let labels = run.map(|run| [("kubeclash.run".to_owned(), run.to_owned())].into());
        let body = ContainerCreateBody {
            image: Some(sleeps.reference.clone()),
            cmd: Some(vec!["/sleeps".to_owned()]),
            labels,
            ..ContainerCreateBody::default()
        };
        let created = docker
            .create_container(None::<CreateContainerOptions>, body)
            .await;
        let foreign = Self(created.unwrap().id);
        docker
            .start_container(&foreign.0, None::<StartContainerOptions>)
            .await
            .unwrap();
        foreign
    }

    pub(crate) async fn lives(&self, docker: &Docker) -> bool {
        let inspected = docker
            .inspect_container(&self.0, None::<InspectContainerOptions>)
            .await;
        inspected.is_ok_and(|container| container.state.is_some_and(|state| state.running == Some(true)))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let id = self.0.clone();
        let removal = async move {
            let docker = docker_client_instance().await.ok()?;
            let options = RemoveContainerOptionsBuilder::new().force(true).build();
            docker.remove_container(&id, Some(options)).await.ok()
        };
        if in_the_end(removal).is_none() {
            eprintln!("the container {} is left", self.0);
        }
    }
}

/// The components of containers that belong to runs below a directory, whether they run or not.
pub(crate) async fn containers_below(docker: &Docker, dir: &Path) -> Vec<String> {
    let filters = [("label".to_owned(), vec!["kubeclash.run".to_owned()])].into();
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let listed = docker.list_containers(Some(options)).await.unwrap();
    let ours = listed.into_iter().filter_map(|container| {
        let labels = container.labels?;
        Path::new(&labels["kubeclash.run"])
            .starts_with(dir)
            .then(|| labels["kubeclash.component"].clone())
    });
    ours.collect()
}

/// How many containers there are of an image, whether they run or not.
pub(crate) async fn containers_of(docker: &Docker, image: &Made) -> usize {
    let filters = [("ancestor".to_owned(), vec![image.reference.clone()])].into();
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    docker.list_containers(Some(options)).await.unwrap().len()
}

/// A static program that is what it is called: `go-runner` runs its arguments, as that of the official images does;
/// `sleeps` does nothing for ten minutes; all others say a version when asked, and else fail at once.
const PROGRAM: &str = r#"
use std::os::unix::process::CommandExt;
fn main() {
    let words: Vec<String> = std::env::args().collect();
    let name = words[0].rsplit('/').next().unwrap_or_default();
    if name == "go-runner" {
        panic!("{}", std::process::Command::new(&words[1]).args(&words[2..]).exec());
    }
    if name == "sleeps" {
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
    if words.iter().any(|word| word.ends_with("version")) {
        println!("v0.36.7");
        return;
    }
    println!("starting");
    eprintln!("no such flag: --descheduling-interval");
    std::process::exit(3);
}
"#;

/// Builds [`PROGRAM`], once a test program.
pub(crate) async fn program() -> PathBuf {
    static BUILT: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
    let build = || async {
        let dir = tempfile::tempdir().unwrap();
        let (source, binary) = (dir.path().join("program.rs"), dir.path().join("program"));
        std::fs::write(&source, PROGRAM).unwrap();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = tokio::process::Command::new(rustc)
            .args([
                "--edition=2024",
                "-Ctarget-feature=+crt-static",
                "-Cpanic=abort",
                "-o",
            ])
            .args([&binary, &source])
            .output()
            .await
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (dir, binary)
    };
    BUILT.get_or_init(build).await.1.clone()
}
