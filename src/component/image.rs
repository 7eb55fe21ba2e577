//! A binary out of a container image, without Docker.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use futures::StreamExt;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError as OciError};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use reqwest::Url;

use super::entry::Staging;
use super::http::{Failure, Http, deepest, is_loopback, use_ring};
use super::{ComponentName, Origin, Platform};
use crate::progress::{Task, elapsed};

/// The file in the image; its project's Dockerfile puts it there.
const FOLDER: &str = "bin";

/// Puts `/bin/<name>` of an image where `staging` wants it.
pub(super) async fn fetch(
    http: &Http,
    reference: &str,
    name: ComponentName,
    platform: &Platform,
    staging: &Staging,
    task: &Task,
) -> Result<Origin, Failure> {
    let image = Image::new(http, reference, platform)?;
    task.say(format!("from {}", image.host));
    let (manifest, digest) = image.manifest().await?;
    let wanted = Path::new(FOLDER).join(name.as_str());
    // From the last layer to the first: what is above hides what is below.
    for layer in manifest.layers.iter().rev() {
        let blob = staging.beside("layer");
        image.layer(layer, &blob, task).await?;
        let found = look_into(&blob, layer, &wanted, &staging.path(), &image.text);
        std::fs::remove_file(&blob).map_err(Failure::Local)?;
        match found? {
            Found::It => {
                return Ok(Origin::Image {
                    reference: reference.to_owned(),
                    digest,
                });
            }
            Found::Removed => break,
            Found::Nothing => {}
        }
    }
    Err(image.malformed(format!("it has no file \"/{}\"", wanted.display())))
}

struct Image<'a> {
    http: &'a Http,
    client: Client,
    reference: Reference,
    text: String,
    host: String,
    platform: Platform,
}

impl<'a> Image<'a> {
    fn new(http: &'a Http, text: &str, platform: &Platform) -> Result<Self, Failure> {
        let bare = text.trim_start_matches("http://").trim_start_matches("https://");
        let malformed = |reason: String| Failure::Malformed {
            url: text.to_owned(),
            reason,
        };
        let reference: Reference = bare
            .parse()
            .map_err(|error: oci_client::ParseError| malformed(error.to_string()))?;
        let host = reference.resolve_registry().to_owned();
        http.alive(&host)?;
        let loopback = Url::parse(&format!("http://{host}")).is_ok_and(|url| is_loopback(&url));
        let wanted = platform.clone();
        let config = ClientConfig {
            protocol: if loopback {
                ClientProtocol::Http
            } else {
                ClientProtocol::Https
            },
            platform_resolver: Some(Box::new(move |entries| {
                let fits = |entry: &&oci_client::manifest::ImageIndexEntry| {
                    entry.platform.as_ref().is_some_and(|platform| {
                        (platform.os.to_string(), platform.architecture.to_string())
                            == (wanted.os.clone(), wanted.arch.clone())
                    })
                };
                entries.iter().find(fits).map(|entry| entry.digest.clone())
            })),
            connect_timeout: Some(http.patience.reach),
            // Naming a proxy that is never used is the only way to keep this client from asking the environment for
            // one, which could not reach loopback on our behalf.
            http_proxy: loopback.then(|| "http://127.0.0.1:9".to_owned()),
            no_proxy: loopback.then(|| "localhost,127.0.0.0/8,::1".to_owned()),
            user_agent: concat!("kubeclash/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        use_ring();
        let client = Client::try_from(config).map_err(|error| http.gone(&host, deepest(&error)))?;
        Ok(Self {
            http,
            client,
            reference,
            text: text.to_owned(),
            host,
            platform: platform.clone(),
        })
    }

    /// The manifest of this platform and its digest, which the client has checked.
    async fn manifest(&self) -> Result<(OciImageManifest, String), Failure> {
        let auth = RegistryAuth::Anonymous;
        // Apart from the manifest itself, so that each has its own patience.
        let login = self.client.auth(&self.reference, &auth, RegistryOperation::Pull);
        self.patiently(login).await?;
        self.patiently(self.client.pull_image_manifest(&self.reference, &auth))
            .await
    }

    async fn patiently<T>(&self, request: impl Future<Output = Result<T, OciError>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.http.patience.reach, request).await {
            Ok(result) => result.map_err(|error| self.failure(error)),
            Err(_) => Err(self.http.gone(&self.host, self.http.silence())),
        }
    }

    async fn layer(&self, layer: &OciDescriptor, to: &Path, task: &Task) -> Result<(), Failure> {
        let url = format!("{} layer {}", self.text, layer.digest);
        task.length(u64::try_from(layer.size).unwrap_or_default());
        let mut stream = self
            .patiently(self.client.pull_blob_stream(&self.reference, layer))
            .await?
            .stream;
        let mut file = std::fs::File::create(to).map_err(Failure::Local)?;
        let mut got = 0;
        let stall = self.http.patience.stall;
        loop {
            let cut = |reason| Failure::CutOff {
                url: url.clone(),
                got,
                reason,
            };
            match tokio::time::timeout(stall, stream.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(bytes))) => {
                    std::io::Write::write_all(&mut file, &bytes).map_err(Failure::Local)?;
                    got += bytes.len() as u64;
                    task.position(got);
                }
                // The stream checks the digest at its end and wraps what it finds.
                Ok(Some(Err(error))) => {
                    return Err(match digests(&error) {
                        Some((published, got)) => Failure::Checksum { url, published, got },
                        None => cut(deepest(&error)),
                    });
                }
                Err(_) => return Err(cut(format!("nothing came for {}", elapsed(stall)))),
            }
        }
    }

    fn failure(&self, error: OciError) -> Failure {
        let url = self.text.clone();
        match error {
            OciError::RequestError(error) if error.is_body() || error.is_decode() => Failure::CutOff {
                url,
                got: 0,
                reason: deepest(&error),
            },
            OciError::RequestError(error) => self.http.gone(&self.host, deepest(&error)),
            OciError::DigestError(DigestError::VerificationError { expected, actual }) => Failure::Checksum {
                url,
                published: expected,
                got: actual,
            },
            // The client's word for an index in which the platform resolver found nothing.
            OciError::ImageManifestNotFoundError(_) => {
                Failure::Unpublished(format!("{url} has no image for {}", self.platform))
            }
            OciError::ServerError { code: 404, .. } => Failure::NotFound { url },
            OciError::RegistryError { envelope, .. } if envelope.errors.iter().any(is_unknown) => {
                Failure::NotFound { url }
            }
            error => Failure::Refused {
                url,
                status: error.to_string(),
            },
        }
    }

    fn malformed(&self, reason: String) -> Failure {
        Failure::Malformed {
            url: self.text.clone(),
            reason,
        }
    }
}

