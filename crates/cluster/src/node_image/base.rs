//! The distribution's part of a node image: a root file system of its packages.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::NodeImageError;
use super::program::run;
use kubeclash_components::{Platform, Sha256};
use kubeclash_host::progress::Progress;
use kubeclash_host::run_dir::RunDir;

/// What a node needs of a distribution, besides what every system of it has.
pub(super) const PACKAGES: [&str; 7] = [
    "systemd",
    // The kubelet asks systemd for slices through it.
    "dbus",
    "iproute2",
    // The kubelet marks the packets of its pods.
    "iptables",
    "mount",
    "runc",
    // A fork's own image may come from a registry.
    "ca-certificates",
];

/// What is left out of packages, or taken away once they are installed: nothing on a node reads it.
pub(super) const WITHOUT: [&str; 5] = [
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
];

/// Of perl only what is essential stays. /var is copied for each node when it starts.
pub(super) const CLEAN: &str = "cd \"$1\" && rm -rf usr/share/perl usr/lib/*/perl usr/lib/*/libperl.so* usr/bin/perl5* \
                     var/cache/debconf/* var/lib/dpkg/info var/lib/dpkg/*-old var/log/*";

/// How long a root file system is used again: its packages get security updates.
const WEEK: i64 = 7 * 24 * 60 * 60;

/// How apt is set up on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Distribution {
    /// `bookworm`, `noble`, …
    pub(super) suite: String,
    /// Where its packages come from, a line each as in `sources.list`.
    pub(super) sources: Vec<String>,
    /// What apt has to be told to get there: proxies, certificates.
    pub(super) options: Vec<String>,
}

impl Distribution {
    /// Of this machine.
    pub(super) async fn of_this_machine() -> Result<Self, NodeImageError> {
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let suite = suite(&release).ok_or_else(|| {
            let fields = fields(&release);
            let name = fields.get("PRETTY_NAME").map_or("no Linux that tells its name", String::as_str);
            NodeImageError::missing(
                format!("it is made of packages of Debian or Ubuntu, and this is {name}"),
                "make it on Debian or Ubuntu (a virtual machine will do) and carry it over with \"docker save\" and \
                 \"docker load\"",
            )
        })?;
        let format =
            "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(ARCHITECTURE)|$(SIGNED_BY)";
        let targets = told("apt-get", &["indextargets", "--format", format]).await?;
        let arch = told("dpkg", &["--print-architecture"]).await?;
        let sources = sources(&targets, &suite, arch.trim());
        if sources.is_empty() {
            return Err(NodeImageError::missing(
                format!("apt knows no packages of {suite} (main, {})", arch.trim()),
                "have it read the lists: \"apt-get update\"",
            ));
        }
        Ok(Self {
            suite,
            sources,
            options: options(&told("apt-config", &["dump"]).await?),
        })
    }

    /// What tells one root file system from another.
    fn key(&self, platform: &Platform, week: i64) -> String {
        let mut digest = Sha256::default();
        let inputs = [
            &self.suite,
            &platform.to_string(),
            &PACKAGES.join(" "),
            &WITHOUT.join(" "),
            CLEAN,
        ];
        digest.update(inputs.join("\n").as_bytes());
        let digest = digest.finish();
        format!("packages-{}-{}-{week}", self.suite, &digest[..12])
    }
}

/// What a command of the distribution's says.
async fn told(program: &str, args: &[&str]) -> Result<String, NodeImageError> {
    let output = Command::new(program)
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(NodeImageError::failed(
            "ask apt where packages come from",
            format!(
                "\"{program}\" said: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        )),
        Err(error) => Err(NodeImageError::missing(
            format!("there is no \"{program}\" to be started ({error})"),
            "make it on a machine that has Debian's or Ubuntu's apt",
        )),
    }
}

/// The fields of an os-release.
fn fields(release: &str) -> BTreeMap<&str, String> {
    let lines = release.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name, value.trim_matches(['"', '\'']).to_owned()))
        .collect()
}

/// The suite's name, if it is one of Debian's or Ubuntu's.
fn suite(release: &str) -> Option<String> {
    let fields = fields(release);
    let known = matches!(fields.get("ID")?.as_str(), "debian" | "ubuntu");
    fields
        .get("VERSION_CODENAME")
        .filter(|name| known && !name.is_empty())
        .cloned()
}

