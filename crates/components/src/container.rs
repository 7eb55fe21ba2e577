//! Images that Docker runs: found or pulled, and how their program is called.

use std::time::Duration;

use oci_client::Reference;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::ImageInspect;
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

use super::{Binary, ComponentError, ComponentName, Origin, Platform, Program, State, given};
use kubeclash_host::docker::{self, Container, Order, State as Stage};
use kubeclash_host::progress::Progress;
use kubeclash_host::run_dir::{RUN_VARIABLE, RunDir};

/// How long a program may take to say which version it is, once its container is there.
const ASK: Duration = Duration::from_secs(10);

/// Why an image is no component, and what to do next.
struct Refusal {
    reason: String,
    help: Option<String>,
}

impl From<docker::Trouble> for Refusal {
    fn from(trouble: docker::Trouble) -> Self {
        Self {
            reason: format!("needs Docker, which {}", trouble.reason),
            help: Some(trouble.help),
        }
    }
}

impl Refusal {
    fn new(reason: impl Into<String>, help: &str) -> Self {
        Self {
            reason: reason.into(),
            help: Some(help.to_owned()),
        }
    }
}

/// An image as a component: pulled where Docker does not have it, and asked for its version.
pub(super) async fn resolve(
    name: ComponentName,
    reference: String,
    platform: &Platform,
    progress: &Progress,
) -> Result<Binary, ComponentError> {
    let reference = reference.replace('*', name.program());
    let found = look(name, &reference, platform, progress).await;
    found.map_err(|Refusal { reason, help }| ComponentError::Image {
        flag: name.flag(),
        env: name.env(),
        reference: reference.clone(),
        reason,
        help,
    })
}

/// What there is of an image, without pulling it: for [`Resolver::probe`](super::Resolver::probe).
pub(super) async fn probe(name: ComponentName, reference: &str, platform: &Platform) -> State {
    let reference = reference.replace('*', name.program());
    let looked = async {
        let (docker, _) = docker::on_this_machine().await?;
        match docker.inspect_image(&reference).await {
            Ok(image) => made_for(&image, platform).map(|()| image.id),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(Refusal {
                reason: docker::words(&error),
                help: None,
            }),
        }
    };
    match looked.await {
        Ok(Some(id)) => State::Image { id },
        Ok(None) => State::Missing {
            plan: vec![format!("let Docker pull {reference}")],
        },
        Err(Refusal { reason, .. }) => State::Unusable { problem: reason },
    }
}

async fn look(
    name: ComponentName,
    reference: &str,
    platform: &Platform,
    progress: &Progress,
) -> Result<Binary, Refusal> {
    let (docker, _) = docker::on_this_machine().await?;
    let inspected = match docker.inspect_image(reference).await {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => {
            pull(name, reference, platform, progress).await?;
            docker.inspect_image(reference).await
        }
        inspected => inspected,
    };
    let image = inspected.map_err(|error| Refusal {
        reason: format!("can't be looked at: {}", docker::words(&error)),
        help: None,
    })?;
    made_for(&image, platform)?;
    let config = image.config.clone().unwrap_or_default();
    let command = command(
        name,
        config.entrypoint.as_deref().unwrap_or_default(),
        config.cmd.as_deref().unwrap_or_default(),
    )?;
    let id = image.id.clone().unwrap_or_default();
    let version = ask(name, &id, &command).await?;
    let digests = image.repo_digests.unwrap_or_default();
    let digest = digests.iter().find_map(|digest| digest.split_once('@'));
    Ok(Binary {
        name,
        version: version.unwrap_or_else(|| "unknown".to_owned()),
        sha256: id.trim_start_matches("sha256:").to_owned(),
        origin: Origin::Container {
            reference: reference.to_owned(),
            digest: digest.map_or_else(|| id.clone(), |(_, digest)| digest.to_owned()),
        },
        program: Program::Image { image: id, command },
        build_log: None,
    })
}

