//! Sets of specs by name, for commands that take more than one build: `new:scheduler=path:./a,descheduler=v0.36.0`.
//!
//! ```text
//! NAME:COMPONENT=SPEC,…   COMPONENT is a flag's name without its dashes: kubernetes, scheduler, descheduler, …
//! NAME:                   what the flags say, and nothing else
//! ```
//!
//! `scheduler-config`, `scheduler-name` and `descheduler-policy` can be in it as well, and `with=CONTROLLER=SPEC`. What a set does
//! not say is as the flags have it.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use super::Failure;
use super::flags::{RunFlags, from_arguments};
use crate::cases::Case;
use crate::exit;
use kubeclash_cluster::Policy;

/// A set of specs, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecSet {
    /// Its name, which is also that of a folder.
    pub name: String,
    /// What it says, in its order: the flag without its dashes, and the value.
    pub said: Vec<(&'static str, String)>,
}

/// What a set can say.
const KEYS: [&str; 13] = [
    "kubernetes",
    "apiserver",
    "controller-manager",
    "scheduler",
    "descheduler",
    "etcd",
    "kwok",
    "kind",
    "metrics-server",
    "scheduler-config",
    "scheduler-name",
    "descheduler-policy",
    WITH,
];

/// What a set can say more than once: of each controller.
const WITH: &str = "with";

impl SpecSet {
    /// The command line that it stands for: `--scheduler`, `path:./a`, …
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        arguments(&self.said)
    }

    /// What it says of the components, and of the controllers that a case brings: nothing of those of other cases, or of all where
    /// there is no case.
    #[must_use]
    pub fn of_case(&self, case: Option<&Case>) -> Vec<(&'static str, String)> {
        let brought = case.and_then(Case::as_folder).map(|case| case.brings());
        let brought = brought.unwrap_or_default();
        let counts = |(key, value): &&(&'static str, String)| {
            let is_brought = |name: &str| brought.iter().any(|program| program.name == name);
            *key != WITH
                || value
                    .split('=')
                    .next()
                    .is_some_and(|name| is_brought(name.trim()))
        };
        self.said.iter().filter(counts).cloned().collect()
    }

    /// That what it says of controllers is of controllers that these cases bring.
    ///
    /// # Errors
    /// The first that is not.
    pub fn fits<'a>(&self, cases: impl IntoIterator<Item = &'a Case>) -> Result<(), Failure> {
        let flags: RunFlags = self.read().map_err(|why| Failure::new(exit::USAGE, why))?;
        match self.said.iter().any(|(key, _)| *key == WITH) {
            true => flags.with.fit(cases),
            false => Ok(()),
        }
    }

    /// The flags with what the set says in place of what they said.
    ///
    /// # Errors
    /// When a value is none that its flag would take; in words.
    pub fn over(&self, flags: &RunFlags) -> Result<RunFlags, String> {
        let own: RunFlags = self.read()?;
        let mut flags = flags.clone();
        let (theirs, ours) = (&mut flags.components, own.components);
        for (key, _) in &self.said {
            match *key {
                "kubernetes" => theirs.kubernetes.clone_from(&ours.kubernetes),
                "apiserver" => theirs.apiserver.clone_from(&ours.apiserver),
                "controller-manager" => theirs.controller_manager.clone_from(&ours.controller_manager),
                "scheduler" => theirs.scheduler.clone_from(&ours.scheduler),
                "descheduler" => theirs.descheduler.clone_from(&ours.descheduler),
                "etcd" => theirs.etcd.clone_from(&ours.etcd),
                "kwok" => theirs.kwok.clone_from(&ours.kwok),
                "kind" => theirs.kind.clone_from(&ours.kind),
                "metrics-server" => theirs.metrics_server.clone_from(&ours.metrics_server),
                "scheduler-config" => flags
                    .tuning
                    .scheduler_config
                    .clone_from(&own.tuning.scheduler_config),
                WITH => flags.with = own.with.clone().over(&flags.with),
                "scheduler-name" => flags.tuning.scheduler_name.clone_from(&own.tuning.scheduler_name),
                _ => flags
                    .tuning
                    .descheduler_policy
                    .clone_from(&own.tuning.descheduler_policy),
            }
        }
        Ok(flags)
    }

    /// The descheduler's policy that it names.
    #[must_use]
    pub fn policy(&self) -> Option<Policy> {
        let flags: RunFlags = self.read().ok()?;
        let named = self.said.iter().any(|(key, _)| *key == "descheduler-policy");
        flags.tuning.descheduler_policy.filter(|_| named)
    }

    /// What it says, read as the command line is.
    fn read<F: Args>(&self) -> Result<F, String> {
        from_arguments(&self.arguments()).map_err(|e| format!("\"{self}\": {}", first_line(&e)))
    }
}

/// Flags with their values.
pub(super) fn arguments(said: &[(&'static str, String)]) -> Vec<String> {
    let said = said.iter();
    said.flat_map(|(key, value)| [format!("--{key}"), value.clone()])
        .collect()
}

/// clap's message without its usage, and without its name for itself.
fn first_line(error: &str) -> String {
    let told = error.split("\n\nFor more").next().unwrap_or(error);
    told.trim().trim_start_matches("error: ").to_owned()
}

impl fmt::Display for SpecSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: Vec<String> = self
            .said
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        write!(f, "{}:{}", self.name, said.join(","))
    }
}

