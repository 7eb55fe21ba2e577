//! A component as a container: what it sees of this machine.
//!
//! The network is the host's. Of its files it sees the run directory, at the same place, and the files that its
//! arguments name; only who keeps data there may write.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::unistd::{getgid, getuid};
use testcontainers::core::AccessMode;

use kubeclash_components::ComponentName;
use kubeclash_host::docker::{Container, Order};
use kubeclash_host::run_dir::{RUN_VARIABLE, RunDir};

/// Begins to start a component in a container. What would start it by hand becomes the first line of its log.
pub(super) fn start(
    run: &RunDir,
    log: &Path,
    mut out: File,
    name: &str,
    (image, command): (&str, &[String]),
    (args, more): (&[String], &[(String, String)]),
) -> io::Result<Container> {
    let command: Vec<String> = command.iter().chain(args).cloned().collect();
    let mounts = mounts(run.path(), log, name, args);
    let volumes: String = mounts
        .iter()
        .map(|(path, access)| format!(" --volume={0}:{0}:{access}", path.display()))
        .collect();
    let (program, rest) = command
        .split_first()
        .map_or(("", &[][..]), |(p, rest)| (p.as_str(), rest));
    let (uid, gid) = (getuid(), getgid());
    writeln!(
        out,
        "# docker run --rm --network=host --user={uid}:{gid}{volumes} --entrypoint={program} {image} {}",
        rest.join(" ")
    )?;
    run.register_containers()?;
    // A tmpfs, which each container has for itself.
    let tmp = "/tmp".to_owned();
    Container::start(Order {
        run: run.path().to_owned(),
        component: name.to_owned(),
        image: image.to_owned(),
        command,
        network: "host",
        mounts,
        env: [
            ("HOME".to_owned(), tmp.clone()),
            ("TMPDIR".to_owned(), tmp),
            (RUN_VARIABLE.to_owned(), run.path().display().to_string()),
            ("GOGC".to_owned(), "400".to_owned()),
        ]
        .into_iter()
        .chain(more.iter().cloned())
        .collect(),
        log: out,
    })
}

fn mounts(run: &Path, log: &Path, name: &str, args: &[String]) -> Vec<(PathBuf, AccessMode)> {
    let is = |component: ComponentName| name == component.as_str();
    let keeps_data = is(ComponentName::Etcd) || is(ComponentName::Apiserver);
    let access = if keeps_data {
        AccessMode::ReadWrite
    } else {
        AccessMode::ReadOnly
    };
    let mut mounts = vec![(run.to_owned(), access)];
    // The API server's audit log lies beside its own.
    let logs = log
        .parent()
        .filter(|logs| is(ComponentName::Apiserver) && !logs.starts_with(run));
    mounts.extend(logs.map(|logs| (logs.to_owned(), AccessMode::ReadWrite)));
    for file in args
        .iter()
        .filter_map(|arg| Some(Path::new(arg.split_once('=')?.1)))
    {
        let seen = mounts.iter().any(|(mounted, _)| file.starts_with(mounted));
        if file.is_absolute() && file.is_file() && !seen {
            mounts.push((file.to_owned(), AccessMode::ReadOnly));
        }
    }
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_sees_its_run_and_what_its_arguments_name() {
        let dir = tempfile::tempdir().unwrap();
        let (run, config) = (dir.path().join("run"), dir.path().join("config.yaml"));
        std::fs::create_dir(&run).unwrap();
        std::fs::write(&config, "").unwrap();
        std::fs::write(run.join("kubeconfig"), "").unwrap();
        let logs = dir.path().join("logs");
        let seen = |name: &str, args: &[String]| {
            let mounts = mounts(&run, &logs.join("x.log"), name, args);
            let line = |(path, access): &(PathBuf, AccessMode)| {
                let path = path.strip_prefix(dir.path()).unwrap_or(path);
                format!("{} {access}", path.display())
            };
            mounts.iter().map(line).collect::<Vec<_>>().join(", ")
        };
        let args = [
            format!("--kubeconfig={}", run.join("kubeconfig").display()),
            format!("--config={}", config.display()),
            format!("--cert-dir={}", dir.path().display()),
            "--policy=relative.yaml".to_owned(),
            "--v=3".to_owned(),
        ];
        assert_eq!(seen("kube-scheduler", &args), "run ro, config.yaml ro");
        assert_eq!(seen("kube-apiserver", &[]), "run rw, logs rw");
        assert_eq!(seen("etcd", &[]), "run rw");
    }
}
