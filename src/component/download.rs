//! Official releases over HTTP, each checked against the checksum that its project publishes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};

use super::cache::{Sha256, Staging};
use super::{ComponentError, ComponentName, Module, Origin, Platform, Version, image};
use crate::progress::{Progress, Task, elapsed};

/// Where releases are published; each can be replaced by a mirror of the same layout.
///
/// `https`, or `http` on a loopback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// `<base>/<version>/bin/<os>/<arch>/<name>` and the same with `.sha256`;
    /// `KUBECLASH_KUBERNETES_MIRROR` replaces `https://dl.k8s.io/release`.
    pub kubernetes: String,
    /// `<base>/<version>/etcd-<version>-<os>-<arch>.tar.gz` and `<base>/<version>/SHA256SUMS`;
    /// `KUBECLASH_ETCD_MIRROR` replaces `https://github.com/etcd-io/etcd/releases/download`.
    pub etcd: String,
    /// `<base>/<version>/<name>-<os>-<arch>`; `KUBECLASH_KWOK_MIRROR` replaces
    /// `https://github.com/kubernetes-sigs/kwok/releases/download`.
    pub kwok: String,
    /// `<base>/<version>` is the release as GitHub's API describes it, with a digest per asset: kwok publishes no
    /// checksums of its own. Nothing with a mirror, which has to offer `.sha256` beside each file instead.
    pub kwok_api: Option<String>,
    /// `<registry>[/<path>]` that holds the image `descheduler`; `KUBECLASH_DESCHEDULER_MIRROR` replaces
    /// `registry.k8s.io/descheduler`.
    pub descheduler: String,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            kubernetes: "https://dl.k8s.io/release".to_owned(),
            etcd: "https://github.com/etcd-io/etcd/releases/download".to_owned(),
            kwok: "https://github.com/kubernetes-sigs/kwok/releases/download".to_owned(),
            kwok_api: Some("https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags".to_owned()),
            descheduler: "registry.k8s.io/descheduler".to_owned(),
        }
    }
}

impl Sources {
    /// The official ones, with what the `KUBECLASH_*_MIRROR` variables put in their place.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Mirror`] when one of them is no address, or plain `http` to another machine.
    pub fn from_env() -> Result<Self, ComponentError> {
        let set = |variable| std::env::var(variable).ok().filter(|value| !value.is_empty());
        let mut sources = Self::default();
        for (variable, slot) in [
            ("KUBECLASH_KUBERNETES_MIRROR", &mut sources.kubernetes),
            ("KUBECLASH_ETCD_MIRROR", &mut sources.etcd),
            ("KUBECLASH_KWOK_MIRROR", &mut sources.kwok),
            ("KUBECLASH_DESCHEDULER_MIRROR", &mut sources.descheduler),
        ] {
            let Some(value) = set(variable) else { continue };
            let url = if value.contains("://") {
                value.clone()
            } else {
                format!("https://{value}")
            };
            match Url::parse(&url) {
                Ok(url) if url.scheme() == "https" || is_loopback(&url) => value.clone_into(slot),
                Ok(_) => {
                    return Err(ComponentError::Mirror {
                        variable,
                        value,
                        reason: "has to be https on another machine",
                    });
                }
                Err(_) => {
                    return Err(ComponentError::Mirror {
                        variable,
                        value,
                        reason: "is not an address",
                    });
                }
            }
            if variable == "KUBECLASH_KWOK_MIRROR" {
                sources.kwok_api = None;
            }
        }
        Ok(sources)
    }

    /// Where the release of a component comes from, for `doctor`.
    ///
    /// # Errors
    ///
    /// [`Failure::Unpublished`] when there is none for the platform.
    pub fn describe(
        &self,
        name: ComponentName,
        version: &Version,
        platform: &Platform,
    ) -> Result<String, Failure> {
        Ok(match Release::of(self, name, version, platform)? {
            Release::File { url, .. } | Release::Archive { url, .. } => url,
            Release::Image { reference } => reference,
        })
    }
}

/// How long a source may keep silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the start of a request to the first byte of its answer, redirects included; 5 s.
    pub reach: Duration,
    /// Between two pieces of a file; 20 s.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            reach: Duration::from_secs(5),
            stall: Duration::from_secs(20),
        }
    }
}

