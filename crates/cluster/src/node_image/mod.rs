//! A node image for kind where no registry can be reached: made of the distribution's packages and of components.
//!
//! ```text
//! packages (mmdebstrap) ─┐
//! files of ours         ─┼─► one tar ──► docker import ──► kubeclash/node:v1.36.3
//! components            ─┤
//! control plane's images ┘  (archive ──► containerd's content store)
//! ```
//!
//! Nothing is run in a container for it: the same containerd that the nodes have imports the control plane's images on
//! this machine, into a folder. What runs a cluster of it is the kind provider's job.

mod assembly;
mod base;
mod content;
mod program;
mod recipe;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::unistd::Uid;

use kubeclash_components::{Binary, ComponentError, ComponentName, Platform, Resolver, Selection, Version};
use kubeclash_host::engine::{Engine, Failed};
use kubeclash_host::progress::Progress;
use kubeclash_host::run_dir::RunDir;
use kubeclash_host::shell::on_path;

use base::Distribution;
use recipe::Recipe;

/// Under which name node images are made, without a tag.
pub(crate) const REPOSITORY: &str = "kubeclash/node";

/// The label with the digest of what an image was made of.
pub(crate) const INPUTS_LABEL: &str = "kubeclash.inputs";

/// The label with the tag of the etcd image in it, which kubeadm has to be told.
pub(crate) const ETCD_LABEL: &str = "kubeclash.etcd";

/// What image is wanted.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which build of each component.
    pub selection: Selection,
    /// What it is called; after its release of Kubernetes where nothing is said.
    pub tag: Option<String>,
}

/// An image that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// What it is called.
    pub tag: String,
    /// Whether it was there before.
    pub cached: bool,
}

/// Why there is no node image.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum NodeImageError {
    /// A component can't be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Component(#[from] ComponentError),
    /// Something that it takes is not here.
    #[error("a node image can't be made here: {reason}")]
    Missing {
        /// What, as a sentence.
        reason: String,
        /// What to do next.
        #[help]
        help: String,
    },
    /// A step went wrong.
    #[error("failed to {step}: {why}")]
    Failed {
        /// Which.
        step: &'static str,
        /// What was said.
        why: String,
        /// What to do next.
        #[help]
        help: Option<String>,
    },
}

impl NodeImageError {
    fn missing(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Missing {
            reason: reason.into(),
            help: help.into(),
        }
    }

    fn failed(step: &'static str, why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        let full = why.contains("o space left") || why.contains("No space");
        Self::Failed {
            help: full.then(|| {
                "a disk is full: a node image takes 0.6 GiB in the cache (KUBECLASH_CACHE moves it) and as much in the \
                 engine's own storage"
                    .to_owned()
            }),
            step,
            why,
        }
    }
}

