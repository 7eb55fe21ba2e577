//! What clusters of one session are made with: the engine, the kind command and the node image; looked at once.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::{Pool, failed};
use crate::ProviderError;
use crate::node_image::{ETCD_LABEL, REPOSITORY};
use kubeclash_components::{Binary, Program, Selection, Spec, Version};
use kubeclash_host::engine::Engine;
use kubeclash_host::engine::preflight::Problem;
use kubeclash_host::progress::Progress;

/// The node image of the kind release that is pinned, as that release has it (pkg/apis/config/defaults/image.go).
const DEFAULT_IMAGE: &str =
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5";

/// What a container has to read in a file of this machine.
const SEEN: &str = "seen";

/// How long a node image may take to come: it has hundreds of MiB. A registry that can't be reached is an engine's to
/// give up on, which all of them do within a minute.
const PULL: Duration = Duration::from_secs(900);

/// What clusters are made with.
#[derive(Debug, Clone)]
pub struct Kit {
    /// The container engine.
    pub(crate) engine: Engine,
    /// The kind command.
    pub(crate) kind: PathBuf,
    /// What nodes are made of.
    pub image: NodeImage,
    /// What the engine runs on.
    pub(crate) host: Host,
    /// Where clusters wait for another arm; without it, each arm has a cluster of its own.
    pub pool: Option<Pool>,
}

/// A node image, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeImage {
    /// Its name.
    pub reference: String,
    /// What the engine knows it by, `sha256:…`.
    pub id: String,
    /// The release of Kubernetes in it.
    pub version: String,
    /// The `pause` image in it, which pods run that need no program.
    pub pause: String,
    /// The tag of its etcd image, where that is not the one that its kubeadm expects.
    pub etcd: Option<String>,
}

/// What the engine runs on: this machine, a virtual one on it, or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Which CPUs it has online, as the kernel writes it: `0-7`.
    pub cpus: String,
    /// Whether its cgroups are version 1's.
    pub cgroup_v1: bool,
}

/// Which node image is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The image by name.
    pub image: Option<String>,
    /// The release of Kubernetes, of which an image is looked for.
    pub kubernetes: Option<Version>,
}

impl Asked {
    /// What `--kubernetes` and `--kind-image` come to.
    ///
    /// # Errors
    /// When a spec is no release: what it stands for comes in a node image. In words.
    pub fn of(kubernetes: Option<&Spec>, image: Option<&str>) -> Result<Self, String> {
        let kubernetes = match kubernetes {
            None => None,
            Some(Spec::Release(version)) => Some(version.clone()),
            Some(spec) => {
                return Err(format!(
                    "--kubernetes {spec} on kind: API server and controllers come in the node image; \"kubeclash node-image \
                     build --kubernetes {spec}\" makes one of it, and --kind-image names it"
                ));
            }
        };
        Ok(Self {
            image: image.map(str::to_owned),
            kubernetes,
        })
    }

    /// The names under which it is looked for, the best first. Nothing but the last is pulled.
    fn candidates(&self) -> Vec<String> {
        if let Some(image) = &self.image {
            return vec![image.clone()];
        }
        let own = |version: &Version| format!("{REPOSITORY}:{}", version.tag());
        match &self.kubernetes {
            Some(version) => {
                let official = format!("kindest/node:{}", version.tag());
                vec![official.clone(), own(version), official]
            }
            None => {
                let here = Selection::pinned(kubeclash_components::Module::Kubernetes);
                vec![DEFAULT_IMAGE.to_owned(), own(&here), DEFAULT_IMAGE.to_owned()]
            }
        }
    }
}

impl Kit {
    /// The image on its nodes that does nothing, and ends when it is asked to.
    #[must_use]
    pub fn pause(&self) -> &str {
        &self.image.pause
    }