/// Why a release could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No answer.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system said, or how long was waited.
        reason: String,
    },
    /// The server does not have it.
    #[error("there is no {url} (404)")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// The server answered something else.
    #[error("{url} answered {status}")]
    Refused {
        /// What was asked for.
        url: String,
        /// The status line, or what the registry said.
        status: String,
    },
    /// The transfer ended before the file did.
    #[error("the transfer of {url} was cut off after {got} bytes: {reason}")]
    CutOff {
        /// What was being transferred.
        url: String,
        /// What had come.
        got: u64,
        /// How it ended.
        reason: String,
    },
    /// The content is not what was published.
    #[error("{url} has the wrong checksum: {got}, and {published} is published")]
    Checksum {
        /// What was downloaded.
        url: String,
        /// SHA-256 as published.
        published: String,
        /// SHA-256 of what came.
        got: String,
    },
    /// What the server sent cannot be understood.
    #[error("{url} is not as expected: {reason}")]
    Malformed {
        /// What was read.
        url: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// Nothing that could be checked is published.
    #[error("{0}")]
    Unpublished(String),
    /// The file cannot be written here.
    #[error("cannot write: {0}")]
    Local(io::Error),
}

/// HTTP with little patience, which remembers who did not answer; cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    clients: Arc<Clients>,
    pub(super) patience: Patience,
    progress: Progress,
    dead: Arc<Mutex<HashMap<String, String>>>,
}

/// Made when they are first needed: reading the system's certificates takes longer than all else that a run with a
/// full cache does here.
#[derive(Debug, Default)]
struct Clients {
    far: OnceLock<Result<Client, String>>,
    /// For loopback, which no proxy can reach on our behalf.
    loopback: OnceLock<Result<Client, String>>,
}

impl Http {
    /// A client; what it gives up on is said through `progress`.
    #[must_use]
    pub fn new(patience: Patience, progress: Progress) -> Self {
        Self {
            clients: Arc::default(),
            patience,
            progress,
            dead: Arc::default(),
        }
    }

    fn client(&self, loopback: bool) -> Result<&Client, String> {
        let builder = || {
            use_ring();
            Client::builder()
                .user_agent(concat!("kubeclash/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(self.patience.reach)
                .read_timeout(self.patience.stall)
        };
        let build = |builder: ClientBuilder| builder.build().map_err(|error| deepest(&error));
        let made = if loopback {
            self.clients.loopback.get_or_init(|| build(builder().no_proxy()))
        } else {
            self.clients.far.get_or_init(|| build(builder()))
        };
        made.as_ref().map_err(Clone::clone)
    }

    /// Asks for a URL and waits for the head of the answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Unreachable`], at once when the host did not answer before; [`Failure::NotFound`];
    /// [`Failure::Refused`].
    async fn get(&self, text: &str) -> Result<Response, Failure> {
        let malformed = |reason: &str| Failure::Malformed {
            url: text.to_owned(),
            reason: reason.to_owned(),
        };
        let url = Url::parse(text).map_err(|error| malformed(&error.to_string()))?;
        let loopback = is_loopback(&url);
        if url.scheme() != "https" && !loopback {
            return Err(malformed("plain http is for loopback addresses only"));
        }
        let host = host_of(&url);
        self.alive(&host)?;
        let client = self.client(loopback).map_err(|reason| self.gone(&host, reason))?;
        let response = match tokio::time::timeout(self.patience.reach, client.get(url).send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.gone(&host, deepest(&error))),
            Err(_) => return Err(self.gone(&host, self.silence())),
        };
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND => Err(Failure::NotFound { url: text.to_owned() }),
            status => Err(Failure::Refused {
                url: text.to_owned(),
                status: status.to_string(),
            }),
        }
    }

