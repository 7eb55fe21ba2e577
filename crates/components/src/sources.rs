//! Where official releases are published, and in which shape.

use reqwest::Url;

use super::http::{Failure, is_loopback};
use super::{ComponentError, ComponentName, Module, Platform, Version};

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
    /// `<base>/<version>/kind-<os>-<arch>` and the same with `.sha256sum`; `KUBECLASH_KIND_MIRROR` replaces
    /// `https://github.com/kubernetes-sigs/kind/releases/download`.
    pub kind: String,
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
            kind: "https://github.com/kubernetes-sigs/kind/releases/download".to_owned(),
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
            ("KUBECLASH_KIND_MIRROR", &mut sources.kind),
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

/// The shape in which a release is published.
pub(super) enum Release {
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

pub(super) enum Checksum {
    /// A text of `<hex>` or of lines `<hex>  <file>`.
    Sums { url: String },
    /// A release as GitHub's API describes it.
    GitHub { url: String },
}

impl Release {
    pub(super) fn of(
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
                let url = format!(
                    "{}/{tag}/bin/{os}/{arch}/{}",
                    base(&sources.kubernetes),
                    name.program()
                );
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
            Module::Kind => {
                let url = format!("{}/{tag}/{name}-{os}-{arch}", base(&sources.kind));
                Self::File {
                    checksum: Checksum::Sums {
                        url: format!("{url}.sha256sum"),
                    },
                    url,
                }
            }
            module @ (Module::MetricsServer
            | Module::Pods
            | Module::Containerd
            | Module::Cni
            | Module::CriTools) => {
                return Err(Failure::Unpublished(format!(
                    "kubeclash always builds its {name} (from components/{module})"
                )));
            }
        })
    }
}

/// The SHA-256 of a file in a list like `SHA256SUMS`, or the only one of a `.sha256`.
pub(super) fn sum_of(text: &str, file: &str) -> Option<String> {
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
pub(super) fn asset_digest(release: &str, file: &str) -> Option<String> {
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
    fn macos_has_kwok_and_kind_only() {
        let mac = Platform::new("darwin", "arm64");
        for name in ComponentName::EVERY {
            let release = Sources::default().describe(name, &"v1.2.3".parse().unwrap(), &mac);
            let has = matches!(name.module(), Module::Kwok | Module::Kind);
            assert_eq!(release.is_ok(), has, "{name}");
        }
    }
}
