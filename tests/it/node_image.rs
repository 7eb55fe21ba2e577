//! `kubeclash node-image`: what it says where it can't work, and an image that kind makes a node of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kubeclash_components::{Cache, ComponentName, Resolver, Selection};
use kubeclash_host::progress::Progress;
use tempfile::{TempDir, tempdir};

use crate::cli_sandbox::not_run;
use crate::docker_images::docker_for;

fn kubeclash(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubeclash"));
    command.args(args).env_remove("KIND_EXPERIMENTAL_PROVIDER");
    command
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(&[out.as_slice(), err].concat()).into_owned()
}

/// A PATH with a docker that says what it is told to, and the distribution's own commands but for mmdebstrap.
fn path_with_docker(script: &str) -> TempDir {
    let dir = tempdir().unwrap();
    let docker = dir.path().join("docker");
    fs::write(&docker, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["apt-get", "apt-config", "dpkg"] {
        let real = Path::new("/usr/bin").join(name);
        std::os::unix::fs::symlink(real, dir.path().join(name)).unwrap();
    }
    dir
}

/// What a build says with that PATH; it has to be unavailable, soon, and say what to do.
fn refused(path: &Path) -> String {
    let cache = tempdir().unwrap();
    let output = kubeclash(&["node-image", "build"])
        .env("PATH", path)
        .env("KUBECLASH_CACHE", cache.path())
        .output()
        .unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("help: "), "{said}");
    assert!(
        !cache.path().join("components").exists(),
        "it was seen after minutes: {said}"
    );
    said
}

#[test]
fn what_is_missing_is_named_with_its_remedy_before_anything_is_built() {
    let none = tempdir().unwrap();
    let said = refused(none.path());
    for part in [
        "there is no docker, podman or nerdctl on PATH",
        "apt-get install docker.io",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }

    let silent = path_with_docker("echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    let said = refused(silent.path());
    for part in ["Cannot connect to the Docker daemon", "systemctl start docker"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }

    let rootless = path_with_docker("echo '[\"name=rootless\"]'");
    let said = refused(rootless.path());
    assert!(said.contains("docker is rootless"), "{said}");

    let there = path_with_docker("[ \"$1\" = info ] && echo '[]'; exit 0");
    let said = refused(there.path());
    if debian() {
        let updated = said.contains("apt-get install mmdebstrap") || said.contains("apt-get update");
        assert!(updated, "{said}");
    } else {
        assert!(said.contains("packages of Debian or Ubuntu"), "{said}");
    }
}

fn debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let mut lines = release.lines();
    lines.any(|line| matches!(line, "ID=debian" | "ID=ubuntu"))
}

/// Why no node image can be made here, if so.
fn cannot() -> Option<String> {
    let there = Path::new("/usr/bin/mmdebstrap").is_file();
    if !debian() || !there {
        return Some("it takes Debian or Ubuntu with mmdebstrap".to_owned());
    }
    (!nix::unistd::Uid::effective().is_root()).then(|| "it takes root".to_owned())
}

/// What a test leaves behind unless this is dropped.
struct Leavings {
    tag: String,
    kind: PathBuf,
    cluster: String,
    kubeconfig: PathBuf,
}

impl Leavings {
    fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker").args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        text(&output)
    }

    fn kind(&self, args: &[&str]) -> Output {
        Command::new(&self.kind)
            .args(args)
            .args(["--name", &self.cluster, "--kubeconfig"])
            .arg(&self.kubeconfig)
            .output()
            .unwrap()
    }
}

impl Drop for Leavings {
    fn drop(&mut self) {
        self.kind(&["delete", "cluster"]);
        let _ = Command::new("docker").args(["image", "rm", &self.tag]).output();
    }
}

/// A cluster of one node, as small as kind can make it: without network, DNS and proxy.
const CONFIG: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {disableDefaultCNI: true, kubeProxyMode: none}
kubeadmConfigPatches:
  - |
    kind: KubeletConfiguration
    failCgroupV1: false
  - |
    kind: ClusterConfiguration
    etcd: {local: {imageTag: ETCD}}
  - |
    kind: InitConfiguration
    skipPhases: [preflight, addon/coredns, addon/kube-proxy]
";

#[tokio::test]
async fn kind_makes_a_node_of_an_image_that_is_made_once() {
    let what = "a node image";
    if docker_for(what).await.is_none() {
        return;
    }
    if let Some(why) = cannot() {
        return not_run(what, &why, "KUBECLASH_REQUIRE_NODE_IMAGE");
    }
    let resolver = Resolver::new(Cache::open(None).unwrap(), Progress::detect()).unwrap();
    let found = resolver
        .resolve(&Selection::default(), &[ComponentName::Kind])
        .await
        .unwrap();
    let id = std::process::id();
    let dir = tempdir().unwrap();
    let here = Leavings {
        tag: format!("kubeclash/node:it-{id}"),
        kind: found[&ComponentName::Kind].file().unwrap().to_owned(),
        cluster: format!("kubeclash-it-{id}"),
        kubeconfig: dir.path().join("kubeconfig"),
    };
    let build = || {
        let output = kubeclash(&["node-image", "build", "--tag", &here.tag])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    let said = build();
    assert!(said.contains(&format!("{} was made", here.tag)), "{said}");
    let said = build();
    assert!(said.contains("is there, made of just these components"), "{said}");
    let listed = text(&kubeclash(&["node-image", "list"]).output().unwrap());
    assert!(listed.contains(&here.tag), "{listed}");

    let label = "{{index .Config.Labels \"kubeclash.etcd\"}}";
    let etcd = here.docker(&["image", "inspect", "--format", label, &here.tag]);
    let config = dir.path().join("kind.yaml");
    fs::write(&config, CONFIG.replace("ETCD", etcd.trim())).unwrap();
    let config = config.display().to_string();
    let created = here.kind(&["create", "cluster", "--image", &here.tag, "--config", &config]);
    assert!(created.status.success(), "{}", text(&created));
    let node = format!("{}-control-plane", here.cluster);
    let conf = "--kubeconfig=/etc/kubernetes/admin.conf";
    let nodes = here.docker(&["exec", &node, "kubectl", conf, "get", "nodes", "-o", "name"]);
    assert_eq!(nodes.trim(), format!("node/{node}"));
    let images = here.docker(&["exec", &node, "crictl", "images"]);
    for name in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "etcd",
        "pause",
    ] {
        assert!(images.contains(&format!("registry.k8s.io/{name} ")), "{images}");
    }
    // /var is copied for each node when it starts.
    let kept = "/var/lib/containerd/io.containerd.content.v1.content";
    assert_eq!(
        here.docker(&["exec", &node, "readlink", kept]).trim(),
        "/kind/content"
    );
}
