//! Programs that take part as controllers of a case: each with a certificate, a kubeconfig and a log of its own.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::ports::{self, Port};
use super::process::{Invocation, Process};
use super::site::Site;
use super::{access, wait};
use crate::ProviderError;
use kubeclash_components::{Binary, ComponentName};

/// How the user begins that a controller of a case is known as.
pub const CONTROLLER: &str = "controller:";

/// How long a controller may take to end when it is asked to.
const END: Duration = Duration::from_secs(5);

/// How often the audit log is looked at for a controller's first request.
const LOOK: Duration = Duration::from_millis(50);

/// The longest name of a controller.
const LONGEST: usize = 40;

/// A program that takes part as a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// What it is called: the audit log knows it by this name.
    pub name: String,
    /// What is started.
    pub binary: Binary,
    /// Its arguments. `${kubeconfig}` is the file of its kubeconfig, `${port}` a port that is free, and `${certs}` a folder with
    /// `ca.crt`, `tls.crt` and `tls.key`, with which it can serve on this machine.
    pub args: Vec<String>,
    /// Its environment, with the same values in it.
    pub env: BTreeMap<String, String>,
    /// Where it answers 200 when it is ready: `:8081/healthz`, `:${port}/healthz`. Without it, it is ready when it has asked the API
    /// server for something.
    pub ready: Option<String>,
}

/// That a name can be one of a controller: it becomes part of file names and of a user's name.
///
/// # Errors
/// Why it can't, in words.
pub fn controller_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let taken = ["descheduler", "apply"].contains(&name) || name.parse::<ComponentName>().is_ok();
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return Err(format!(
            "\"{name}\" is no controller's name: write small letters, digits and dashes, {LONGEST} at most"
        ));
    }
    if taken {
        return Err(format!("\"{name}\" is what kubeclash calls something of its own"));
    }
    Ok(())
}

/// Controllers that run, and those that have ended without a word.
#[derive(Debug, Default)]
pub(super) struct Controllers {
    running: Vec<Running>,
    idle: Vec<String>,
}

#[derive(Debug)]
struct Running {
    name: String,
    process: Process,
    /// Whether it has asked the API server for anything; nothing where that is not written down.
    asked: Option<watch::Receiver<bool>>,
    /// Where it answers when it is well.
    ready: Option<String>,
    _listener: Option<AbortOnDropHandle<()>>,
    _port: Port,
}

impl Controllers {
    /// Starts one, in the place of one of its name that runs, and waits until it is ready.
    ///
    /// # Errors
    /// When it can't be started, exits, or does not become ready.
    pub(super) async fn start(
        &mut self,
        site: &Site,
        controller: &Controller,
        api: u16,
        audit: Option<&Path>,
    ) -> Result<(), ProviderError> {
        let name = &controller.name;
        let setup = |why: String| ProviderError::Setup {
            what: format!("controller \"{name}\""),
            why,
        };
        controller_name(name).map_err(setup)?;
        self.stop(name).await;
        let identity = format!("controller-{name}");
        site.pki.issue_client(&identity, &format!("{CONTROLLER}{name}"))?;
        let kubeconfig = site.kubeconfig(&identity);
        access::write_kubeconfig(&site.pki, &identity, api, &kubeconfig)?;
        let [port]: [Port; 1] = ports::claim()?;
        let number = port.number.to_string();
        let certs = site.pki.file(&format!("{identity}-certs"));
        site.pki.issue_serving(&certs)?;
        let filled = |text: &str| {
            text.replace("${kubeconfig}", &kubeconfig.display().to_string())
                .replace("${certs}", &certs.display().to_string())
                .replace("${port}", &number)
        };
        let args: Vec<String> = controller.args.iter().map(|arg| filled(arg)).collect();
        let mut env: Vec<(String, String)> =
            vec![("KUBECONFIG".to_owned(), kubeconfig.display().to_string())];
        env.extend(
            controller
                .env
                .iter()
                .map(|(key, value)| (key.clone(), filled(value))),
        );
        let witness = audit.map(|log| witness(log.to_owned(), &format!("{CONTROLLER}{name}")));
        let invocation = Invocation {
            program: &controller.binary.program,
            args: &args,
            env: &env,
        };
        let process = Process::start(site.run(), &site.log(&identity), name, &invocation, None)?;
        let (asked, listener) = witness.unzip();
        let mut running = Running {
            name: name.clone(),
            process,
            asked,
            ready: controller.ready.as_deref().map(filled),
            _listener: listener,
            _port: port,
        };
        running.become_ready(site.patience).await?;
        self.running.push(running);
        Ok(())
    }

    /// Ends one, if it runs.
    pub(super) async fn stop(&mut self, name: &str) {
        let Some(at) = self.running.iter().position(|one| one.name == name) else {
            return;
        };
        let controller = self.running.swap_remove(at);
        if controller.is_idle() {
            self.idle.push(controller.name.clone());
        }
        controller.process.stop(END).await;
    }

