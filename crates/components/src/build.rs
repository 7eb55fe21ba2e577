//! Building with `go build`: the modules that are embedded in this binary, and any other version of any public module.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use include_dir::{Dir, include_dir};
use tokio::process::Command;

use super::entry::{Lock, Staging};
use super::go::{Ended, Log, run};
use super::module::{Found, Workshop};
use super::{ComponentName, Module, Selection, Sha256, Version};

static MODULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/modules");

/// How long `go env` may take; it only reads a file or two.
const ASK: Duration = Duration::from_secs(10);

/// A Go release, as `go env GOVERSION` has it: `go1.26.8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoVersion(pub String);

impl GoVersion {
    /// Whether it is at least `wanted`, which is written as in go.mod (`1.26.0`). What cannot be read is not.
    #[must_use]
    pub fn at_least(&self, wanted: &str) -> bool {
        let numbers = |text: &str| -> Option<Vec<u32>> {
            let text = text.trim_start_matches("go").split([' ', '-', '+']).next()?;
            // `1.27rc1` is before 1.27.0, but close enough: go itself has the last word.
            text.split('.')
                .map(|part| part.split(char::is_alphabetic).next()?.parse().ok())
                .collect()
        };
        match (numbers(&self.0), numbers(wanted)) {
            (Some(have), Some(wanted)) => have >= wanted,
            _ => false,
        }
    }
}

/// Runs `go build`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// The `go` command: a name to be found on `PATH`, or a path.
    pub go: PathBuf,
    /// More environment for it.
    pub env: Vec<(OsString, OsString)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            go: "go".into(),
            env: Vec::new(),
        }
    }
}

/// Why a component could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildFailure {
    #[error("there is no \"{}\" to build with ({reason})", go.display())]
    NoGo { go: PathBuf, reason: String },
    #[error("there is no {package}@{query}: {reason}")]
    NoModule {
        package: String,
        query: String,
        reason: String,
    },
    #[error("{package} in \"{}\" is package {kind}, and a program is package main", dir.display())]
    NoProgram {
        package: String,
        dir: PathBuf,
        kind: String,
    },
    #[error("GOSUMDB is \"off\", so that nothing would vouch for what is built")]
    Unchecked,
    #[error("go {status}; it said:\n{tail}{}", kept(log.as_deref()))]
    Failed {
        status: String,
        tail: String,
        log: Option<PathBuf>,
    },
    #[error("cannot write: {0}")]
    Local(std::io::Error),
}

fn kept(log: Option<&Path>) -> String {
    log.map(|log| format!("\n    all of it is in \"{}\"", log.display()))
        .unwrap_or_default()
}

impl BuildFailure {
    /// What to do next, whatever was being built; nothing where that depends on it.
    pub(super) fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoModule { .. } => {
                Some("see whether there is such a version, and whether go reaches its module proxy")
            }
            Self::NoProgram { .. } => Some("write src:DIR#./cmd/NAME with the folder of a main package"),
            Self::Unchecked => Some("unset GOSUMDB (see \"go env GOSUMDB\")"),
            Self::Failed { tail, .. } if tail.contains("no space left") => Some(
                "a disk is full: make room for the cache (KUBECLASH_CACHE moves it), for Go's own (GOCACHE) and for \
                 temporary files (TMPDIR)",
            ),
            Self::NoGo { .. } | Self::Failed { .. } | Self::Local(_) => None,
        }
    }

    /// With all that go said kept beside the entry that could not be made.
    pub(super) fn kept(self, lock: &Lock, room: &Staging) -> Self {
        match self {
            Self::Failed {
                status,
                tail,
                log: None,
            } => Self::Failed {
                status,
                tail,
                log: lock.keep_failed(&room.beside(Log::NAME)),
            },
            other => other,
        }
    }
}

/// What is built into one folder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ground<'a> {
    /// A module that is embedded, with everything pinned.
    Embedded(Module),
    /// What was found of any other, with the query that found it: a wrapper is made.
    Found(&'a Found, &'a str),
}

/// A program that is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// The path of its main package.
    pub(super) package: String,
    /// The name of its file.
    pub(super) file: &'static str,
}

impl Program {
    /// A component as its upstream has it.
    pub(super) fn of(name: ComponentName) -> Self {
        Self {
            package: name.package().to_owned(),
            file: name.program(),
        }
    }
}