/// The lines of a sources.list for a suite, with its updates, out of what apt has indices of.
fn sources(targets: &str, suite: &str, arch: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for target in targets.lines() {
        let fields: Vec<_> = target.split('|').collect();
        let [
            created_by,
            uri,
            release,
            component,
            origin,
            architecture,
            signed_by,
        ] = fields[..]
        else {
            continue;
        };
        let update = release.strip_prefix(suite).is_some_and(|rest| {
            let rest = rest.split('/').next().unwrap_or_default();
            matches!(rest, "" | "-updates" | "-security")
        });
        let theirs = matches!(origin, "Debian" | "Ubuntu") && component == "main" && architecture == arch;
        if created_by != "Packages" || !theirs || !update {
            continue;
        }
        // apt gives the field's own name where it has nothing to say.
        let signed = if signed_by.starts_with('/') {
            format!("[signed-by={signed_by}] ")
        } else {
            String::new()
        };
        let line = format!("deb {signed}{uri} {release} {component}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// What apt is told of the way to its servers.
fn options(dump: &str) -> Vec<String> {
    let ways = ["Acquire::http", "Acquire::https"];
    let of_a_way = |line: &&str| {
        let name = line.split(' ').next().unwrap_or_default();
        ways.iter()
            .any(|way| name == *way || name.starts_with(&format!("{way}::")))
    };
    dump.lines()
        .filter(of_a_way)
        .filter(|line| !line.ends_with(" \"\";"))
        .map(str::to_owned)
        .collect()
}

/// A root file system of the packages, as a tar; this week's if there is one.
pub(super) async fn packages(
    distribution: &Distribution,
    platform: &Platform,
    cache: &Path,
    run_dir: &RunDir,
    progress: &Progress,
) -> Result<PathBuf, NodeImageError> {
    let week = jiff::Timestamp::now().as_second() / WEEK;
    let key = distribution.key(platform, week);
    let tar = cache.join(format!("{key}.tar"));
    if tar.is_file() {
        progress.println(format!(
            "packages of {}: made earlier this week",
            distribution.suite
        ));
        return Ok(tar);
    }
    let task = progress.task(format!("packages of {}", distribution.suite));
    let room = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(cache)
        .map_err(|error| NodeImageError::failed("write into the cache", error))?;
    let new = room.path().join("root.tar");
    let tmp = room.path().join("tmp");
    // apt reads as a user of its own.
    std::fs::create_dir(&tmp)
        .and_then(|()| std::fs::set_permissions(&tmp, Permissions::from_mode(0o1777)))
        .and_then(|()| std::fs::set_permissions(room.path(), Permissions::from_mode(0o711)))
        .map_err(|error| NodeImageError::failed("write into the cache", error))?;
    // It mounts, and leaves its mounts and its files where they are when it is interrupted: in namespaces of its own,
    // and in a folder that goes with it, nothing outlives it.
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", "mount --bind \"$0\" /mnt && exec mmdebstrap \"$@\""])
        .arg(room.path())
        .args(["--mode=root", "--variant=essential", "--format=tar"])
        .arg(format!("--architectures={}", debian(&platform.arch)))
        .arg(format!("--include={}", PACKAGES.join(",")))
        .args(WITHOUT.map(|option| format!("--dpkgopt={option}")))
        .args(
            distribution
                .options
                .iter()
                .map(|option| format!("--aptopt={option}")),
        )
        .arg(format!("--customize-hook={CLEAN}"))
        .arg(&distribution.suite)
        .arg("/mnt/root.tar")
        .args(&distribution.sources)
        .env("LC_ALL", "C.UTF-8")
        .env("TMPDIR", "/mnt/tmp")
        .current_dir("/");
    run(&mut command, run_dir, &task)
        .await
        .map_err(|why| NodeImageError::failed("make a root file system of packages", why))?;
    let keep = || {
        for entry in std::fs::read_dir(cache)?.flatten() {
            // Those of weeks gone by, and of other suites.
            if entry.file_name().as_encoded_bytes().starts_with(b"packages-") {
                std::fs::remove_file(entry.path())?;
            }
        }
        std::fs::rename(&new, &tar)
    };
    keep().map_err(|error| NodeImageError::failed("write into the cache", error))?;
    task.finish("a root file system of them is made");
    Ok(tar)
}

/// An architecture in the distribution's words.
fn debian(arch: &str) -> &str {
    match arch {
        "386" => "i386",
        "arm" => "armhf",
        "ppc64le" => "ppc64el",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_is_read_from_os_release() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(suite(debian).as_deref(), Some("bookworm"));
        assert_eq!(
            suite("ID=ubuntu\nVERSION_CODENAME=noble\nID_LIKE=debian").as_deref(),
            Some("noble")
        );
        assert_eq!(suite("ID=fedora\nVERSION_CODENAME=\"\""), None);
        assert_eq!(suite(""), None);
    }

    #[test]
    fn packages_come_from_where_the_machine_has_them_and_from_nobody_else() {
        let targets = "\
Packages|http://mirror/debian/|bookworm|main|Debian|amd64|$(SIGNED_BY)
DEP-11|http://mirror/debian/|bookworm|main|Debian|amd64|$(SIGNED_BY)
Packages|http://mirror/debian/|bookworm|contrib|Debian|amd64|$(SIGNED_BY)
Packages|http://mirror/debian/|bookworm|main|Debian|i386|$(SIGNED_BY)
Packages|http://mirror/debian/|bookworm-updates|main|Debian|amd64|/usr/share/keyrings/d.gpg
Packages|http://mirror/debian/|bookworm-backports|main|Debian|amd64|$(SIGNED_BY)
Packages|http://mirror/security/|bookworm-security|main|Debian|amd64|$(SIGNED_BY)
Packages|http://mirror/security/|bookworm-security|main|Debian|amd64|$(SIGNED_BY)
Packages|https://example.org/node|nodistro|main|Node|amd64|/etc/key.gpg
";
        assert_eq!(
            sources(targets, "bookworm", "amd64"),
            [
                "deb http://mirror/debian/ bookworm main",
                "deb [signed-by=/usr/share/keyrings/d.gpg] http://mirror/debian/ bookworm-updates main",
                "deb http://mirror/security/ bookworm-security main",
            ]
        );
    }

    #[test]
    fn proxies_are_passed_on() {
        let dump = "APT::Architecture \"amd64\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://p:3128\";\n\
                    Acquire::httpfoo \"x\";\nAcquire::https::CaInfo \"/ca.pem\";\n";
        assert_eq!(
            options(dump),
            [
                "Acquire::http::Proxy \"http://p:3128\";",
                "Acquire::https::CaInfo \"/ca.pem\";"
            ]
        );
    }

    #[test]
    fn another_week_wants_other_packages() {
        let distribution = Distribution {
            suite: "bookworm".to_owned(),
            sources: Vec::new(),
            options: Vec::new(),
        };
        let platform = Platform::new("linux", "amd64");
        assert_ne!(distribution.key(&platform, 1), distribution.key(&platform, 2));
    }
}