    /// Looks at the engine, and finds the node image, pulling it where it is not there.
    ///
    /// # Errors
    /// When the engine does not answer, or there is no such image.
    pub async fn prepare(
        engine: Engine,
        kind: &Program,
        cgroup_v1: bool,
        asked: &Asked,
        reuse: bool,
        progress: &Progress,
    ) -> Result<Self, ProviderError> {
        let Program::File { path } = kind else {
            return Err(failed(
                "use kind",
                "it is an image, and only a program can make containers".to_owned(),
            ));
        };
        let reference = found_or_pulled(engine, asked, progress).await?;
        let (image, cpus) = NodeImage::inspect(engine, reference).await?;
        Ok(Self {
            engine,
            kind: path.clone(),
            host: Host { cpus, cgroup_v1 },
            image,
            pool: reuse.then(Pool::default),
        })
    }
}

/// What an image of a program of ours is called: with a tag of its own, so that none is taken for another.
#[must_use]
pub fn tagged(name: &str, binary: &Binary) -> String {
    let tag = binary.sha256.get(..12).unwrap_or(&binary.sha256);
    format!("kubeclash/{name}:{tag}")
}

async fn found_or_pulled(
    engine: Engine,
    asked: &Asked,
    progress: &Progress,
) -> Result<String, ProviderError> {
    let candidates = asked.candidates();
    for candidate in &candidates {
        if engine
            .run(&["image", "inspect", "--format", "{{.Id}}", candidate])
            .await
            .is_ok()
        {
            return Ok(candidate.clone());
        }
    }
    let wanted = candidates.last().expect("there is at least one").clone();
    let task = progress.task(format!("node image {wanted}"));
    task.say(format!("it is not here: \"{engine} pull\" asks its registry"));
    let why = match timeout(PULL, engine.run(&["pull", "--quiet", &wanted])).await {
        Ok(Ok(_)) => {
            task.finish("pulled");
            return Ok(wanted);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!(
            "\"{engine} pull {wanted}\" has not ended after {} minutes",
            PULL.as_secs() / 60
        ),
    };
    Err(ProviderError::NodeImage {
        reference: wanted,
        why,
    })
}

impl NodeImage {
    /// Looks at an image, and what its containers see of the engine's host: which CPUs are online.
    async fn inspect(engine: Engine, reference: String) -> Result<(Self, String), ProviderError> {
        let unusable = |why: String| ProviderError::NodeImage {
            reference: reference.clone(),
            why,
        };
        let format = "{{.Id}} {{json .Config.Labels}}";
        let inspected = engine
            .run(&["image", "inspect", "--format", format, &reference])
            .await
            .map_err(|e| unusable(e.to_string()))?;
        let (id, labels) = inspected.split_once(' ').unwrap_or((&inspected, ""));
        let labels: Value = serde_json::from_str(labels).unwrap_or_default();
        // What is in it is asked of the image itself: names lie.
        let (text, cpus) = tokio::join!(in_container(engine, id), online(engine, id));
        let text = text.map_err(|e| unusable(format!("is no node image of kind's: {e}")))?;
        let (version, pause) = contents(&text).map_err(unusable)?;
        let image = Self {
            id: id.to_owned(),
            version,
            pause,
            etcd: labels[ETCD_LABEL].as_str().map(str::to_owned),
            reference,
        };
        Ok((image, cpus?))
    }
}

/// What a container of an image tells of it.
///
/// kind's own images end their version without a new line.
async fn in_container(engine: Engine, image: &str) -> Result<String, kubeclash_host::engine::Failed> {
    let script = "cat /kind/version && echo && cat /etc/containerd/config.toml";
    shell(engine, image, &[], script).await
}

/// Runs a script in a container of an image that is removed then.
async fn shell(
    engine: Engine,
    image: &str,
    more: &[&str],
    script: &str,
) -> Result<String, kubeclash_host::engine::Failed> {
    let run = ["run", "--rm", "--network=none", "--entrypoint=/bin/sh"];
    engine.run(&[&run, more, &[image, "-c", script]].concat()).await
}

/// Which CPUs the engine's host has online, as the kernel writes it; and whether the engine sees the files of this
/// machine, which the nodes are to see: one that is on another, or has a `/tmp` of its own, makes folders in their place.
async fn online(engine: Engine, image: &str) -> Result<String, ProviderError> {
    let shared = |why: String| failed("share a file with a container", why);
    let file = tempfile::NamedTempFile::new().map_err(|e| shared(e.to_string()))?;
    std::fs::write(file.path(), SEEN).map_err(|e| shared(e.to_string()))?;
    let volume = format!("--volume={}:/seen:ro", file.path().display());
    let script = "cat /sys/devices/system/cpu/online; cat /seen";
    let said = shell(engine, image, &[&volume], script).await;
    let seen = said.as_deref().ok().and_then(|text| text.strip_suffix(SEEN));
    match seen.map(str::trim) {
        Some(cpus) if !cpus.is_empty() => Ok(cpus.to_owned()),
        _ => Err(ProviderError::Unfit(vec![Problem {
            what: format!(
                "{engine} does not see files below {}",
                std::env::temp_dir().display()
            ),
            remedy: format!(
                "set TMPDIR to a folder of this machine that {engine} shares; below your home it often does"
            ),
        }])),
    }
}

/// The release and the pause image, out of `/kind/version` and containerd's configuration after it.
fn contents(text: &str) -> Result<(String, String), String> {
    let (version, config) = text.split_once('\n').unwrap_or((text, ""));
    let version: Version = version
        .trim()
        .parse()
        .map_err(|_| format!("says in /kind/version that it has Kubernetes \"{version}\""))?;
    let pause = sandbox_image(config).ok_or("names no sandbox image in /etc/containerd/config.toml")?;
    Ok((version.tag().to_owned(), pause))
}

/// The image that holds a pod's namespaces: `sandbox_image` up to version 2 of containerd's configuration, `sandbox`
/// from version 3 on.
fn sandbox_image(config: &str) -> Option<String> {
    config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (matches!(key.trim(), "sandbox" | "sandbox_image") && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_image_is_read_from_both_forms() {
        let old =
            "[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"registry.k8s.io/pause:3.10\"\n";
        let new = "[x.pinned_images]\n  sandbox = 'registry.k8s.io/pause:3.10.2'\n";
        assert_eq!(sandbox_image(old).as_deref(), Some("registry.k8s.io/pause:3.10"));
        assert_eq!(
            sandbox_image(new).as_deref(),
            Some("registry.k8s.io/pause:3.10.2")
        );
        assert_eq!(sandbox_image("sandboxer = \"podsandbox\"\n"), None);
    }

    #[test]
    fn what_is_in_an_image_is_read_with_and_without_a_line_s_end() {
        let config = "version = 2\nsandbox_image = \"registry.k8s.io/pause:3.10\"\n";
        for version in ["v1.37.0\n", "v1.36.3\n\n", "v1.30.14\n"] {
            let found = contents(&format!("{version}{config}")).unwrap();
            assert_eq!(
                found,
                (version.trim().to_owned(), "registry.k8s.io/pause:3.10".to_owned())
            );
        }
        let run_together = contents(&format!("v1.37.0# explicitly{config}")).unwrap_err();
        assert!(run_together.contains("v1.37.0# explicitly"), "{run_together}");
        assert!(
            contents("v1.37.0\nversion = 2\n")
                .unwrap_err()
                .contains("sandbox")
        );
    }

    #[test]
    fn an_official_image_is_preferred_and_is_what_is_pulled() {
        let asked = |kubernetes: Option<&str>, image| {
            let spec = kubernetes.map(|text| text.parse::<Spec>().unwrap());
            Asked::of(spec.as_ref(), image)
        };
        assert_eq!(
            asked(Some("v1.30.14"), None).unwrap().candidates(),
            [
                "kindest/node:v1.30.14",
                "kubeclash/node:v1.30.14",
                "kindest/node:v1.30.14"
            ]
        );
        assert_eq!(
            asked(Some("v1.30.14"), Some("mine:1")).unwrap().candidates(),
            ["mine:1"]
        );
        let default = asked(None, None).unwrap().candidates();
        assert!(default[1].starts_with("kubeclash/node:v1."), "{default:?}");
        assert_eq!(default.last().map(String::as_str), Some(DEFAULT_IMAGE));
        let refusal = asked(Some("path:/my/bin"), None).unwrap_err();
        assert!(
            refusal.contains("node-image build --kubernetes path:/my/bin"),
            "{refusal}"
        );
    }
}