    /// A small text.
    async fn text(&self, url: &str) -> Result<String, Failure> {
        let response = self.get(url).await?;
        let cut = |reason| Failure::CutOff {
            url: url.to_owned(),
            got: 0,
            reason,
        };
        match tokio::time::timeout(self.patience.stall, response.text()).await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(cut(deepest(&error))),
            Err(_) => Err(cut(format!("nothing came for {}", elapsed(self.patience.stall)))),
        }
    }

    /// A file, and its SHA-256.
    async fn file(&self, url: &str, path: &Path, task: &Task) -> Result<String, Failure> {
        let response = self.get(url).await?;
        let length = response.content_length();
        task.length(length.unwrap_or_default());
        let mut file = File::create(path).map_err(Failure::Local)?;
        let (mut digest, mut got) = (Sha256::default(), 0);
        let cut = |got, reason| Failure::CutOff {
            url: url.to_owned(),
            got,
            reason,
        };
        let mut stream = response.bytes_stream();
        loop {
            match tokio::time::timeout(self.patience.stall, stream.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(bytes))) => {
                    digest.update(&bytes);
                    file.write_all(&bytes).map_err(Failure::Local)?;
                    got += bytes.len() as u64;
                    task.position(got);
                }
                Ok(Some(Err(error))) => return Err(cut(got, deepest(&error))),
                Err(_) => {
                    return Err(cut(
                        got,
                        format!("nothing came for {}", elapsed(self.patience.stall)),
                    ));
                }
            }
        }
        match length {
            Some(length) if length != got => Err(cut(got, format!("{length} were announced"))),
            _ => Ok(digest.finish()),
        }
    }

    /// A file whose SHA-256 is known.
    async fn checked(&self, url: &str, published: &str, path: &Path, task: &Task) -> Result<(), Failure> {
        let got = self.file(url, path, task).await?;
        if got != published {
            return Err(Failure::Checksum {
                url: url.to_owned(),
                published: published.to_owned(),
                got,
            });
        }
        Ok(())
    }

    pub(super) fn alive(&self, host: &str) -> Result<(), Failure> {
        let dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        match dead.get(host) {
            Some(reason) => Err(Failure::Unreachable {
                host: host.to_owned(),
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Remembers that a host does not answer, and says so the first time.
    pub(super) fn gone(&self, host: &str, reason: String) -> Failure {
        let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        if !dead.contains_key(host) {
            self.progress.println(format!(
                "{host} cannot be reached and is not tried again: {reason}"
            ));
            dead.insert(host.to_owned(), reason.clone());
        }
        Failure::Unreachable {
            host: host.to_owned(),
            reason,
        }
    }

    pub(super) fn silence(&self) -> String {
        format!("no answer within {}", elapsed(self.patience.reach))
    }
}

/// The shape in which a release is published.
enum Release {
    /// The binary itself.
    File { url: String, checksum: Checksum },
    /// A `.tar.gz` that holds it.
    Archive {
        url: String,
        checksum: Checksum,
        member: String,
    },
    /// An image that holds it.
    Image { reference: String },
}

enum Checksum {
    /// A text of `<hex>` or of lines `<hex>  <file>`.
    Sums { url: String },
    /// A release as GitHub's API describes it.
    GitHub { url: String },
}

impl Release {
    fn of(
        sources: &Sources,
        name: ComponentName,
        version: &Version,
        platform: &Platform,
    ) -> Result<Self, Failure> {
        let tag = version.tag();
        let Platform { os, arch } = platform;
        let linux_only = |what: &str| match os.as_str() {
            "linux" => Ok(()),
            _ => Err(Failure::Unpublished(format!(
                "no {what} is published for {platform}"
            ))),
        };
        let base = |text: &str| text.trim_end_matches('/').to_owned();
        Ok(match name.module() {
            Module::Kubernetes => {
                linux_only("server binary of Kubernetes")?;
                let url = format!("{}/{tag}/bin/{os}/{arch}/{name}", base(&sources.kubernetes));
                Self::File {
                    checksum: Checksum::Sums {
                        url: format!("{url}.sha256"),
                    },
                    url,
                }
            }
            Module::Etcd => {
                linux_only(".tar.gz of etcd")?;
                let release = format!("{}/{tag}", base(&sources.etcd));
                let stem = format!("etcd-{tag}-{os}-{arch}");
                Self::Archive {
                    url: format!("{release}/{stem}.tar.gz"),
                    checksum: Checksum::Sums {
                        url: format!("{release}/SHA256SUMS"),
                    },
                    member: format!("{stem}/etcd"),
                }
            }
            Module::Kwok => {
                let url = format!("{}/{tag}/{name}-{os}-{arch}", base(&sources.kwok));
                let checksum = match &sources.kwok_api {
                    Some(api) => Checksum::GitHub {
                        url: format!("{}/{tag}", base(api)),
                    },
                    None => Checksum::Sums {
                        url: format!("{url}.sha256"),
                    },
                };
                Self::File { url, checksum }
            }
            Module::Descheduler => {
                linux_only("image of the descheduler")?;
                Self::Image {
                    reference: format!("{}/descheduler:{tag}", base(&sources.descheduler)),
                }
            }
        })
    }
}

/// Puts the official release of a component where `staging` wants it.
pub(super) async fn fetch(
    http: &Http,
    sources: &Sources,
    name: ComponentName,
    version: &Version,
    platform: &Platform,
    staging: &Staging,
    task: &Task,
) -> Result<Origin, Failure> {
    match Release::of(sources, name, version, platform)? {
        Release::File { url, checksum } => {
            task.say("from ".to_owned() + &host_of_text(&url));
            let published = checksum.published(http, &url).await?;
            http.checked(&url, &published, &staging.path(), task).await?;
            Ok(Origin::Downloaded { url })
        }
        Release::Archive {
            url,
            checksum,
            member,
        } => {
            task.say("from ".to_owned() + &host_of_text(&url));
            let published = checksum.published(http, &url).await?;
            let archive = staging.beside("release.tar.gz");
            http.checked(&url, &published, &archive, task).await?;
            unpack(&archive, &member, &staging.path(), &url)?;
            Ok(Origin::Downloaded { url })
        }
        Release::Image { reference } => image::fetch(http, &reference, name, platform, staging, task).await,
    }
}

impl Checksum {
    async fn published(&self, http: &Http, file_url: &str) -> Result<String, Failure> {
        let file = file_url.rsplit('/').next().unwrap_or_default();
        match self {
            Self::Sums { url } => {
                let text = http.text(url).await?;
                sum_of(&text, file).ok_or_else(|| Failure::Malformed {
                    url: url.clone(),
                    reason: format!("it has no SHA-256 of \"{file}\""),
                })
            }
            Self::GitHub { url } => {
                let text = http.text(url).await?;
                asset_digest(&text, file).ok_or_else(|| {
                    Failure::Unpublished(format!("no SHA-256 of \"{file}\" is published: {url} has none"))
                })
            }
        }
    }
}

fn sum_of(text: &str, file: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let sum = words.next().filter(|word| is_sha256(word))?;
        match words.next() {
            Some(named) if named.trim_start_matches('*') != file => None,
            _ => Some(sum.to_ascii_lowercase()),
        }
    })
}

/// GitHub has a digest for each asset that was uploaded since June 2025.
fn asset_digest(release: &str, file: &str) -> Option<String> {
    let release: serde_json::Value = serde_json::from_str(release).ok()?;
    let asset = release["assets"]
        .as_array()?
        .iter()
        .find(|asset| asset["name"] == file)?;
    let sum = asset["digest"].as_str()?.strip_prefix("sha256:")?;
    is_sha256(sum).then(|| sum.to_ascii_lowercase())
}

fn is_sha256(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unpack(archive: &Path, member: &str, to: &Path, url: &str) -> Result<(), Failure> {
    let malformed = |reason: String| Failure::Malformed {
        url: url.to_owned(),
        reason,
    };
    let file = File::open(archive).map_err(Failure::Local)?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(|error| malformed(error.to_string()))? {
        let mut entry = entry.map_err(|error| malformed(error.to_string()))?;
        let is_it = entry.path().is_ok_and(|path| path == Path::new(member));
        if is_it && entry.header().entry_type().is_file() {
            let mut file = File::create(to).map_err(Failure::Local)?;
            io::copy(&mut entry, &mut file).map_err(Failure::Local)?;
            return std::fs::remove_file(archive).map_err(Failure::Local);
        }
    }
    Err(malformed(format!("it does not contain \"{member}\"")))
}

/// Whether an address is this machine's own; IPv6 is in brackets there.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn host_of_text(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| host_of(&url))
}

/// Chooses what TLS computes with, for the whole process.
pub(super) fn use_ring() {
    // Fails when the program has chosen already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// The innermost of an error's reasons: reqwest's outer ones only repeat the URL.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_sum_is_found_alone_and_in_a_list() {
        let sum = SUM.to_ascii_lowercase();
        assert_eq!(sum_of(SUM, "etcd"), Some(sum.clone()));
        let list = format!("{}  other\n{SUM} *etcd\n", "0".repeat(64));
        assert_eq!(sum_of(&list, "etcd"), Some(sum));
        assert_eq!(sum_of(&list, "kwok"), None);
        assert_eq!(sum_of("<html>", "etcd"), None);
    }

    #[test]
    fn a_digest_is_read_from_githubs_answer() {
        let answer = format!(r#"{{"assets":[{{"name":"a"}},{{"name":"b","digest":"sha256:{SUM}"}}]}}"#);
        assert_eq!(asset_digest(&answer, "a"), None);
        assert_eq!(asset_digest(&answer, "b"), Some(SUM.to_ascii_lowercase()));
    }

    #[test]
    fn macos_has_kwok_only() {
        let mac = Platform::new("darwin", "arm64");
        for name in ComponentName::ALL {
            let release = Sources::default().describe(name, &"v1.2.3".parse().unwrap(), &mac);
            assert_eq!(release.is_ok(), name == ComponentName::Kwok, "{name}");
        }
    }
}