impl FromStr for SpecSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form =
            "write NAME:COMPONENT=SPEC,…, as in new:scheduler=path:./kube-scheduler,descheduler=v0.36.0";
        let Some((name, rest)) = text.split_once(':') else {
            return Err(format!("\"{text}\" has no name: {form}"));
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with(['.', '-']) || name.len() > 60 || !name.chars().all(fits) {
            return Err(format!(
                "\"{name}\" is no name of a set: letters, digits, \".\", \"_\" and \"-\"; {form}"
            ));
        }
        let mut said: Vec<(&'static str, String)> = Vec::new();
        for part in parts(rest) {
            let Some((key, value)) = part.split_once('=') else {
                return Err(format!("\"{part}\" says nothing of a component: {form}"));
            };
            let Some(known) = KEYS.into_iter().find(|known| *known == key.trim()) else {
                return Err(format!("\"{key}\" is none of {}: {form}", KEYS.join(", ")));
            };
            if value.trim().is_empty() {
                return Err(format!("\"{known}=\" names nothing: {form}"));
            }
            if known != WITH && said.iter().any(|(before, _)| *before == known) {
                return Err(format!("\"{known}\" is given twice in \"{text}\""));
            }
            said.push((known, value.trim().to_owned()));
        }
        let set = Self {
            name: name.to_owned(),
            said,
        };
        let flags: RunFlags = set.read()?;
        if set.said.iter().any(|(key, _)| *key == WITH) {
            flags
                .with
                .each_once()
                .map_err(|why| format!("\"{text}\": {why}"))?;
        }
        Ok(set)
    }
}

/// Splits at the commas behind which a component is named: a file's name may have others.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for piece in text.split(',') {
        let key = piece.split('=').next().unwrap_or_default();
        let begins = piece.contains('=') && key.trim().chars().all(|c| c.is_ascii_lowercase() || c == '-');
        match parts.last_mut() {
            Some(last) if !begins => *last = format!("{last},{piece}"),
            _ => parts.push(piece.to_owned()),
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubeclash_components::ComponentName;

    fn set(text: &str) -> SpecSet {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn a_set_is_read_and_written_alike() {
        for text in [
            "new:",
            "new:scheduler=path:./a,descheduler=v0.36.0",
            // What is read has to be there.
            "pr-12:descheduler=image:127.0.0.1:5000/d:x,descheduler-policy=manifests/c8_soft_spread_loop/policy.yaml",
            "odd:scheduler=path:./a,B=c,kwok=v0.8.0",
            "mine:with=keeper=src:.,scheduler=path:./a,with=operator=path:./o",
        ] {
            assert_eq!(set(text).to_string(), text);
        }
        assert_eq!(
            set("odd:scheduler=path:./a,B=c").said,
            [("scheduler", "path:./a,B=c".to_owned())]
        );
        assert_eq!(set("x:scheduler=v1.35.0").arguments(), ["--scheduler", "v1.35.0"]);
    }

    #[test]
    fn what_is_no_set_is_told_with_the_form_that_it_should_have() {
        for (text, why) in [
            ("", "has no name"),
            ("new", "has no name"),
            (":scheduler=v1.35.0", "is no name"),
            ("../x:scheduler=v1.35.0", "is no name"),
            ("new:scheduler", "says nothing of a component"),
            ("new:colour=red", "\"colour\" is none of kubernetes"),
            ("new:scheduler=", "names nothing"),
            ("new:scheduler=v1.35.0,scheduler=v1.36.0", "given twice"),
            ("new:scheduler=v1.35", "is not a release"),
            ("new:with=keeper", "keeper"),
            (
                "new:with=keeper=src:.,with=keeper=path:x",
                "\"keeper\" is given twice",
            ),
            ("new:kubernetes=image:x/y:z", "--kubernetes is three"),
            ("new:scheduler-name=default-scheduler", "default scheduler's"),
        ] {
            let error = text.parse::<SpecSet>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_set_wins_over_the_flags_and_leaves_the_rest() {
        let flags: RunFlags = from_arguments(&[
            "--scheduler".to_owned(),
            "v1.34.0".to_owned(),
            "--etcd=3.5.0".to_owned(),
        ])
        .unwrap();
        let over = set("new:scheduler=v1.35.0").over(&flags).unwrap();
        let selection = over.components.selection();
        assert_eq!(selection.spec(ComponentName::Scheduler).to_string(), "v1.35.0");
        assert_eq!(selection.spec(ComponentName::Etcd).to_string(), "v3.5.0");
        let words = ["--with", "keeper=src:a", "--with", "operator=src:b"];
        let flags: RunFlags = from_arguments(&words.map(str::to_owned)).unwrap();
        let over = set("new:with=keeper=src:c").over(&flags).unwrap();
        assert_eq!(over.with.substitutes().to_string(), "keeper=src:c,operator=src:b");
        let over = set("new:").over(&flags).unwrap();
        assert_eq!(over.with.substitutes().to_string(), "keeper=src:a,operator=src:b");
    }
}
