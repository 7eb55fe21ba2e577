//! Where a binary came from.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a binary came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// The user named the file.
    Given,
    /// An official release (or a mirror of it), checked against its published SHA-256.
    Downloaded {
        /// The file that was downloaded.
        url: String,
    },
    /// A file out of a container image, checked by digest.
    Image {
        /// The image, for instance `registry.k8s.io/descheduler/descheduler:v0.36.0`.
        reference: String,
        /// The digest of the manifest of this platform.
        digest: String,
        /// The file in it, where the image is none of the component's own project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
    },
    /// A container image that Docker runs.
    Container {
        /// The image, as the user named it.
        reference: String,
        /// The digest under which its registry has it; the image's id where it comes from none.
        digest: String,
    },
    /// What is in a node image of kind's.
    #[serde(rename = "node-image")]
    NodeImage {
        /// The image, as the user named it or as it was found.
        reference: String,
    },
    /// Built here from a checkout of the user's.
    Checkout {
        /// The folder.
        dir: PathBuf,
        /// The main package in it, as in `./cmd/descheduler`.
        package: String,
        /// What was checked out, where git knew.
        commit: Option<String>,
        /// Whether there was something that had not been committed.
        dirty: bool,
        /// The Go release that built it.
        go: String,
    },
    /// Built here from a published module.
    Built {
        /// The upstream module, with its version.
        module: String,
        /// The path of its main package, where that is not the component's usual one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        package: Option<String>,
        /// The Go release that built it.
        go: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => write!(f, "given"),
            Self::Downloaded { url } => write!(f, "downloaded from {url}"),
            Self::Image {
                reference,
                digest,
                file: None,
            } => write!(f, "out of {reference} ({digest})"),
            Self::Image {
                reference,
                digest,
                file: Some(file),
            } => write!(f, "{} out of {reference} ({digest})", file.display()),
            Self::Container { reference, digest } => write!(f, "image {reference} ({digest})"),
            Self::NodeImage { reference } => write!(f, "in node image {reference}"),
            Self::Checkout {
                dir,
                package,
                commit,
                dirty,
                go,
            } => {
                write!(f, "built from {package} in {}", dir.display())?;
                match commit {
                    Some(commit) => write!(f, " at {}", commit.get(..12).unwrap_or(commit))?,
                    None => write!(f, ", of no known commit")?,
                }
                let changed = if *dirty { " with changes not committed" } else { "" };
                write!(f, "{changed}, with {go}")
            }
            Self::Built {
                module,
                package: None,
                go,
            } => write!(f, "built from {module} with {go}"),
            Self::Built {
                module,
                package: Some(package),
                go,
            } => write!(f, "{package}, built from {module} with {go}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_is_told_with_its_commit_and_whether_it_was_changed() {
        let origin = |commit: Option<&str>, dirty| Origin::Checkout {
            dir: "/my/fork".into(),
            package: "./cmd/descheduler".to_owned(),
            commit: commit.map(str::to_owned),
            dirty,
            go: "go1.26.8".to_owned(),
        };
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(
            origin(Some(commit), true).to_string(),
            "built from ./cmd/descheduler in /my/fork at 0123456789ab with changes not committed, with go1.26.8"
        );
        assert_eq!(
            origin(None, false).to_string(),
            "built from ./cmd/descheduler in /my/fork, of no known commit, with go1.26.8"
        );
        let json = serde_json::to_value(origin(Some(commit), false)).unwrap();
        assert_eq!(json["kind"], "checkout");
        assert_eq!(json["commit"], commit);
    }

    #[test]
    fn what_was_written_before_there_were_forks_is_read() {
        for text in [
            r#"{"kind":"built","module":"k8s.io/kubernetes@v1.36.3","go":"go1.26.8"}"#,
            r#"{"kind":"image","reference":"r/d:v1","digest":"sha256:0"}"#,
        ] {
            let origin: Origin = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&origin).unwrap(), text);
        }
    }
}
