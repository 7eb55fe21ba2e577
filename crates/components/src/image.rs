//! A binary out of a container image, without Docker.

use std::fs::File;
use std::path::Path;

use futures::StreamExt;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError as OciError};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use reqwest::Url;

use super::credentials::credentials;
use super::entry::Staging;
use super::http::{Failure, Http, deepest, is_loopback, use_ring};
use super::layers::{Layers, UNPACKED, extract};
use super::platform::interpreter;
use super::program::programs;
use super::{Origin, Platform};
use kubeclash_host::compression::unpacked;
use kubeclash_host::progress::{Task, elapsed};

/// What all layers of an image together may have to be downloaded.
const PACKED: u64 = 2 << 30;

/// What an image's configuration may have; it is a page of JSON.
const CONFIGURATION: u64 = 4 << 20;

/// Which file of an image is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// Of an official image, where its project's Dockerfile puts the program of this name: in `/bin`.
    Official(&'a str),
    /// Of anybody's, what it starts, or the program of this name.
    Program(&'a str),
}

/// An image whose manifest has been read.
pub(super) struct Pulled<'a> {
    image: Image<'a>,
    manifest: OciImageManifest,
    /// The digest of this platform's manifest.
    pub(super) digest: String,
}

impl<'a> Pulled<'a> {
    /// Asks the registry what a reference means now.
    pub(super) async fn manifest(
        http: &'a Http,
        reference: &str,
        platform: &Platform,
        task: &Task,
    ) -> Result<Self, Failure> {
        let image = Image::new(http, reference, platform)?;
        task.say(format!("from {}", image.host));
        let (manifest, digest) = image.manifest().await?;
        let declared = manifest
            .layers
            .iter()
            .map(|layer| u64::try_from(layer.size).unwrap_or(u64::MAX));
        let declared = declared.fold(0, u64::saturating_add);
        if declared > PACKED {
            let (declared, limit) = (indicatif::HumanBytes(declared), indicatif::HumanBytes(PACKED));
            return Err(image.malformed(format!(
                "its layers have {declared}, and kubeclash takes programs out of no image of more than {limit}"
            )));
        }
        Ok(Self {
            image,
            manifest,
            digest,
        })
    }

    /// Puts the file where `staging` wants it.
    pub(super) async fn fetch(
        self,
        which: Which<'_>,
        staging: &Staging,
        task: &Task,
    ) -> Result<Origin, Failure> {
        let image = &self.image;
        let layers = &self.manifest.layers;
        let paths = match which {
            Which::Official(program) => vec![Path::new("/bin").join(program)],
            Which::Program(program) => programs(
                &image.config(&self.manifest.config, staging, task).await?,
                program,
            ),
        };
        let mut files = Layers::new(UNPACKED);
        for (index, layer) in layers.iter().enumerate() {
            let blob = staging.beside(&format!("layer-{index}"));
            image.layer(layer, &blob, task).await?;
            let garbled = |error: std::io::Error| image.malformed(format!("layer {}: {error}", layer.digest));
            let file = File::open(&blob).map_err(Failure::Local)?;
            files
                .add(unpacked(file, &layer.media_type).map_err(garbled)?)
                .map_err(garbled)?;
        }
        let mut found = None;
        for path in &paths {
            if let Some(place) = files.find(path).map_err(|reason| image.malformed(reason))? {
                found = Some((path, place));
                break;
            }
        }
        let Some((path, place)) = found else {
            let paths: Vec<_> = paths
                .iter()
                .map(|path| format!("\"{}\"", path.display()))
                .collect();
            return Err(image.malformed(format!("it has no file {}", paths.join(", "))));
        };
        let layer = &layers[place.layer];
        let garbled = |error: std::io::Error| image.malformed(format!("layer {}: {error}", layer.digest));
        let blob = File::open(staging.beside(&format!("layer-{}", place.layer))).map_err(Failure::Local)?;
        let mut file = File::create(staging.path()).map_err(Failure::Local)?;
        extract(
            unpacked(blob, &layer.media_type).map_err(garbled)?,
            place,
            &mut file,
        )
        .map_err(garbled)?;
        for index in 0..layers.len() {
            std::fs::remove_file(staging.beside(&format!("layer-{index}"))).map_err(Failure::Local)?;
        }
        if let Which::Program(_) = which {
            image.runs_alone(path, &staging.path())?;
        }
        Ok(Origin::Image {
            reference: image.text.clone(),
            digest: self.digest,
            file: matches!(which, Which::Program(_)).then(|| path.clone()),
        })
    }
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
        let auth = credentials(&self.host).map_or(RegistryAuth::Anonymous, |(user, secret)| {
            RegistryAuth::Basic(user, secret)
        });
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

    async fn config(
        &self,
        config: &OciDescriptor,
        staging: &Staging,
        task: &Task,
    ) -> Result<serde_json::Value, Failure> {
        if u64::try_from(config.size).unwrap_or(u64::MAX) > CONFIGURATION {
            return Err(self.malformed(format!("its configuration has {} bytes", config.size)));
        }
        let file = staging.beside("config");
        self.layer(config, &file, task).await?;
        let text = std::fs::read(&file).map_err(Failure::Local)?;
        std::fs::remove_file(&file).map_err(Failure::Local)?;
        serde_json::from_slice(&text)
            .map_err(|error| self.malformed(format!("its configuration cannot be read: {error}")))
    }

    /// Refuses what needs more of the image than its own file.
    fn runs_alone(&self, path: &Path, file: &Path) -> Result<(), Failure> {
        let path = path.display();
        let refused = |reason: String| self.malformed(format!("its \"{path}\" {reason}"));
        let content = std::fs::read(file).map_err(Failure::Local)?;
        if content.starts_with(b"#!") {
            return Err(refused(
                "is a script, which needs the rest of the image: use image: instead of image+extract:"
                    .to_owned(),
            ));
        }
        if let Some(reason) = self.platform.refuses(&content) {
            return Err(refused(reason));
        }
        match interpreter(&content) {
            None => Ok(()),
            Some(loader) => Err(refused(format!(
                "is linked dynamically (it wants \"{loader}\") and needs the rest of the image: use image: instead of \
                 image+extract:, or build it with CGO_ENABLED=0"
            ))),
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
                    if i64::try_from(got).is_ok_and(|got| got > layer.size) {
                        return Err(self.malformed(format!(
                            "layer {} goes on after the {} bytes that it should have",
                            layer.digest, layer.size
                        )));
                    }
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
