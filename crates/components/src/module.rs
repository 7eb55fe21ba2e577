//! Public Go modules: which one a package belongs to, at which version, and the wrapper that it is built from.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use serde::Deserialize;

use super::builder::{BuildFailure, Builder, Workshop};
use super::go::{Ended, run, run_any};
use super::wrapper::{GoMod, Sibling, Wanted, tools};

/// A version of a module that go has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The module's path.
    pub(super) module: String,
    /// Its version, in full.
    pub(super) version: String,
    /// Its go.mod, in go's cache.
    go_mod: PathBuf,
}

/// What `go list -m -e -json` says of one query.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Listed {
    path: String,
    version: Option<String>,
    go_mod: Option<PathBuf>,
    error: Option<Wrong>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrong {
    err: String,
}

impl Builder {
    /// The module that has a package, at the version that a query (`v0.35.1`, `latest`, a branch) means now.
    ///
    /// As go does it: of all the paths that the package's begins with, the longest that is a module.
    pub(super) async fn find(
        &self,
        package: &str,
        query: &str,
        shop: &Workshop<'_>,
    ) -> Result<Found, BuildFailure> {
        let parts: Vec<_> = package.split('/').collect();
        // A host alone is a module only where the package is that.
        let shortest = parts.len().min(2);
        let prefixes: Vec<_> = (shortest..=parts.len())
            .rev()
            .map(|length| format!("{}@{query}", parts[..length].join("/")))
            .collect();
        let listed = self.list(&prefixes, shop).await?;
        // go leaves the reason out where it knows of a version whose files it can't have.
        let reason = listed.last().and_then(Listed::reason);
        let reason = reason.unwrap_or_else(|| "it is known, and its go.mod is not to be had".to_owned());
        listed
            .into_iter()
            .find_map(Listed::found)
            .ok_or_else(|| BuildFailure::NoModule {
                package: package.to_owned(),
                query: query.to_owned(),
                reason,
            })
    }

    /// Writes the wrapper of a module's version into the workshop, with everything pinned that the packages need.
    ///
    /// go checks what it downloads for this against the checksum database.
    pub(super) async fn wrap(
        &self,
        found: &Found,
        query: &str,
        packages: &[String],
        shop: &Workshop<'_>,
    ) -> Result<(), BuildFailure> {
        self.vouched(shop).await?;
        shop.task.say(format!("reading the go.mod of {}", found.module));
        let mut command = self.command(shop, "-mod=mod");
        command.args(["mod", "edit", "-json"]).arg(&found.go_mod);
        let text = run(command, shop.log, shop.task)
            .await
            .map_err(|ended| self.failed(ended))?;
        let go_mod: GoMod = serde_json::from_slice(&text).map_err(|error| BuildFailure::NoModule {
            package: found.module.clone(),
            query: found.version.clone(),
            reason: format!("its go.mod cannot be read: {error}"),
        })?;
        let wanted = Wanted {
            module: &found.module,
            version: &found.version,
            query,
        };
        let published = self.published(go_mod.siblings(&wanted), shop).await?;
        let write = |name: &str, text: &str| {
            std::fs::write(shop.folder.join(name), text).map_err(BuildFailure::Local)
        };
        write("go.mod", &go_mod.wrapper(&wanted, &published))?;
        write("tools.go", &tools(packages))?;
        shop.task.say("choosing versions");
        let mut command = self.command(shop, "-mod=mod");
        command.args(["list", "-deps"]).args(packages);
        run(command, shop.log, shop.task)
            .await
            .map_err(|ended| self.failed(ended))?;
        Ok(())
    }

    /// Refuses to build what nothing would vouch for.
    async fn vouched(&self, shop: &Workshop<'_>) -> Result<(), BuildFailure> {
        let mut command = self.command(shop, "-mod=mod");
        command.args(["env", "GOSUMDB"]);
        let answer = run(command, shop.log, shop.task)
            .await
            .map_err(|ended| self.failed(ended))?;
        match answer.trim_ascii() {
            b"off" => Err(BuildFailure::Unchecked),
            _ => Ok(()),
        }
    }

    /// Under which version each sibling is published, or is likeliest to be.
    async fn published(
        &self,
        siblings: Vec<Sibling>,
        shop: &Workshop<'_>,
    ) -> Result<BTreeMap<String, String>, BuildFailure> {
        let mut published = BTreeMap::new();
        let mut left: Vec<_> = siblings
            .into_iter()
            .map(|sibling| (VecDeque::from(sibling.candidates.clone()), sibling, String::new()))
            .collect();
        while !left.is_empty() {
            let mut asked = Vec::new();
            for (mut candidates, sibling, reason) in left {
                match candidates.pop_front() {
                    Some(candidate) => {
                        asked.push((format!("{}@{candidate}", sibling.module), candidates, sibling));
                    }
                    // Much of what a release requires is needed by none of its programs (Kubernetes' sample-apiserver);
                    // go then asks for nothing of it. What it does ask for it names.
                    None => match (sibling.required, sibling.candidates.first()) {
                        (true, Some(likeliest)) => {
                            shop.log
                                .line(format!("{} => {likeliest}, unseen: {reason}", sibling.module));
                            published.insert(sibling.module, likeliest.clone());
                        }
                        _ => shop.log.line(format!("{} is left out: {reason}", sibling.module)),
                    },
                }
            }
            if asked.is_empty() {
                break;
            }
            let queries: Vec<_> = asked.iter().map(|(query, ..)| query.clone()).collect();
            let listed = self.list(&queries, shop).await?;
            left = Vec::new();
            for ((query, candidates, sibling), listed) in asked.into_iter().zip(listed) {
                let reason = listed.reason().unwrap_or_default();
                match listed.found() {
                    Some(found) => {
                        shop.log
                            .line(format!("{} => {query} for {}", sibling.module, sibling.folder));
                        published.insert(found.module, found.version);
                    }
                    None => left.push((candidates, sibling, reason)),
                }
            }
        }
        Ok(published)
    }

    /// What go knows of queries, in their order.
    async fn list(&self, queries: &[String], shop: &Workshop<'_>) -> Result<Vec<Listed>, BuildFailure> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.command(shop, "-mod=mod");
        command.args(["list", "-m", "-e", "-json"]).args(queries);
        let (status, answer, tail) = run_any(command, shop.log, shop.task)
            .await
            .map_err(|ended| self.failed(ended))?;
        let listed: Vec<Listed> = serde_json::Deserializer::from_slice(&answer)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_default();
        if listed.len() != queries.len() {
            let status = format!("ended with {status}");
            return Err(self.failed(Ended::Badly { status, tail }));
        }
        for listed in &listed {
            if let Some(reason) = listed.reason() {
                shop.log.line(format!("{}: {reason}", listed.path));
            }
        }
        Ok(listed)
    }
}

impl Listed {
    fn reason(&self) -> Option<String> {
        // Of several lines the last says most: "server response: not found".
        let lines = self.error.as_ref()?.err.lines().map(str::trim);
        Some(lines.collect::<Vec<_>>().join(" "))
    }

    fn found(self) -> Option<Found> {
        match self {
            Self {
                path,
                version: Some(version),
                go_mod: Some(go_mod),
                error: None,
            } => Some(Found {
                module: path,
                version,
                go_mod,
            }),
            _ => None,
        }
    }
}
