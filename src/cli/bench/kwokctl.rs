//! A cluster of kwokctl's, beside which ours are measured.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::cli::Failure;
use crate::exit;
use kubeclash_components::{ComponentName, Program};

/// kwokctl with a home of its own: the user's work directory and kubeconfig are not touched.
pub(super) struct Kwokctl {
    program: String,
    home: PathBuf,
}

impl Kwokctl {
    pub(super) fn new(program: &Program, home: PathBuf) -> Self {
        Self {
            program: program.to_string(),
            home,
        }
    }

    /// Its cluster's kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.home.join("kubeconfig")
    }

    /// Creates a cluster of these binaries, until it says that it is ready.
    pub(super) async fn create(&self, binary: &dyn Fn(ComponentName) -> String) -> Result<Duration, Failure> {
        std::fs::create_dir_all(&self.home).map_err(|e| failed("create", e.to_string()))?;
        let created = Instant::now();
        let kubeconfig = self.kubeconfig().display().to_string();
        let args = [
            "create".to_owned(),
            "cluster".to_owned(),
            "--runtime=binary".to_owned(),
            "--wait=60s".to_owned(),
            format!("--kubeconfig={kubeconfig}"),
            format!("--etcd-binary={}", binary(ComponentName::Etcd)),
            format!("--kube-apiserver-binary={}", binary(ComponentName::Apiserver)),
            format!(
                "--kube-controller-manager-binary={}",
                binary(ComponentName::ControllerManager)
            ),
            format!("--kube-scheduler-binary={}", binary(ComponentName::Scheduler)),
            format!("--kwok-controller-binary={}", binary(ComponentName::Kwok)),
        ];
        succeeded("create", &self.run(&args).await?)?;
        Ok(created.elapsed())
    }

    /// Makes so many nodes.
    pub(super) async fn scale(&self, nodes: usize) -> Result<(), Failure> {
        let args = ["scale", "node", "--replicas"].map(str::to_owned);
        let args: Vec<String> = args.into_iter().chain([nodes.to_string()]).collect();
        succeeded("scale", &self.run(&args).await?)
    }

    /// Deletes its cluster.
    pub(super) async fn delete(&self) -> Result<(), Failure> {
        let args = ["delete", "cluster"].map(str::to_owned);
        succeeded("delete", &self.run(&args).await?)
    }

    async fn run(&self, args: &[String]) -> Result<Output, Failure> {
        let home: &Path = &self.home;
        tokio::process::Command::new(&self.program)
            .args(args)
            .env("KWOK_WORKDIR", home)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|e| failed(&args[0], e.to_string()))
    }
}

fn succeeded(what: &str, output: &Output) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(what, said.trim().to_owned()))
}

fn failed(what: &str, why: String) -> Failure {
    Failure::new(exit::ERROR, format!("kwokctl {what}: {why}"))
}
