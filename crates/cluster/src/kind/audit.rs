//! The audit log, copied out of the control plane's node as it grows.
//!
//! Through the engine and not by a mount: the file is root's.

use std::fs::OpenOptions;
use std::process::Stdio;

use tokio::process::Child;

use super::config::{AUDIT_LOG, CONTROL_PLANE};
use super::failed;
use super::made::Made;
use crate::ProviderError;
use crate::site::Site;
use kubeclash_host::engine::Engine;
use kubeclash_host::run_dir::RUN_VARIABLE;

/// What runs in the node: it ends when its input does, which is when its reader goes, in whatever way.
const FOLLOW: &str =
    "tail \"--bytes=+$1\" --follow=name --retry --sleep-interval=0.1 \"$2\" & cat >/dev/null; kill $!";

/// Copies the audit log until it is dropped.
#[derive(Debug)]
pub(super) struct Follower {
    /// With the pipe that is its input.
    _child: Child,
}

impl Follower {
    /// Begins after what was heard before, in bytes.
    pub(super) fn start(engine: Engine, made: &Made, site: &Site, heard: u64) -> Result<Self, ProviderError> {
        let follow = || {
            let out = OpenOptions::new()
                .create(true)
                .append(true)
                .open(site.log("audit"))?;
            let (node, from) = (made.container(CONTROL_PLANE), (heard + 1).to_string());
            let args = [
                "exec",
                "--interactive",
                &node,
                "sh",
                "-c",
                FOLLOW,
                "sh",
                &from,
                AUDIT_LOG,
            ];
            let child = engine
                .command(&args)
                .stdin(Stdio::piped())
                .stdout(out)
                .stderr(Stdio::null())
                .env(RUN_VARIABLE, site.path())
                .spawn()?;
            if let Some(pid) = child.id() {
                site.run().register("audit", pid);
            }
            Ok::<_, std::io::Error>(Self { _child: child })
        };
        follow().map_err(|e| failed("copy the audit log", e.to_string()))
    }

    /// How long the log is by now, in bytes.
    pub(super) async fn length(engine: Engine, made: &Made) -> Result<u64, ProviderError> {
        let wrong = |why: String| failed("look at the audit log", why);
        let size = [
            "exec",
            &made.container(CONTROL_PLANE),
            "stat",
            "--format=%s",
            AUDIT_LOG,
        ];
        let size = engine.run(&size).await.map_err(|e| wrong(e.to_string()))?;
        size.parse().map_err(|_| wrong(format!("its size is \"{size}\"")))
    }
}
