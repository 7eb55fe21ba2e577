//! HTTP with little patience.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};

use super::digest::Sha256;
use kubeclash_host::progress::{Progress, Task, elapsed};

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
    pub(super) async fn text(&self, url: &str) -> Result<String, Failure> {
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
        task.length(response.content_length().unwrap_or_default());
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
        // Fewer bytes than announced are an error of the stream already.
        Ok(digest.finish())
    }

    /// A file whose SHA-256 is known.
    pub(super) async fn checked(
        &self,
        url: &str,
        published: &str,
        path: &Path,
        task: &Task,
    ) -> Result<(), Failure> {
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

/// Whether an address is this machine's own; IPv6 is in brackets there.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
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