impl Builder {
    /// The Go that is here, asked without letting it fetch another one.
    ///
    /// # Errors
    ///
    /// What the system says when there is none, or what go says.
    pub async fn version(&self) -> Result<GoVersion, String> {
        self.version_in(&std::env::temp_dir(), &[("GOTOOLCHAIN", "local")])
            .await
    }

    /// The Go that go.mod in a folder makes of it.
    async fn version_in(&self, folder: &Path, env: &[(&str, &str)]) -> Result<GoVersion, String> {
        let mut command = Command::new(&self.go);
        command
            .args(["env", "GOVERSION"])
            .envs(self.env.iter().cloned())
            .envs(env.iter().copied());
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = match tokio::time::timeout(ASK, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("\"go env\" did not answer within {} s", ASK.as_secs())),
        };
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(GoVersion(said(&output.stdout)))
        } else {
            Err(said(&output.stderr)
                .lines()
                .last()
                .unwrap_or("go env failed")
                .to_owned())
        }
    }

    /// The oldest Go that builds a module, from its go.mod.
    #[must_use]
    pub fn needs(module: Module) -> &'static str {
        go_mod(module)
            .lines()
            .find_map(|line| line.strip_prefix("go "))
            .unwrap_or_default()
            .trim()
    }

    /// The Go that is here, or that there is none.
    pub(super) async fn go_version(&self) -> Result<GoVersion, BuildFailure> {
        self.version().await.map_err(|reason| BuildFailure::NoGo {
            go: self.go.clone(),
            reason,
        })
    }

    /// Builds programs of one module into `out`, which are those that the module itself has where it is embedded. Whoever drops the future kills go and all that it started.
    pub(super) async fn build(
        &self,
        ground: Ground<'_>,
        programs: &[Program],
        out: &Path,
        shop: &Workshop<'_>,
    ) -> Result<GoVersion, BuildFailure> {
        let mut packages: Vec<_> = programs.iter().map(|program| program.package.clone()).collect();
        let stamp = match ground {
            Ground::Embedded(module) => {
                if let Some(own) = module.own_program() {
                    packages = vec![own.to_owned()];
                }
                unpack(module, shop.folder).map_err(BuildFailure::Local)?;
                ldflags(module.upstream(), Selection::pinned(module).tag())
            }
            Ground::Found(found, query) => {
                self.wrap(found, query, &packages, shop).await?;
                ldflags(&found.module, &found.version)
            }
        };
        let mut command = self.command(shop, "-mod=readonly");
        command.args(["build", "-v", "-trimpath", "-ldflags", &stamp, "-o"]);
        match programs {
            // With a file named, as go itself would call etcd's package `server`.
            [program] => command.arg(out.join(program.file)),
            _ => command.arg(out),
        };
        command.args(packages);
        run(command, shop.log, shop.task)
            .await
            .map_err(|ended| self.failed(ended))?;
        self.used(shop.folder).await
    }

    /// The Go that builds in a folder: its go.mod may have made go fetch a newer one, which is here by now.
    pub(super) async fn used(&self, folder: &Path) -> Result<GoVersion, BuildFailure> {
        match self.version_in(folder, &[]).await {
            Ok(go) => Ok(go),
            Err(_) => self.go_version().await,
        }
    }

    pub(super) fn failed(&self, ended: Ended) -> BuildFailure {
        match ended {
            Ended::Start(error) => BuildFailure::NoGo {
                go: self.go.clone(),
                reason: error.to_string(),
            },
            Ended::Badly { status, tail } => BuildFailure::Failed {
                status,
                tail,
                log: None,
            },
        }
    }
}

