//! What engines, kinds and images say, made up.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::{Value, json};

use super::*;

fn plan() -> Plan<'static> {
    Plan {
        engine: Engine::Docker,
        kind: None,
        image: None,
        clusters: 1,
    }
}

fn read(engine: Engine, said: &Value) -> Result<Info, Problem> {
    Info::read(engine, Some(Ok(said.to_string())))
}

fn docker() -> Value {
    json!({
        "ServerVersion": "28.2.2", "Architecture": "aarch64", "DockerRootDir": "/var/lib/docker", "CgroupVersion": "1",
        "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"], "Name": "elsewhere",
    })
}

#[test]
fn an_engine_says_what_it_is_in_its_own_way() {
    let docker = read(Engine::Docker, &docker()).unwrap();
    let podman = json!({
        "host": {"arch": "arm64", "cgroupVersion": "v1", "security": {"rootless": true}, "hostname": "elsewhere"},
        "store": {"graphRoot": "/var/lib/docker"}, "version": {"Version": "28.2.2"},
    });
    let podman = read(Engine::Podman, &podman).unwrap();
    assert_eq!(podman.architecture.as_deref(), Some("arm64"));
    let mut alike = podman;
    alike.architecture = Some("aarch64".to_owned());
    assert_eq!(docker, alike);
    assert!(!docker.is_here());
    assert_eq!((docker.cgroup, alike.cgroup), (Some(1), Some(1)));
    let newer = json!({"host": {"cgroupVersion": "v2"}, "version": {"Version": "5.0.0"}});
    assert_eq!(read(Engine::Podman, &newer).unwrap().cgroup, Some(2));
    let problem = docker.rootless_on_old_cgroups().unwrap();
    assert!(problem.remedy.contains("unified_cgroup_hierarchy"), "{problem:?}");
    let mut root = docker;
    root.rootless = false;
    assert_eq!(root.rootless_on_old_cgroups(), None);
}

#[test]
fn an_engine_that_cannot_be_used_is_told_with_the_remedy() {
    let socket = "unix:///var/run/docker.sock";
    for (engine, why, what, remedy) in [
        (
            Engine::Docker,
            "failed: there is no docker on PATH".to_owned(),
            "no docker on PATH",
            PROVIDER_VARIABLE,
        ),
        (
            Engine::Docker,
            format!(
                "said: permission denied while trying to connect to the Docker daemon socket at {socket}"
            ),
            "no permission",
            "usermod",
        ),
        (
            Engine::Docker,
            format!("said: Cannot connect to the Docker daemon at {socket}. Is the docker daemon running?"),
            "does not run",
            "systemctl start docker",
        ),
        (
            Engine::Podman,
            "said: Cannot connect to Podman. Please verify your connection to the Linux system".to_owned(),
            "does not run",
            "podman machine start",
        ),
        (
            Engine::Nerdctl,
            "said: out of memory".to_owned(),
            "out of memory",
            "nerdctl info",
        ),
    ] {
        let failed = Failed {
            command: format!("{engine} info"),
            why,
        };
        let problem = Info::read(engine, Some(Err(failed))).unwrap_err();
        assert!(
            problem.what.contains(what) && problem.remedy.contains(remedy),
            "{problem:?}"
        );
    }
    let late = Info::read(Engine::Docker, None).unwrap_err();
    assert!(late.what.contains("does not answer within 5s"), "{late:?}");
    // As a client of Docker says it that ends well.
    let errors = json!({"ServerErrors": ["Cannot connect to the Docker daemon"], "ServerVersion": ""});
    let problem = read(Engine::Docker, &errors).unwrap_err();
    assert!(problem.what.contains("does not run"), "{problem:?}");
    let garbled = Info::read(Engine::Docker, Some(Ok("hello".to_owned()))).unwrap_err();
    assert!(garbled.what.contains("no JSON: hello"), "{garbled:?}");
}

#[test]
fn a_node_image_for_other_processors_is_told() {
    let info = read(Engine::Docker, &docker()).unwrap();
    assert_eq!(foreign(&info, "n", "arm64"), None);
    assert_eq!(foreign(&info, "n", "aarch64"), None);
    let problem = foreign(&info, "kindest/node:v1", "amd64").unwrap();
    assert!(
        problem.what.contains("\"kindest/node:v1\" is for amd64") && problem.what.contains("is arm64"),
        "{problem:?}"
    );
}

#[test]
fn too_little_room_is_told_for_all_clusters() {
    let data = Path::new("/var/lib/docker");
    assert_eq!(too_little(&plan(), data, 4 << 30), None);
    let problem = too_little(&plan(), data, (4 << 30) - 1).unwrap();
    assert!(problem.what.contains("\"/var/lib/docker\"") && problem.remedy.contains("docker system prune"));
    let two = Plan {
        clusters: 2,
        ..plan()
    };
    let problem = too_little(&two, data, 4 << 30).unwrap();
    assert!(problem.what.contains("may need 8.00 GiB"), "{problem:?}");
}

#[test]
fn a_kind_is_known_by_what_it_says_of_itself() {
    let asked = |said: &str| {
        let output = Output {
            status: ExitStatus::from_raw(0),
            stdout: said.into(),
            stderr: Vec::new(),
        };
        kind_version(Path::new("/bin/kind"), Some(Ok(output))).map_err(|problem| problem.what)
    };
    for version in ["v0.27.0", "v0.33.0", "v1.0.0", "v0.34.0-alpha+7d4dc0bb"] {
        assert_eq!(
            asked(&format!("kind {version} go1.26.1 linux/amd64\n")),
            Ok(version.to_owned())
        );
    }
    let old = asked("kind v0.9.0 go1.15.2 linux/amd64").unwrap_err();
    assert_eq!(old, "kind v0.9.0, \"/bin/kind\", is older than v0.27.0");
    for other in ["", "kind\n", "kind of v1.2", "k3d version v5.8.3"] {
        let problem = asked(other).unwrap_err();
        assert!(problem.contains("is not kind"), "{other}: {problem}");
    }
    let late = kind_version(Path::new("kind"), None).unwrap_err();
    assert!(late.what.contains("does not answer within 5s"), "{late}");
    let missing = kind_version(Path::new("kind"), Some(Err(io::ErrorKind::NotFound.into()))).unwrap_err();
    assert!(missing.what.contains("can't be run"), "{missing}");
}