/// Makes a node image, or finds that it is there.
///
/// # Errors
/// When something that it takes is not here, a component can't be had, or a step goes wrong.
pub async fn build(order: &Order, resolver: &Resolver, progress: &Progress) -> Result<Built, NodeImageError> {
    let engine = engine().await?;
    let distribution = Distribution::of_this_machine().await?;
    // What can be seen to be missing is said before minutes are spent on components, unless nothing may be left to do.
    if images(engine).await?.is_empty() {
        tools_are_here()?;
    }
    let platform = Platform::new("linux", &*Platform::host().arch);
    let resolver = resolver.clone().with_platform(platform.clone());
    let binaries = resolver
        .resolve(&order.selection, &ComponentName::NODE_IMAGE)
        .await?;
    let files = files(&binaries)?;
    let kubernetes = release(&binaries[&ComponentName::Kubeadm]);
    let etcd = etcd_tag(&binaries[&ComponentName::Etcd]);
    let recipe = Recipe::new(&binaries, &kubernetes, &distribution, &platform);
    let tag = match &order.tag {
        Some(tag) => tag.clone(),
        None => format!("{REPOSITORY}:{kubernetes}"),
    };
    if label(engine, &tag, INPUTS_LABEL).await.as_deref() == Some(&recipe.digest) {
        return Ok(Built { tag, cached: true });
    }
    tools_are_here()?;
    let cache = resolver.cache().node_images();
    let local = |error: io::Error| NodeImageError::failed("write into the cache", error);
    let _turn = turn(&cache, progress).await.map_err(local)?;
    if label(engine, &tag, INPUTS_LABEL).await.as_deref() == Some(&recipe.digest) {
        // Whoever had the turn before made it.
        return Ok(Built { tag, cached: true });
    }
    let room = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(&cache)
        .map_err(local)?;
    // What is started is found by a sweep when this process is killed.
    let run_dir = RunDir::create().map_err(local)?;
    let base = base::packages(&distribution, &platform, &cache, &run_dir, progress).await?;
    let pause = content::pause_tag(files[&ComponentName::Kubeadm], &kubernetes).await?;
    let images = content::images(&files, &kubernetes, &etcd, &pause);
    let content = content::import(&images, &files, &platform, room.path(), &run_dir, progress).await?;
    let task = progress.task("node image");
    task.say("putting it together");
    let all = room.path().join("all.tar");
    let assembled = assembly::Parts {
        base,
        files: assembly::rootfs(&files, &kubernetes, &pause),
        content,
    };
    let out = all.clone();
    tokio::task::spawn_blocking(move || assembled.write(&out))
        .await
        .map_err(io::Error::other)
        .and_then(|written| written)
        .map_err(|error| NodeImageError::failed("put the node image together", error))?;
    task.say(format!("{engine} takes it in"));
    let before = engine
        .run(&["image", "inspect", "--format", "{{.Id}}", &tag])
        .await
        .ok();
    import(engine, &all, &tag, &recipe.digest, &etcd).await?;
    if let Some(id) = before {
        // It has lost its name; where a node still runs of it, the engine keeps it.
        let _ = engine.run(&["image", "rm", &id]).await;
    }
    task.finish(format!("{tag} is there"));
    Ok(Built { tag, cached: false })
}

/// The right to work in the cache's folder, given back on drop. What a killed build left there is removed.
async fn turn(cache: &Path, progress: &Progress) -> io::Result<File> {
    std::fs::create_dir_all(cache)?;
    let lock = File::create(cache.join("lock"))?;
    let mut waiting = None;
    // Asked again and again, not waited for in the system: a waiting thread could not be told of Ctrl-C.
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                waiting.get_or_insert_with(|| {
                    progress.task("waiting for another kubeclash that makes a node image")
                });
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    for entry in std::fs::read_dir(cache)?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b".new-") {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(lock)
}

async fn import(
    engine: Engine,
    tar: &Path,
    tag: &str,
    digest: &str,
    etcd: &str,
) -> Result<(), NodeImageError> {
    let changes = [
        r#"ENTRYPOINT ["/usr/local/bin/entrypoint","/lib/systemd/systemd"]"#.to_owned(),
        // systemd would take it for a machine otherwise.
        "ENV container=docker".to_owned(),
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("LABEL {INPUTS_LABEL}={digest}"),
        format!("LABEL {ETCD_LABEL}={etcd}"),
    ];
    let mut args = vec!["import".to_owned()];
    for change in changes {
        args.extend(["--change".to_owned(), change]);
    }
    args.extend([tar.display().to_string(), tag.to_owned()]);
    engine
        .run(&args)
        .await
        .map(drop)
        .map_err(|failed| NodeImageError::failed("import the node image", failed))
}

/// The node images that there are: their names, and what each was made of.
///
/// # Errors
/// When there is no engine, or it does not answer.
pub async fn list() -> Result<Vec<(String, String)>, NodeImageError> {
    images(engine().await?).await
}

async fn images(engine: Engine) -> Result<Vec<(String, String)>, NodeImageError> {
    let filter = format!("label={INPUTS_LABEL}");
    let format = "{{.Repository}}:{{.Tag}}";
    let listed = engine
        .run(&["image", "ls", "--filter", &filter, "--format", format])
        .await
        .map_err(|failed| unanswered(engine, &failed))?;
    let mut found = Vec::new();
    for name in listed.lines().filter(|name| !name.contains("<none>")) {
        let digest = label(engine, name, INPUTS_LABEL).await.unwrap_or_default();
        found.push((name.to_owned(), digest));
    }
    Ok(found)
}

