//! Files that the user names.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::{AccessFlags, access};
use tokio::process::Command;

use super::{
    Binary, ComponentError, ComponentName, Format, Origin, Platform, Program, Selection, Sha256, Version,
};

/// How long a given binary may take to say which version it is.
const ASK: Duration = Duration::from_secs(5);

/// A given file as a binary.
pub(super) async fn check_in(
    name: ComponentName,
    path: PathBuf,
    platform: &Platform,
) -> Result<Binary, ComponentError> {
    let path = std::path::absolute(&path).unwrap_or(path);
    check(&path, platform).map_err(|reason| {
        let help = reason.contains("does not exist").then(|| match name {
            ComponentName::Controller => "name a file that is there".to_owned(),
            _ => format!(
                "name a file that is there, or leave {} out to use {}",
                name.flag(),
                Selection::pinned(name.module()).shown(name)
            ),
        });
        ComponentError::Given {
            flag: name.flag(),
            env: name.env(),
            path: path.clone(),
            reason,
            help,
        }
    })?;
    let file = path.clone();
    let digest = tokio::task::spawn_blocking(move || Sha256::of_file(&file)).await;
    let sha256 = digest
        .map_err(std::io::Error::other)
        .and_then(|digest| digest)
        .map_err(|error| {
            let reason = format!("cannot be read: {error}");
            ComponentError::Given {
                flag: name.flag(),
                env: name.env(),
                path: path.clone(),
                reason,
                help: None,
            }
        })?;
    let version = ask(name, &path).await.unwrap_or_else(|| "unknown".to_owned());
    Ok(Binary {
        name,
        version,
        program: Program::File { path },
        sha256,
        origin: Origin::Given,
        build_log: None,
    })
}

/// Why a file cannot be a component, as the rest of a sentence.
pub(super) fn check(path: &Path, platform: &Platform) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be looked at: {error}"),
    })?;
    if metadata.is_dir() {
        return Err("is a directory, not a file".to_owned());
    }
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    access(path, AccessFlags::X_OK).map_err(|_| "is not executable".to_owned())?;
    let mut head = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| {
            std::io::Read::read_to_end(&mut std::io::Read::take(file, Format::HEAD as u64), &mut head)
        })
        .map_err(|error| format!("cannot be read: {error}"))?;
    platform.refuses(&head).map_or(Ok(()), Err)
}

/// The version that a binary says it is; a fork that says nothing is no less welcome.
pub(super) async fn ask(name: ComponentName, path: &Path) -> Option<String> {
    if name == ComponentName::Controller {
        // It may take no such argument, begin to work, and find a kubeconfig of the user's.
        return None;
    }
    let mut command = Command::new(path);
    command
        .args(version_arguments(name))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let answer = async {
        loop {
            match command.output().await {
                // The file was written just now, and a process that is being started inherited its descriptor: it
                // closes that at once.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                answer => return answer.ok(),
            }
        }
    };
    let output = tokio::time::timeout(ASK, answer).await.ok()??;
    version_in(name, &String::from_utf8_lossy(&output.stdout))
}

/// What a component is asked for its version with.
pub(super) fn version_arguments(name: ComponentName) -> &'static [&'static str] {
    match name {
        ComponentName::Descheduler | ComponentName::Kubeadm => &["version"],
        // Otherwise it asks a server for its version as well.
        ComponentName::Kubectl => &["version", "--client"],
        _ => &["--version"],
    }
}

/// The version in what a component printed.
pub(super) fn version_in(name: ComponentName, text: &str) -> Option<String> {
    let separators = [' ', '\n', '\t', ':', '{', '}', ',', '"'];
    text.split(separators).find_map(|word| {
        // Build metadata is no part of a release; official deschedulers say `v20260101-v0.36.0`.
        let word = word.split('+').next()?;
        let dated = word.split_once("-v").map(|(_, version)| version);
        let version: Version = [Some(word), dated]
            .into_iter()
            .flatten()
            .find_map(|word| word.parse().ok())?;
        Some(version.shown(name).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_binaries_print() {
        for (name, text, version) in [
            (ComponentName::Apiserver, "Kubernetes v1.36.3\n", "v1.36.3"),
            (
                ComponentName::Scheduler,
                "Kubernetes v1.36.3-rc.1+0123abc\n",
                "v1.36.3-rc.1",
            ),
            (
                ComponentName::Etcd,
                "etcd Version: 3.6.16\nGit SHA: x\nGo Version: go1.26.8\n",
                "3.6.16",
            ),
            (
                ComponentName::Kwok,
                "kwok version v0.8.0 go1.26.8 (linux/amd64)\n",
                "v0.8.0",
            ),
            (
                ComponentName::Descheduler,
                "Descheduler version {Major: Minor: GitVersion:v0.36.0 GitBranch:}",
                "v0.36.0",
            ),
            (
                ComponentName::Descheduler,
                "{Major:0 GitVersion:v20260101-v0.36.0 GitBranch:}",
                "v0.36.0",
            ),
        ] {
            assert_eq!(version_in(name, text).as_deref(), Some(version), "{text:?}");
        }
        assert_eq!(version_in(ComponentName::Scheduler, "my fork"), None);
    }
}
