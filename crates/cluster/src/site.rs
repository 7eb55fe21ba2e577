//! What the processes of one cluster share: a run directory, certificates, a place for logs, and patience.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::access;
use super::log::Ear;
use super::pki::{CLIENTS, Pki};
use super::process::{Invocation, Process};
use crate::ProviderError;
use kubeclash_components::Binary;
use kubeclash_host::run_dir::RunDir;

/// What the processes of one cluster share.
#[derive(Debug)]
pub(super) struct Site {
    /// The certificates.
    pub(super) pki: Pki,
    /// How long a component may take to become ready.
    pub(super) patience: Duration,
    logs: PathBuf,
    run: RunDir,
}

impl Site {
    /// Makes a run directory with certificates. Logs go to `logs`, or into the run directory, and then with it.
    pub(super) fn create(
        logs: Option<PathBuf>,
        patience: Duration,
        keep: bool,
    ) -> Result<Self, ProviderError> {
        let setup = |e: std::io::Error| ProviderError::Setup {
            what: "the run directory".to_owned(),
            why: e.to_string(),
        };
        // Somebody else may have installed one already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut run = RunDir::create().map_err(setup)?;
        if keep {
            run.keep();
        }
        let logs = logs.unwrap_or_else(|| run.path().join("logs"));
        fs::create_dir_all(&logs).map_err(setup)?;
        let pki = Pki::create(&run.path().join("pki"))?;
        Ok(Self {
            pki,
            patience,
            logs,
            run,
        })
    }

    /// The run directory.
    pub(super) fn path(&self) -> &Path {
        self.run.path()
    }

    /// The run directory, as what belongs to the run is registered in it.
    pub(super) fn run(&self) -> &RunDir {
        &self.run
    }

    /// The folder of the logs.
    pub(super) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Puts what is logged from now on into another folder.
    pub(super) fn log_to(&mut self, logs: PathBuf) -> Result<(), ProviderError> {
        fs::create_dir_all(&logs).map_err(|e| ProviderError::Setup {
            what: "the folder of the logs".to_owned(),
            why: e.to_string(),
        })?;
        self.logs = logs;
        Ok(())
    }

    /// The log of a component.
    pub(super) fn log(&self, component: &str) -> PathBuf {
        self.logs.join(format!("{component}.log"))
    }

    /// Starts a component.
    pub(super) fn start(&self, binary: &Binary, args: &[String]) -> Result<Process, ProviderError> {
        self.start_heard(binary, args, None)
    }

    /// Starts a component, of whose lines `ear` is told.
    pub(super) fn start_heard(
        &self,
        binary: &Binary,
        args: &[String],
        ear: Option<Ear>,
    ) -> Result<Process, ProviderError> {
        let name = binary.name.to_string();
        let invocation = Invocation {
            program: &binary.program,
            args,
            env: &[],
        };
        Process::start(&self.run, &self.log(&name), &name, &invocation, ear)
    }

    /// Writes a file that a component reads.
    pub(super) fn write(&self, file: &str, text: &str) -> Result<PathBuf, ProviderError> {
        let path = self.path().join(file);
        let failed = |e: std::io::Error| ProviderError::Setup {
            what: format!("\"{file}\""),
            why: e.to_string(),
        };
        super::pki::write(&path, text).map_err(failed)?;
        Ok(path)
    }

    /// Writes a kubeconfig for everybody who talks to the API server.
    pub(super) fn write_kubeconfigs(&self, api: u16) -> Result<(), ProviderError> {
        CLIENTS.iter().try_for_each(|(identity, ..)| {
            access::write_kubeconfig(&self.pki, identity, api, &self.kubeconfig(identity))
        })
    }

    /// The kubeconfig of an identity.
    pub(super) fn kubeconfig(&self, identity: &str) -> PathBuf {
        self.path().join(format!("{identity}.kubeconfig"))
    }

    /// The flags of a component that talks to the API server and serves its own health, on 127.0.0.1 only.
    pub(super) fn client_and_server(&self, binary: &Binary, port: u16) -> Vec<String> {
        let kubeconfig = self.kubeconfig(&binary.name.to_string());
        let mut flags = vec![
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect=false".to_owned(),
        ];
        flags.extend(self.serving(port));
        flags.push("--profiling=false".to_owned());
        flags
    }

    /// The flags of a component that serves on 127.0.0.1 only.
    ///
    /// With our certificate: making one of its own costs a component a third of a second.
    pub(super) fn serving(&self, port: u16) -> [String; 4] {
        let file = |name: &str| self.pki.file(name).display().to_string();
        [
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("serving.crt")),
            format!("--tls-private-key-file={}", file("serving.key")),
        ]
    }
}
