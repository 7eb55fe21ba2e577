//! What the tests of components share: a server on loopback that answers as told, and a resolver that knows no other.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kubeclash_components::{Builder, Cache, Patience, Platform, Resolver, Sha256, Sources, Version};
use kubeclash_host::progress::Progress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a path is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    /// With this.
    Body(Vec<u8>),
    /// With this, after a while.
    Slow(Vec<u8>, Duration),
    /// With the half of this, and a length that promises all.
    Half(Vec<u8>),
    /// With the half of this, a length that promises all, and then nothing more.
    Stall(Vec<u8>),
    /// Not at all, and the connection stays open.
    Silence,
}

/// A server; it ends with its runtime.
pub(crate) struct Site {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Serves these paths; all others are 404.
    pub(crate) async fn serve(replies: impl IntoIterator<Item = (String, Reply)>) -> Self {
        let replies: Arc<HashMap<_, _>> = Arc::new(replies.into_iter().collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = asked.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream, replies.clone(), log.clone()));
            }
        });
        Self { address, asked }
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| *asked == path)
            .count()
    }

    /// How many requests there were at all.
    pub(crate) fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn answer(mut stream: TcpStream, replies: Arc<HashMap<String, Reply>>, log: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let path = String::from_utf8_lossy(&request)
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    log.lock().unwrap().push(path.clone());
    let head = |status: &str, length: usize| {
        // Registries name the type of manifests in this header; for files it does not matter.
        let kind = if path.contains("/manifests/") {
            "application/vnd.oci.image.index.v1+json"
        } else {
            "text/plain"
        };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )
    };
    let (head, body) = match replies.get(&path).cloned() {
        None => {
            // What registries say; all others leave the body empty or have a page for people.
            let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such manifest"}]}"#;
            (head("404 Not Found", body.len()), body.to_vec())
        }
        Some(Reply::Body(body)) => (head("200 OK", body.len()), body),
        Some(Reply::Slow(body, delay)) => {
            tokio::time::sleep(delay).await;
            (head("200 OK", body.len()), body)
        }
        Some(Reply::Half(body)) => (head("200 OK", body.len()), body[..body.len() / 2].to_vec()),
        Some(Reply::Stall(body)) => {
            let _ = stream.write_all(head("200 OK", body.len()).as_bytes()).await;
            let _ = stream.write_all(&body[..body.len() / 2]).await;
            return std::future::pending().await;
        }
        Some(Reply::Silence) => return std::future::pending().await,
    };
    // A client that gave up is part of some tests.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&body).await;
    let _ = stream.shutdown().await;
}

/// What was printed as progress.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress::plain(self.clone(), Duration::from_secs(60))
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All sources on one server.
pub(crate) fn sources(address: &str) -> Sources {
    Sources {
        kubernetes: format!("http://{address}/kubernetes"),
        etcd: format!("http://{address}/etcd"),
        kwok: format!("http://{address}/kwok"),
        kwok_api: Some(format!("http://{address}/api")),
        kind: format!("http://{address}/kind"),
        descheduler: format!("{address}/descheduler"),
    }
}

/// A resolver of `linux/amd64` without Go, whose only source is `address`.
pub(crate) fn resolver(cache: &Path, address: &str, lines: &Lines) -> Resolver {
    // Long enough for two busy cores, short enough for a test that fails.
    let patience = Patience {
        reach: Duration::from_secs(10),
        stall: Duration::from_secs(10),
    };
    Resolver::new(Cache::open(Some(cache.to_owned())).unwrap(), lines.progress())
        .unwrap()
        .with_sources(sources(address))
        .with_patience(patience)
        .with_builder(Builder {
            go: "/there/is/no/go".into(),
            ..Builder::default()
        })
        .with_platform(Platform::new("linux", "amd64"))
}

pub(crate) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut digest = Sha256::default();
    digest.update(bytes);
    digest.finish()
}

/// A `.tar.gz` of these files, as images have it.
pub(crate) fn layer(files: &[(&str, impl AsRef<[u8]>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    for (name, body) in files {
        let body = body.as_ref();
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, body).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// As registries and manifests write it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

/// An address at which nobody listens.
pub(crate) async fn closed() -> String {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

/// Where the default release of a Kubernetes binary is on the server.
pub(crate) fn kubernetes(name: &str) -> String {
    format!("/kubernetes/v1.36.3/bin/linux/amd64/{name}")
}

/// A Kubernetes binary and its checksum.
pub(crate) fn published(name: &str, body: &[u8]) -> [(String, Reply); 2] {
    [
        (kubernetes(name), Reply::Body(body.to_vec())),
        (
            kubernetes(name) + ".sha256",
            Reply::Body(sha256(body).into_bytes()),
        ),
    ]
}

/// Writes a file that is going to be started.
///
/// Another process does it: a descriptor that this one holds for writing can be inherited, for a moment, by what
/// another test starts just now, and then the system refuses to run the file (`ETXTBSY`).
pub(crate) fn write_executable(path: &Path, content: &[u8]) {
    let mut shell = std::process::Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(content).unwrap();
    assert!(shell.wait().unwrap().success());
}
