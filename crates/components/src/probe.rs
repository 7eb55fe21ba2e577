//! What there is, for `kubeclash doctor`.

use std::path::{Path, PathBuf};

use super::checkout::Checkout;
use super::state::{Finding, State};
use super::wrapper::is_version;
use super::{ComponentName, Key, Look, Resolver, Selection, Spec, Version, container, given};

/// The Go that would build, or why there is none.
type Go = Result<super::GoVersion, String>;

impl Resolver {
    /// What is there and what would be done about the rest, without doing it or asking the network.
    pub async fn probe(&self, selection: &Selection, names: &[ComponentName]) -> Vec<Finding> {
        let go = self.builder.version().await;
        let mut findings = Vec::new();
        for name in names {
            findings.push(self.finding(*name, selection.spec(*name), &go).await);
        }
        findings
    }

    async fn finding(&self, name: ComponentName, spec: Spec, go: &Go) -> Finding {
        match spec {
            Spec::Release(version) => self.release_found(name, &version, go),
            Spec::Path(path) => {
                let problem = given::check(&path, &self.platform).err();
                Finding::of(name, "given", State::Given { path, problem })
            }
            Spec::Source { dir, package } => self.checkout_found(name, dir, package.as_deref(), go).await,
            Spec::Go { package, version } => {
                let build = by_go(&format!("{package}@{version}"), go);
                if is_version(&version) {
                    return self.found(name, &version, &Key::module(&package, &version), vec![build]);
                }
                let ask = format!("ask go's module proxy which version {version} is");
                Finding::of(
                    name,
                    &version,
                    State::Missing {
                        plan: vec![ask, build],
                    },
                )
            }
            Spec::Extract(reference) => {
                let reference = reference.replace('*', name.program());
                let plan = vec![format!("take its program out of {reference}")];
                match reference.split_once('@') {
                    Some((_, digest)) => self.found(name, digest, &Key::image(digest, name.program()), plan),
                    None => Finding::of(name, &reference, State::Missing { plan }),
                }
            }
            Spec::Image(reference) => {
                let state = container::probe(name, &reference, &self.platform).await;
                Finding::of(name, &reference, state)
            }
        }
    }

    fn release_found(&self, name: ComponentName, version: &Version, go: &Go) -> Finding {
        let fetch = match self.sources.describe(name, version, &self.platform) {
            Ok(url) => format!("fetch {url}"),
            Err(failure) => failure.to_string(),
        };
        let build = by_go(&format!("{}@{}", name.package(), version.tag()), go);
        self.found(
            name,
            version.shown(name),
            &Key::release(name, version),
            vec![fetch, build],
        )
    }

    async fn checkout_found(
        &self,
        name: ComponentName,
        dir: PathBuf,
        package: Option<&str>,
        go: &Go,
    ) -> Finding {
        let checkout = match Checkout::look(name, &dir, package) {
            Ok(checkout) => checkout,
            Err((problem, _)) => {
                let state = State::Given {
                    path: dir,
                    problem: Some(problem),
                };
                return Finding::of(name, "checkout", state);
            }
        };
        let commit = checkout.commit().await;
        let version = commit.map_or_else(|| "checkout".to_owned(), |commit| commit.version());
        let plan = vec![by_go(
            &format!("{} in {}", checkout.package, checkout.dir.display()),
            go,
        )];
        let key = Key::checkout(&checkout.place(), Key::AT_WORK);
        let mut finding = Finding::of(
            name,
            &version,
            State::Source {
                path: checkout.dir,
                plan,
            },
        );
        finding.took_ms = self.took(name, &key);
        finding
    }

    /// What the cache has, and else what would be done.
    fn found(&self, name: ComponentName, version: &str, key: &Key, plan: Vec<String>) -> Finding {
        let cached = |sha256, origin| State::Cached {
            path: self
                .cache
                .entry(name, key, &self.platform)
                .join(Path::new(name.program())),
            sha256,
            origin,
        };
        let state = match self.cache.look(name, key, &self.platform) {
            Look::Good(binary) => cached(binary.sha256, binary.origin),
            Look::Doubtful(entry) => cached(entry.sha256, entry.origin),
            Look::Corrupted(reason) => State::Corrupted { reason, plan },
            Look::Missing => State::Missing { plan },
        };
        let mut finding = Finding::of(name, version, state);
        finding.took_ms = self.took(name, key);
        finding
    }

    fn took(&self, name: ComponentName, key: &Key) -> Option<u64> {
        let (took, _) = self.cache.last_time(name, key, &self.platform)?;
        Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
    }
}

fn by_go(what: &str, go: &Go) -> String {
    match go {
        Ok(go) => format!("build {what} with {}", go.0),
        Err(reason) => format!("no Go to build it with ({reason})"),
    }
}