/// A label of an image, if it is there and has it.
async fn label(engine: Engine, image: &str, label: &str) -> Option<String> {
    let format = format!("{{{{index .Config.Labels \"{label}\"}}}}");
    let value = engine
        .run(&["image", "inspect", "--format", &format, image])
        .await
        .ok()?;
    (!value.is_empty() && value != "<no value>").then_some(value)
}

fn unanswered(engine: Engine, failed: &Failed) -> NodeImageError {
    let help = if failed.why.contains("permission denied") {
        "join the engine's group (\"sudo usermod -aG docker $USER\", then log in again), or run kubeclash as root"
            .to_owned()
    } else {
        format!("start it (\"sudo systemctl start {engine}\"), and see whether \"{engine} info\" answers")
    };
    NodeImageError::missing(failed.to_string(), help)
}

/// The engine that kind would use, if it can take a node image in and run it.
async fn engine() -> Result<Engine, NodeImageError> {
    let engine = Engine::of_environment().map_err(|reason| {
        NodeImageError::missing(
            reason,
            "install Docker (\"apt-get install docker.io\", or https://docs.docker.com/engine/install)",
        )
    })?;
    let format = match engine {
        Engine::Docker => "{{json .SecurityOptions}}",
        Engine::Podman => "{{if .Host.Security.Rootless}}rootless{{end}}",
        Engine::Nerdctl => {
            return Err(NodeImageError::missing(
                "nerdctl can't take in an image that it is given as one tar",
                "set KIND_EXPERIMENTAL_PROVIDER to docker or podman",
            ));
        }
    };
    let info = engine
        .run(&["info", "--format", format])
        .await
        .map_err(|failed| unanswered(engine, &failed))?;
    if info.contains("rootless") {
        return Err(NodeImageError::missing(
            format!("{engine} is rootless, and the nodes of such an image need a rootful engine"),
            format!("use a rootful {engine}, or an image of kind's own (--kind-image kindest/node:v1.36.3)"),
        ));
    }
    Ok(engine)
}

/// Whether this process can make a root file system.
fn tools_are_here() -> Result<(), NodeImageError> {
    if on_path("mmdebstrap").is_none() {
        return Err(NodeImageError::missing(
            "there is no mmdebstrap, which makes a root file system of packages",
            "install it: \"apt-get install mmdebstrap\"",
        ));
    }
    if !Uid::effective().is_root() {
        return Err(NodeImageError::missing(
            "packages can be unpacked by root only",
            "run it as root: \"sudo kubeclash node-image build\"",
        ));
    }
    Ok(())
}

/// Where the components are; each has to be a file.
fn files(
    binaries: &BTreeMap<ComponentName, Binary>,
) -> Result<BTreeMap<ComponentName, &Path>, NodeImageError> {
    let mut found = BTreeMap::new();
    for (name, binary) in binaries {
        let file = binary.file().ok_or_else(|| {
            NodeImageError::missing(
                format!("{name} is given as a container image, and a node image takes programs"),
                "write image+extract:REF, which takes the program out of the image",
            )
        })?;
        found.insert(*name, file);
    }
    Ok(found)
}

/// The release of Kubernetes that a node is told it has; of a fork that says none, the one that is pinned here.
fn release(kubeadm: &Binary) -> Version {
    kubeadm
        .version
        .parse()
        .unwrap_or_else(|_| Selection::pinned(ComponentName::Kubeadm.module()))
}

/// As kubeadm's own images of etcd are tagged: `3.6.16-0`.
fn etcd_tag(etcd: &Binary) -> String {
    let version: Version = etcd
        .version
        .parse()
        .unwrap_or_else(|_| Selection::pinned(ComponentName::Etcd.module()));
    format!("{}-0", version.shown(ComponentName::Etcd))
}