/// What makes a binary report its release as the official one does; without it, kube-apiserver calls itself
/// `v0.0.0-master+$Format:%H$` and clients refuse it.
pub(super) fn ldflags(module: &str, version: &str) -> String {
    let variables = match module {
        "k8s.io/kubernetes" => {
            let package = "k8s.io/component-base/version";
            let mut numbers = version.trim_start_matches('v').split('.');
            let (major, minor) = (
                numbers.next().unwrap_or_default(),
                numbers.next().unwrap_or_default(),
            );
            format!(
                " -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
            )
        }
        "sigs.k8s.io/kwok" => format!(" -X sigs.k8s.io/kwok/pkg/consts.Version={version}"),
        "sigs.k8s.io/descheduler" => format!(" -X sigs.k8s.io/descheduler/pkg/version.version={version}"),
        "sigs.k8s.io/metrics-server" => format!(" -X k8s.io/client-go/pkg/version.gitVersion={version}"),
        "sigs.k8s.io/cri-tools" => format!(" -X sigs.k8s.io/cri-tools/pkg/version.Version={version}"),
        "github.com/containerd/containerd/v2" => format!(" -X {module}/version.Version={version}"),
        "github.com/containernetworking/plugins" => {
            format!(" -X {module}/pkg/utils/buildversion.BuildVersion={version}")
        }
        // etcd and kind have their release in their source; of others nobody knows where it would belong.
        _ => String::new(),
    };
    format!("-s -w{variables}")
}

fn go_mod(module: Module) -> &'static str {
    MODULES
        .get_file(format!("{module}/go.mod"))
        .and_then(|file| file.contents_utf8())
        .expect("every module has a go.mod in UTF-8, which a test checks")
}

/// Every file of a module, by its path in it.
fn files(module: Module) -> BTreeMap<&'static Path, &'static [u8]> {
    fn gather(dir: &'static Dir<'static>, root: &Path, found: &mut BTreeMap<&'static Path, &'static [u8]>) {
        for file in dir.files() {
            let path = file.path().strip_prefix(root);
            found.insert(path.expect("it lies below its module"), file.contents());
        }
        for dir in dir.dirs() {
            gather(dir, root, found);
        }
    }
    let mut found = BTreeMap::new();
    if let Some(dir) = MODULES.get_dir(module.as_str()) {
        gather(dir, dir.path(), &mut found);
    }
    found
}

fn unpack(module: Module, to: &Path) -> std::io::Result<()> {
    for (path, contents) in files(module) {
        let path = to.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(to))?;
        std::fs::write(path, contents)?;
    }
    Ok(())
}

/// What tells one state of our own source from another, where a release is built from such: of the pinned release of a
/// module that has any.
pub(super) fn source_digest(module: Module, version: &Version) -> Option<String> {
    if !module.has_source() || *version != Selection::pinned(module) {
        return None;
    }
    let mut digest = Sha256::default();
    for (path, contents) in files(module) {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update(&(contents.len() as u64).to_le_bytes());
        digest.update(contents);
    }
    Some(digest.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_here_is_what_the_modules_pin() {
        for module in Module::ALL {
            assert!(!Builder::needs(module).is_empty());
            if module == Module::Pods {
                continue;
            }
            let line = format!("{} {}", module.upstream(), Selection::pinned(module));
            let pins = |text: &str| text.trim_start_matches("require ").trim() == line;
            assert!(
                go_mod(module).lines().any(pins),
                "components/{module}/go.mod does not require {line}"
            );
        }
    }

    #[test]
    fn every_package_is_named_by_its_modules_tools() {
        for name in ComponentName::EVERY {
            if name.module().has_source() {
                continue;
            }
            let tools = MODULES.get_file(format!("{}/tools.go", name.module())).unwrap();
            let import = format!("_ \"{}\"", name.package());
            assert!(tools.contents_utf8().unwrap().contains(&import), "{name}");
        }
    }

    #[test]
    fn source_of_our_own_is_unpacked_with_its_folders_and_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        unpack(Module::Pods, dir.path()).unwrap();
        for file in ["go.mod", "cmd/burn/main.go", "cmd/pause/main.go"] {
            assert!(dir.path().join(file).is_file(), "{file}");
        }
        let digest = |module| source_digest(module, &Selection::pinned(module));
        assert!(digest(Module::Pods).is_some() && digest(Module::Pods) != digest(Module::MetricsServer));
        assert_eq!(digest(Module::Etcd), None, "its release says all");
        let other = "v0.8.0".parse().unwrap();
        assert_eq!(
            source_digest(Module::MetricsServer, &other),
            None,
            "that one is its project's own"
        );
    }

    #[test]
    fn go_versions_are_compared_by_number() {
        let go = |text: &str| GoVersion(text.to_owned());
        assert!(go("go1.26.8").at_least("1.26.0"));
        assert!(go("go1.100.0").at_least("1.26.0"));
        assert!(!go("go1.9.2").at_least("1.26.0"));
        assert!(!go("devel").at_least("1.26.0"));
    }
}