    /// That each has asked the API server for something, and still answers where it said that it is ready.
    ///
    /// # Errors
    /// Who has not or does not, in words.
    pub(super) async fn answers(&self) -> Result<(), String> {
        let idle = self
            .running
            .iter()
            .filter(|one| one.is_idle())
            .map(|one| &one.name);
        if let Some(name) = self.idle.iter().chain(idle).next() {
            return Err(format!(
                "controller \"{name}\" never asked the API server for anything"
            ));
        }
        for controller in &self.running {
            controller.answers().await?;
        }
        Ok(())
    }

    /// Their processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.running.iter().map(|one| &one.process)
    }

    /// Their processes, to be minded and ended.
    pub(super) fn processes_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.running.iter_mut().map(|one| &mut one.process)
    }
}

impl Running {
    fn is_idle(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| !*asked.borrow())
    }

    async fn become_ready(&mut self, patience: Duration) -> Result<(), ProviderError> {
        let Some(place) = &self.ready else {
            let asked = self.asked.clone();
            return wait::until_ready(&mut self.process, patience, || {
                let has = asked.as_ref().is_none_or(|asked| *asked.borrow());
                async move {
                    has.then_some(())
                        .ok_or_else(|| "it asked the API server for nothing".to_owned())
                }
            })
            .await;
        };
        let client = client()?;
        wait::until_ready(&mut self.process, patience, || ask(&client, place)).await
    }

    /// Whether it answers at the end of a run; if not, what it does instead.
    async fn answers(&self) -> Result<(), String> {
        let Some(place) = &self.ready else { return Ok(()) };
        let name = &self.name;
        let client = client().map_err(|error| error.to_string())?;
        match tokio::time::timeout(wait::ANSWER, ask(&client, place)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(answer)) => Err(format!(
                "controller \"{name}\" was not ready at the end: {answer}"
            )),
            Err(_) => Err(format!(
                "controller \"{name}\" hung at the end: no answer on {place} within {} s",
                wait::ANSWER.as_secs()
            )),
        }
    }
}

fn client() -> Result<reqwest::Client, ProviderError> {
    let client = reqwest::Client::builder().no_proxy().build();
    client.map_err(|e| ProviderError::Setup {
        what: "health checks".to_owned(),
        why: e.to_string(),
    })
}

/// Whether a place of this machine, as in `:8081/healthz`, answers that all is well; if not, what it answers.
async fn ask(client: &reqwest::Client, place: &str) -> Result<(), String> {
    let answer = client.get(format!("http://127.0.0.1{place}")).send().await;
    let status = answer.map_err(|e| format!("{place}: {e}"))?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("{place}: {status}"))
    }
}

/// Looks through what an audit log gets from now on for a request of a user.
fn witness(log: PathBuf, user: &str) -> (watch::Receiver<bool>, AbortOnDropHandle<()>) {
    let (found, asked) = watch::channel(false);
    let needle = format!("\"username\":\"{user}\"").into_bytes();
    let mut read = std::fs::metadata(&log).map_or(0, |file| file.len());
    let task = tokio::spawn(async move {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match look(&log, &mut read, &needle) {
                Ok(true) => {
                    found.send_replace(true);
                    return;
                }
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "the audit log can't be looked through yet"),
            }
        }
    });
    (asked, AbortOnDropHandle::new(task))
}

/// Whether something is in a file after what was read of it.
fn look(log: &Path, read: &mut u64, needle: &[u8]) -> std::io::Result<bool> {
    let mut file = std::fs::File::open(log)?;
    let length = file.metadata()?.len();
    if length < *read {
        // Another file has come in its place.
        *read = 0;
    }
    file.seek(SeekFrom::Start(*read))?;
    let mut new = Vec::new();
    file.take(length - *read).read_to_end(&mut new)?;
    // What may be the beginning of it is read again.
    *read = length - (new.len() as u64).min(needle.len() as u64 - 1);
    Ok(memchr::memmem::find(&new, needle).is_some())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_name_that_could_be_taken_for_another_s_is_refused() {
        assert_eq!(controller_name("keeper-2"), Ok(()));
        for name in [
            "",
            "Keeper",
            "a/b",
            "..",
            "etcd",
            "descheduler",
            "apply",
            &"x".repeat(41),
        ] {
            assert!(controller_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_request_is_found_over_the_edge_of_two_looks_and_in_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("audit.log");
        let needle = b"\"username\":\"controller:keeper\"";
        let mut file = std::fs::File::create(&log).unwrap();
        let mut read = 0;
        file.write_all(b"{\"user\":{\"username\":\"controller:").unwrap();
        assert!(!look(&log, &mut read, needle).unwrap());
        file.write_all(b"keeper\"}}\n").unwrap();
        assert!(look(&log, &mut read, needle).unwrap());
        file.write_all(&[b'x'; 100]).unwrap();
        assert!(!look(&log, &mut read, needle).unwrap(), "it is told once");
        std::fs::write(&log, needle).unwrap();
        assert!(
            look(&log, &mut read, needle).unwrap(),
            "a shorter file is a new one"
        );
    }
}