async fn pull(
    name: ComponentName,
    reference: &str,
    platform: &Platform,
    progress: &Progress,
) -> Result<(), Refusal> {
    let help = "see whether \"docker pull\" gets it; a private registry wants a \"docker login\"";
    let whole = reference
        .parse::<Reference>()
        .map_err(|error| Refusal::new(error.to_string(), help))?
        .whole();
    // testcontainers puts both together again with a colon, which for a digest is the one within it.
    let (repository, tag) = whole.rsplit_once(':').unwrap_or((&whole, "latest"));
    progress.println(format!("{name}: Docker is pulling {whole}"));
    let task = progress.task(format!("{name} {reference}"));
    task.say("Docker is pulling it");
    let request = GenericImage::new(repository, tag).with_platform(platform.to_string());
    match request.pull_image().await {
        Ok(_) => {
            task.finish("pulled");
            Ok(())
        }
        Err(error) => Err(Refusal::new(
            format!("is not there, and can't be pulled: {}", docker::reason(&error)),
            help,
        )),
    }
}

fn made_for(image: &ImageInspect, platform: &Platform) -> Result<(), Refusal> {
    let theirs = Platform::new(
        image.os.as_deref().unwrap_or_default(),
        image.architecture.as_deref().unwrap_or_default(),
    );
    if theirs == *platform {
        return Ok(());
    }
    Err(Refusal::new(
        format!("is made for {theirs}, and this machine is {platform}"),
        "name an image that was built for this platform, too (\"docker buildx build --platform\")",
    ))
}

/// Programs that do nothing but run what their arguments name.
const WRAPPERS: [&str; 4] = ["go-runner", "tini", "dumb-init", "catatonit"];

/// How an image's program is called, before any arguments of ours.
///
/// 1. An `ENTRYPOINT` that is the program is kept, and our arguments replace the `CMD`, as with `docker run IMAGE ARGS`.
/// 2. An `ENTRYPOINT` that only runs its arguments (`go-runner` of the official images of Kubernetes, `tini --`) is
///    followed by the `CMD` up to its first flag, or by the component's name, as kubeadm calls it.
/// 3. Without an `ENTRYPOINT` it is the `CMD` up to its first flag: the descheduler's is `/bin/descheduler --help`.
/// 4. Without either, or with nothing but the shell of a base image, it is the component's name, looked up on the
///    image's `PATH`.
///
/// A program that is started by `sh -c` takes no arguments, and is refused.
fn command(name: ComponentName, entrypoint: &[String], cmd: &[String]) -> Result<Vec<String>, Refusal> {
    for words in [entrypoint, cmd] {
        if is(words.first(), &SHELLS) && words.get(1).is_some_and(|word| word == "-c") {
            return Err(Refusal::new(
                format!("starts its program through a shell, which takes no arguments: {words:?}"),
                "write its ENTRYPOINT as a list, as in ENTRYPOINT [\"/bin/scheduler\"]",
            ));
        }
    }
    let default: Vec<String> = cmd
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .cloned()
        .collect();
    let named = if default.is_empty() || (default.len() == 1 && is(default.first(), &SHELLS)) {
        vec![name.program().to_owned()]
    } else {
        default
    };
    let wraps = is(entrypoint.first(), &WRAPPERS) || entrypoint.last().is_some_and(|word| word == "--");
    // A wrapper that is already told what to run is a program like any other.
    let told = entrypoint.iter().skip(1).any(|word| !word.starts_with('-'));
    Ok(match entrypoint {
        [] => named,
        words if wraps && !told => words.iter().cloned().chain(named).collect(),
        words => words.to_vec(),
    })
}

/// Shells that a base image may have as its `CMD`.
const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];

/// Whether a command is one of these, wherever it lies.
fn is(word: Option<&String>, names: &[&str]) -> bool {
    word.is_some_and(|word| names.contains(&word.rsplit('/').next().unwrap_or_default()))
}

