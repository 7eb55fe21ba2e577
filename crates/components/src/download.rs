//! Official releases, each checked against the checksum that its project publishes.

use std::fs::File;
use std::io;
use std::path::Path;

use reqwest::Url;

use super::entry::Staging;
use super::http::{Failure, Http, host_of};
use super::image::{Pulled, Which};
use super::layers::leaves;
use super::sources::{Checksum, Release, asset_digest, sum_of};
use super::{ComponentName, Origin, Platform, Sources, Version};
use kubeclash_host::progress::Task;

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
        Release::Image { reference } => {
            let pulled = Pulled::manifest(http, &reference, platform, task).await?;
            pulled.fetch(Which::Official(name.program()), staging, task).await
        }
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

fn unpack(archive: &Path, member: &str, to: &Path, url: &str) -> Result<(), Failure> {
    let malformed = |reason: String| Failure::Malformed {
        url: url.to_owned(),
        reason,
    };
    let file = File::open(archive).map_err(Failure::Local)?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(|error| malformed(error.to_string()))? {
        let mut entry = entry.map_err(|error| malformed(error.to_string()))?;
        let path = entry.path().map_err(|error| malformed(error.to_string()))?;
        // An archive that does this is not one that its project made.
        if let Some(reason) = leaves(&path) {
            return Err(malformed(reason));
        }
        let is_it = path == Path::new(member);
        if is_it && entry.header().entry_type().is_file() {
            let mut file = File::create(to).map_err(Failure::Local)?;
            io::copy(&mut entry, &mut file).map_err(Failure::Local)?;
            return std::fs::remove_file(archive).map_err(Failure::Local);
        }
    }
    Err(malformed(format!("it does not contain \"{member}\"")))
}

fn host_of_text(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| host_of(&url))
}
