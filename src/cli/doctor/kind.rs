//! What clusters of kind would be made with, and what would keep them from being made.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::flags::ComponentFlags;
use kubeclash_components::Spec;
use kubeclash_host::engine::Engine;
use kubeclash_host::engine::preflight::{self, Examined, Plan, Problem};
use kubeclash_host::shell::on_path;

/// What `--provider kind` would use. Nothing else needs it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Kind {
    /// The kind that is there; a run would fetch or build one where there is none.
    pub path: Option<PathBuf>,
    /// The container engine that it would drive: `docker`, `podman` or `nerdctl`.
    pub engine: Option<String>,
    /// What is known of both, what is good to know, and what would keep a run from making a cluster.
    #[serde(flatten)]
    pub found: Examined,
}

/// Looks at what is there.
pub(super) async fn examine(components: &ComponentFlags) -> Kind {
    let path = match &components.kind {
        Some(Spec::Path(path)) => Some(path.clone()),
        Some(_) => None,
        None => on_path("kind"),
    };
    match Engine::of_environment() {
        Ok(engine) => {
            let plan = Plan {
                engine,
                kind: path.as_deref(),
                image: None,
                clusters: 1,
            };
            Kind {
                found: preflight::examine(&plan).await,
                engine: Some(engine.to_string()),
                path,
            }
        }
        Err(why) => {
            let remedy = "install Docker (https://docs.docker.com/engine/install) or Podman; the provider local needs none";
            let problem = Problem {
                what: why,
                remedy: remedy.to_owned(),
            };
            Kind {
                path,
                engine: None,
                found: Examined {
                    problems: vec![problem],
                    ..Examined::default()
                },
            }
        }
    }
}

/// For people.
pub(super) fn lines(kind: &Kind) -> Vec<String> {
    let command = match (&kind.path, &kind.found.kind_version) {
        (Some(path), Some(version)) => format!("{version} at {}", path.display()),
        (Some(path), None) => format!("unusable, at {}", path.display()),
        (None, _) => "not on PATH: a run on kind would fetch or build it".to_owned(),
    };
    let engine = match (&kind.engine, &kind.found.engine_version) {
        (Some(engine), Some(version)) => format!("drives {engine} {version}"),
        (Some(engine), None) => format!("cannot drive {engine}"),
        (None, _) => "has nothing to drive".to_owned(),
    };
    let mut lines = vec![format!("kind      {command}; {engine}")];
    lines.extend(
        kind.found
            .notes
            .iter()
            .map(|note| format!("          note: {note}")),
    );
    for Problem { what, remedy } in &kind.found.problems {
        lines.push(format!("          PROBLEM: {what}: {remedy}"));
    }
    lines
}