/// The version that the program says it is, in a container like the one that it will run in, but without a network.
///
/// Not the image's label `org.opencontainers.image.version`: many images have it from what they were built on.
async fn ask(name: ComponentName, image: &str, command: &[String]) -> Result<Option<String>, Refusal> {
    let local = |error: std::io::Error| Refusal {
        reason: format!("can't be asked for its version: {error}"),
        help: None,
    };
    let run = RunDir::create().map_err(local)?;
    run.register_containers().map_err(local)?;
    let log = run.path().join("version.log");
    let command: Vec<String> = command
        .iter()
        .cloned()
        .chain(
            given::version_arguments(name)
                .iter()
                .map(|word| (*word).to_owned()),
        )
        .collect();
    let mut container = Container::start(Order {
        run: run.path().to_owned(),
        component: name.to_string(),
        image: image.to_owned(),
        command,
        network: "none",
        mounts: Vec::new(),
        env: vec![(RUN_VARIABLE.to_owned(), run.path().display().to_string())],
        log: std::fs::File::create(&log).map_err(local)?,
    })
    .map_err(local)?;
    let state = tokio::time::timeout(ASK, container.exited()).await;
    container.kill();
    container.gone().await;
    match state {
        Ok(Stage::Failed(why)) => Err(Refusal::new(
            format!("does not start: {why}"),
            "its ENTRYPOINT, or else its CMD, should be the program",
        )),
        // A fork that says nothing is no less welcome.
        _ => Ok(given::version_in(
            name,
            &std::fs::read_to_string(&log).unwrap_or_default(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(entrypoint: &[&str], cmd: &[&str]) -> String {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match command(ComponentName::Scheduler, &words(entrypoint), &words(cmd)) {
            Ok(words) => words.join(" "),
            Err(refusal) => refusal.reason,
        }
    }

    #[test]
    fn an_entrypoint_that_is_the_program_is_kept_and_its_default_arguments_are_not() {
        assert_eq!(called(&["/scheduler"], &[]), "/scheduler");
        assert_eq!(called(&["/scheduler", "--v=2"], &["--help"]), "/scheduler --v=2");
        assert_eq!(called(&["/scheduler"], &["help"]), "/scheduler");
        assert_eq!(
            called(&["/tini", "--", "/scheduler"], &["--v=2"]),
            "/tini -- /scheduler"
        );
    }

    #[test]
    fn an_entrypoint_that_runs_its_arguments_is_told_what_to_run() {
        assert_eq!(called(&["/go-runner"], &[]), "/go-runner kube-scheduler");
        assert_eq!(
            called(&["/go-runner"], &["/my/scheduler", "--v=2"]),
            "/go-runner /my/scheduler"
        );
        assert_eq!(
            called(&["/sbin/tini", "-g", "--"], &[]),
            "/sbin/tini -g -- kube-scheduler"
        );
    }

    #[test]
    fn without_an_entrypoint_it_is_the_command_or_the_name() {
        assert_eq!(called(&[], &["/bin/descheduler", "--help"]), "/bin/descheduler");
        assert_eq!(called(&[], &["kube-scheduler"]), "kube-scheduler");
        for cmd in [&[][..], &["bash"], &["/bin/sh"], &["--v=2"]] {
            assert_eq!(called(&[], cmd), "kube-scheduler", "{cmd:?}");
        }
    }

    #[test]
    fn a_shell_in_between_is_refused() {
        let shell = ["/bin/sh", "-c", "/scheduler --v=2"];
        assert!(called(&shell, &[]).contains("through a shell"));
        assert!(called(&[], &shell).contains("through a shell"));
    }

    #[test]
    fn an_image_of_another_platform_is_refused() {
        let image = ImageInspect {
            os: Some("linux".to_owned()),
            architecture: Some("arm64".to_owned()),
            ..ImageInspect::default()
        };
        assert!(made_for(&image, &Platform::new("linux", "arm64")).is_ok());
        let refusal = made_for(&image, &Platform::new("linux", "amd64")).err().unwrap();
        assert_eq!(
            refusal.reason,
            "is made for linux/arm64, and this machine is linux/amd64"
        );
    }
}
