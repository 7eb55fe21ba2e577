//! What an engine says of itself and of its machine.

use std::path::PathBuf;

use serde_json::Value;

use super::{Problem, unusable};
use crate::engine::{Engine, Failed};

/// What matters of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) version: String,
    /// In the kernel's words or in Go's.
    pub(super) architecture: Option<String>,
    /// Where images and containers are.
    pub(super) data: Option<PathBuf>,
    pub(super) rootless: bool,
    /// 1 or 2.
    pub(super) cgroup: Option<u8>,
    host: Option<String>,
    kernel: Option<String>,
}

impl Engine {
    /// What it is asked.
    pub(super) const fn info_args(self) -> [&'static str; 3] {
        match self {
            Self::Docker | Self::Nerdctl => ["info", "--format", "{{json .}}"],
            Self::Podman => ["info", "--format", "json"],
        }
    }
}

impl Info {
    /// Out of the answer.
    pub(super) fn read(engine: Engine, answer: Option<Result<String, Failed>>) -> Result<Self, Problem> {
        let said = match answer {
            None => return Err(unusable(engine, None)),
            Some(Err(failed)) => return Err(unusable(engine, Some(failed))),
            Some(Ok(said)) => said,
        };
        let failed = |why: String| {
            let command = format!("{engine} info");
            unusable(engine, Some(Failed { command, why }))
        };
        let said: Value = serde_json::from_str(&said).map_err(|_| failed(format!("said no JSON: {said}")))?;
        // A client of Docker ends well even where the server does not answer.
        let errors = said["ServerErrors"].as_array().into_iter().flatten();
        let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
        if !errors.is_empty() {
            return Err(failed(format!("said: {}", errors.join("; "))));
        }
        Ok(match engine {
            Engine::Docker | Engine::Nerdctl => Self::of_docker(&said),
            Engine::Podman => Self::of_podman(&said),
        })
    }

    fn of_docker(said: &Value) -> Self {
        let text = |name: &str| text(&said[name]);
        let options = said["SecurityOptions"].as_array().into_iter().flatten();
        Self {
            version: text("ServerVersion").unwrap_or_else(|| "of an unknown release".to_owned()),
            architecture: text("Architecture"),
            data: text("DockerRootDir").map(PathBuf::from),
            rootless: options
                .filter_map(Value::as_str)
                .any(|option| option.contains("rootless")),
            cgroup: text("CgroupVersion").and_then(|version| version.parse().ok()),
            host: text("Name"),
            kernel: text("KernelVersion"),
        }
    }

    fn of_podman(said: &Value) -> Self {
        let host = &said["host"];
        let cgroup = text(&host["cgroupVersion"]);
        Self {
            version: text(&said["version"]["Version"]).unwrap_or_else(|| "of an unknown release".to_owned()),
            architecture: text(&host["arch"]),
            data: text(&said["store"]["graphRoot"]).map(PathBuf::from),
            rootless: host["security"]["rootless"].as_bool().unwrap_or_default(),
            cgroup: cgroup.and_then(|version| version.trim_start_matches('v').parse().ok()),
            host: text(&host["hostname"]),
            kernel: text(&host["kernel"]),
        }
    }

    /// Whether its machine is this one, and so its disk and its kernel's limits are.
    pub(super) fn is_here(&self) -> bool {
        self.host == sysinfo::System::host_name() && self.kernel == sysinfo::System::kernel_version()
    }

    pub(super) fn rootless_on_old_cgroups(&self) -> Option<Problem> {
        (self.rootless && self.cgroup == Some(1)).then(|| {
            Problem::new(
                "the engine is rootless on a machine with cgroup v1, where a node may not limit its pods",
                "boot it with systemd.unified_cgroup_hierarchy=1, or use an engine that runs as root",
            )
        })
    }
}

/// A text that is not empty.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// An architecture in Go's words, in which images have theirs.
pub(super) fn go_arch(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm",
        other => other,
    }
}
