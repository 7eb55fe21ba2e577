//! The control plane's images, as containerd keeps them: imported by the nodes' own containerd, on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::Command;

use super::NodeImageError;
use super::program::{Running, run};
use kubeclash_components::archive::{self, Image};
use kubeclash_components::{ComponentName, Platform, Version};
use kubeclash_host::progress::{Progress, Task};
use kubeclash_host::run_dir::RunDir;

/// The registry that kubeadm's images are named after; nobody asks it.
const REGISTRY: &str = "registry.k8s.io";

/// What containerd is started without: all that is no store, and would leave traces outside of its folders.
const CONFIG: &str = r#"version = 3
disabled_plugins = [
  "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.restart", "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri", "io.containerd.runtime.v2.task", "io.containerd.shim.v1.manager",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs"
]
"#;

/// How long containerd may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tag of the pause image that a release of kubeadm wants.
pub(super) async fn pause_tag(kubeadm: &Path, kubernetes: &Version) -> Result<String, NodeImageError> {
    let failed = |why: String| NodeImageError::failed("ask kubeadm which images it wants", why);
    let output = Command::new(kubeadm)
        .args([
            "config",
            "images",
            "list",
            "--kubernetes-version",
            kubernetes.tag(),
        ])
        // Not the one of a cluster that this machine may have.
        .args(["--kubeconfig", "/dev/null"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    tag_of(&said, "pause").ok_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        failed(format!(
            "it named no pause image: {} {}",
            said.trim(),
            error.trim()
        ))
    })
}

/// The tag of an image, by the last part of its name, in a list of references.
fn tag_of(list: &str, name: &str) -> Option<String> {
    list.lines().find_map(|line| {
        let (image, tag) = line.trim().rsplit_once(':')?;
        (image.rsplit('/').next() == Some(name)).then(|| tag.to_owned())
    })
}

/// What a control plane's static pods are made of.
pub(super) fn images(
    files: &BTreeMap<ComponentName, &Path>,
    kubernetes: &Version,
    etcd: &str,
    pause: &str,
) -> Vec<Image> {
    let image = |name: ComponentName, tag: &str| {
        Image::new(format!("{REGISTRY}/{name}:{tag}"), name.as_str(), files[&name])
    };
    let mut images: Vec<_> = ComponentName::KUBERNETES
        .into_iter()
        .map(|name| image(name, kubernetes.tag()))
        .collect();
    images.push(image(ComponentName::Etcd, etcd));
    images.push(image(ComponentName::Pause, pause));
    images
}

/// What containerd has made of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// Its folder.
    pub(super) root: PathBuf,
}

/// Has containerd import some images into a folder below `room`.
pub(super) async fn import(
    images: &[Image],
    files: &BTreeMap<ComponentName, &Path>,
    platform: &Platform,
    room: &Path,
    run_dir: &RunDir,
    progress: &Progress,
) -> Result<Content, NodeImageError> {
    let task = progress.task("images of the control plane");
    let local = |error| NodeImageError::failed("write the images of the control plane", error);
    let archive = room.join("images.tar");
    task.say("packing");
    let (wanted, target, out) = (images.to_vec(), platform.clone(), archive.clone());
    let written = tokio::task::spawn_blocking(move || {
        let out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(out)?);
        archive::write(out, &wanted, &target)
    });
    written
        .await
        .map_err(std::io::Error::other)
        .and_then(|written| written)
        .map_err(local)?;
    let root = room.join("containerd");
    // A socket's path has to be short.
    let socket = run_dir.path().join("containerd.sock");
    let config = run_dir.path().join("config.toml");
    std::fs::write(&config, CONFIG).map_err(local)?;
    let mut command = Command::new(files[&ComponentName::Containerd]);
    command
        .args(["--log-level", "warn", "--config"])
        .arg(&config)
        .arg("--root")
        .arg(&root)
        .arg("--state")
        .arg(run_dir.path().join("state"))
        .arg("--address")
        .arg(&socket);
    let failed = |why: String| NodeImageError::failed("import the images of the control plane", why);
    let mut containerd = Running::start(&mut command, run_dir)
        .map_err(|error| failed(format!("containerd can't be started: {error}")))?;
    task.say("importing");
    let imported = async {
        listening(&mut containerd, &socket).await?;
        let mut ctr = Command::new(files[&ComponentName::Ctr]);
        ctr.arg("--address")
            .arg(&socket)
            .args(["--namespace", "k8s.io", "images", "import", "--no-unpack"])
            .arg(&archive);
        run(&mut ctr, run_dir, &task).await
    };
    imported.await.map_err(failed)?;
    end(containerd, &task).await.map_err(failed)?;
    std::fs::remove_file(&archive).map_err(local)?;
    task.finish(format!("{} imported", images.len()));
    Ok(Content { root })
}

/// Waits until containerd listens.
async fn listening(containerd: &mut Running, socket: &Path) -> Result<(), String> {
    let connected = async {
        loop {
            if UnixStream::connect(socket).await.is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = containerd.0.try_wait() {
                return Err(format!(
                    "containerd ended with {status}; {}",
                    words(containerd).await
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, connected)
        .await
        .unwrap_or_else(|_| {
            Err(format!(
                "containerd did not listen within {} s",
                PATIENCE.as_secs()
            ))
        })
}

/// Ends it in good order: its database has to be whole.
async fn end(mut containerd: Running, task: &Task) -> Result<(), String> {
    task.say("containerd ends");
    let pid = containerd.0.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid {
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).map_err(|error| error.to_string())?;
    }
    match tokio::time::timeout(PATIENCE, containerd.0.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!(
            "containerd ended with {status}; {}",
            words(&mut containerd).await
        )),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("containerd did not end within {} s", PATIENCE.as_secs())),
    }
}

/// What a containerd that has ended said.
async fn words(containerd: &mut Running) -> String {
    use tokio::io::AsyncReadExt;
    let mut said = String::new();
    if let Some(mut stderr) = containerd.0.stderr.take() {
        let _ = stderr.read_to_string(&mut said).await;
    }
    format!("it said:\n{}", said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_image_is_found_in_kubeadms_list() {
        let list = "registry.k8s.io/kube-apiserver:v1.36.3\nregistry.k8s.io/coredns/coredns:v1.14.2\n\
                    registry.k8s.io/pause:3.10.2\nregistry.k8s.io/etcd:3.6.8-0\n";
        assert_eq!(tag_of(list, "pause").as_deref(), Some("3.10.2"));
        assert_eq!(tag_of(list, "coredns").as_deref(), Some("v1.14.2"));
        assert_eq!(tag_of("", "pause"), None);
    }

    #[test]
    fn images_are_named_as_kubeadm_looks_for_them() {
        let files: BTreeMap<_, _> = ComponentName::NODE_IMAGE
            .into_iter()
            .map(|name| (name, Path::new("/bin/true")))
            .collect();
        let images = images(&files, &"v1.36.3".parse().unwrap(), "3.6.16-0", "3.10.2");
        let names: Vec<_> = images.iter().map(|image| image.reference.as_str()).collect();
        assert_eq!(
            names,
            [
                "registry.k8s.io/kube-apiserver:v1.36.3",
                "registry.k8s.io/kube-controller-manager:v1.36.3",
                "registry.k8s.io/kube-scheduler:v1.36.3",
                "registry.k8s.io/etcd:3.6.16-0",
                "registry.k8s.io/pause:3.10.2",
            ]
        );
        assert_eq!(images[0].entrypoint, "/usr/local/bin/kube-apiserver");
    }
}
