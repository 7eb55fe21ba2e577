//! Runs the shell steps of an action or of a workflow's job, as they are written there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kubeclash::scenario::yaml;
use serde_json::Value;

use crate::cli_sandbox::{Ended, Sandbox, ended};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(file: &str) -> Value {
    yaml::value(&fs::read_to_string(root().join(file)).unwrap()).unwrap()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A machine that runs shell steps one after another, as GitHub's runner does: what a step writes to `GITHUB_OUTPUT` is
/// there for the next.
pub(crate) struct Runner {
    pub(crate) sandbox: Sandbox,
    /// What stands for `${{ name }}`.
    pub(crate) context: BTreeMap<String, String>,
    /// What its machine has set besides what a step does.
    pub(crate) env: BTreeMap<String, OsString>,
    /// Where the action's own checkout is.
    pub(crate) action: PathBuf,
}

impl Runner {
    /// With the inputs of an action or a workflow: what is given, and the defaults.
    pub(crate) async fn new(declared: &Value, given: &[(&str, &str)]) -> Self {
        Self::within(Sandbox::new().await, declared, given)
    }

    /// The same in a world that is there.
    pub(crate) fn within(sandbox: Sandbox, declared: &Value, given: &[(&str, &str)]) -> Self {
        let inputs = declared.as_object().unwrap();
        let mut context: BTreeMap<String, String> = inputs
            .iter()
            .map(|(name, input)| (format!("inputs.{name}"), text(&input["default"])))
            .collect();
        for name in ["github.action_repository", "github.token"] {
            context.insert(name.to_owned(), String::new());
        }
        for (name, value) in given {
            let known = context.insert(format!("inputs.{name}"), (*value).to_owned());
            assert!(known.is_some(), "there is no input {name}");
        }
        Self {
            sandbox,
            context,
            env: BTreeMap::new(),
            action: root().to_owned(),
        }
    }

    /// Replaces each `${{ … }}`; one that nobody knows is a mistake in the workflow.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut rest = text;
        let mut expanded = String::new();
        while let Some((before, after)) = rest.split_once("${{") {
            let (name, after) = after.split_once("}}").unwrap();
            expanded += before;
            // Of several the first that is not empty.
            let values = name.split("||").map(|name| {
                let name = name.trim();
                // What a step did not say is empty.
                let unsaid = name.starts_with("steps.").then(String::new);
                let value = self.context.get(name).cloned().or(unsaid);
                value.unwrap_or_else(|| panic!("nothing stands for {name} in {text}"))
            });
            expanded += &values.fold(
                String::new(),
                |first, next| if first.is_empty() { next } else { first },
            );
            rest = after;
        }
        expanded + rest
    }

    /// Runs a step in a folder.
    pub(crate) fn run(&mut self, step: &Value, folder: &Path) -> Ended {
        let file = |name: &str| self.sandbox.path(name);
        fs::write(file("outputs"), "").unwrap();
        let mut command = self.sandbox.with(
            Command::new("bash"),
            &["--noprofile", "--norc", "-eo", "pipefail", "-c"],
        );
        command
            .arg(step["run"].as_str().unwrap())
            .current_dir(folder)
            .env("GITHUB_OUTPUT", file("outputs"))
            .env("GITHUB_STEP_SUMMARY", file("summary"))
            .env("GITHUB_ACTION_PATH", &self.action)
            .env("RUNNER_TEMP", self.sandbox.path("out"));
        // Rust's tools are where they are on a runner.
        for name in ["CARGO_HOME", "RUSTUP_HOME"] {
            let default = || {
                std::env::home_dir()
                    .unwrap()
                    .join(format!(".{}", name.split('_').next().unwrap().to_lowercase()))
            };
            command.env(name, std::env::var_os(name).map_or_else(default, PathBuf::from));
        }
        command.envs(&self.env);
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, self.expand(&text(value)));
        }
        let ended = ended(command);
        let id = step["id"].as_str().unwrap_or("unnamed");
        for line in fs::read_to_string(file("outputs")).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            self.context
                .insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
        }
        ended
    }

    pub(crate) fn output(&self, name: &str) -> &str {
        self.context.get(name).map_or("", String::as_str)
    }

    /// What the job's summary shows.
    pub(crate) fn summary(&self) -> String {
        fs::read_to_string(self.sandbox.path("summary")).unwrap_or_default()
    }
}

/// The steps that are shell, of an action or of a job.
pub(crate) fn shell_steps(steps: &Value) -> Vec<Value> {
    let steps = steps.as_array().unwrap();
    steps
        .iter()
        .filter(|step| step["run"].is_string())
        .cloned()
        .collect()
}

/// A step of a job, by its name.
pub(crate) fn step(workflow: &Value, job: &str, name: &str) -> Value {
    let steps = shell_steps(&workflow["jobs"][job]["steps"]);
    steps.into_iter().find(|step| step["name"] == name).unwrap()
}
