//! Building with `go build`: the modules that are embedded in this binary, and any other version of any public module.

use std::path::Path;

use super::builder::{BuildFailure, Builder, GoVersion, Workshop};
use super::embedded::{go_mod, unpack};
use super::go::run;
use super::module::Found;
use super::{ComponentName, Module, Selection};

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
    /// The oldest Go that builds a module, from its go.mod.
    #[must_use]
    pub fn needs(module: Module) -> &'static str {
        go_mod(module)
            .lines()
            .find_map(|line| line.strip_prefix("go "))
            .unwrap_or_default()
            .trim()
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