fn is_unknown(error: &oci_client::errors::OciError) -> bool {
    use oci_client::errors::OciErrorCode as Code;
    matches!(
        error.code,
        Code::ManifestUnknown | Code::NameUnknown | Code::NotFound | Code::BlobUnknown
    )
}

fn digests(error: &std::io::Error) -> Option<(String, String)> {
    let inner = error.get_ref()?;
    let digest = match inner.downcast_ref::<DigestError>() {
        Some(digest) => digest,
        None => match inner.downcast_ref::<OciError>()? {
            OciError::DigestError(digest) => digest,
            _ => return None,
        },
    };
    match digest {
        DigestError::VerificationError { expected, actual } => Some((expected.clone(), actual.clone())),
        _ => None,
    }
}

/// What one layer says of a file.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// It is there, and was written out.
    It,
    /// It is taken away (a whiteout), and so is whatever layers below have.
    Removed,
    /// Nothing.
    Nothing,
}

fn look_into(
    blob: &Path,
    layer: &OciDescriptor,
    wanted: &Path,
    to: &Path,
    image: &str,
) -> Result<Found, Failure> {
    let malformed = |reason: String| Failure::Malformed {
        url: image.to_owned(),
        reason,
    };
    let garbled = |error: std::io::Error| malformed(format!("layer {}: {error}", layer.digest));
    let file = std::fs::File::open(blob).map_err(Failure::Local)?;
    let reader: Box<dyn Read> = match layer.media_type.as_str() {
        kind if kind.ends_with("gzip") => Box::new(flate2::read::GzDecoder::new(file)),
        kind if kind.ends_with("tar") => Box::new(file),
        kind => return Err(malformed(format!("layers of type \"{kind}\" cannot be read"))),
    };
    let mut archive = tar::Archive::new(reader);
    let mut found = Found::Nothing;
    for entry in archive.entries().map_err(garbled)? {
        let mut entry = entry.map_err(garbled)?;
        let path = plain(&entry.path().map_err(garbled)?);
        if path == wanted && entry.header().entry_type().is_file() {
            let mut file = std::fs::File::create(to).map_err(Failure::Local)?;
            std::io::copy(&mut entry, &mut file).map_err(Failure::Local)?;
            // A whiteout never hides a file of its own layer.
            return Ok(Found::It);
        }
        if hides(&path, wanted) {
            found = Found::Removed;
        }
    }
    Ok(found)
}

/// Layers name files `bin/x`, `./bin/x` or `/bin/x`.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect()
}

/// Whiteouts as in the OCI image layer specification: `.wh.x` removes `x`, `.wh..wh..opq` all that its folder had.
fn hides(entry: &Path, wanted: &Path) -> bool {
    let (Some(name), Some(folder)) = (entry.file_name().and_then(|name| name.to_str()), entry.parent())
    else {
        return false;
    };
    match name.strip_prefix(".wh.") {
        Some(".wh..opq") => wanted.starts_with(folder),
        Some(removed) => wanted.starts_with(folder.join(removed)),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whiteouts_hide_files_and_folders() {
        let wanted = Path::new("bin/descheduler");
        for entry in [
            "bin/.wh.descheduler",
            ".wh.bin",
            "bin/.wh..wh..opq",
            ".wh..wh..opq",
        ] {
            assert!(hides(Path::new(entry), wanted), "{entry} does not hide");
        }
        for entry in ["bin/.wh.desched", "sbin/.wh..wh..opq", "bin/descheduler", ".wh.b"] {
            assert!(!hides(Path::new(entry), wanted), "{entry} hides");
        }
    }

    #[test]
    fn names_in_layers_are_made_plain() {
        for name in ["bin/x", "./bin/x", "/bin/x"] {
            assert_eq!(plain(Path::new(name)), Path::new("bin/x"));
        }
    }
}
