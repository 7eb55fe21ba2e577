//! The programs that take part as controllers of a case, or in their place: found, fetched or built before there is a cluster.

use std::path::Path;

use super::{DriveError, Plan};
use crate::case::format::ControllerFile;
use kubeclash_cluster::{Controller, ProviderError};
use kubeclash_components::Spec;

/// Those of one arm.
///
/// # Errors
/// When one can't be had.
pub(super) async fn of(plan: &Plan) -> Result<Vec<Controller>, DriveError> {
    let Some(case) = plan.case.as_folder() else {
        return Ok(Vec::new());
    };
    let scenario = case.scenario(plan.id.arm, plan.id.variant.as_deref());
    let files = scenario.map_or(&[][..], |scenario| &scenario.file.controllers);
    let mut controllers = Vec::new();
    for file in files {
        let binary = match plan.substitutes.of(&file.name) {
            None => plan.resolver.controller(&brought(file, case.source())?).await,
            Some(substitute) => plan.resolver.substitute(substitute).await,
        };
        let binary = binary.map_err(|error| DriveError::Component(Box::new(error)))?;
        let env = file
            .env
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()));
        controllers.push(Controller {
            name: file.name.clone(),
            binary,
            args: file.args.clone(),
            env: env.collect(),
            ready: file.ready.clone(),
        });
    }
    Ok(controllers)
}

/// What the case itself says, whose paths are seen from its folder, where that is on a disk.
fn brought(file: &ControllerFile, folder: Option<&Path>) -> Result<Spec, ProviderError> {
    let setup = |why: String| ProviderError::Setup {
        what: format!("controller \"{}\"", file.name),
        why,
    };
    let spec = file
        .run
        .parse::<Spec>()
        .map_err(|error| setup(error.to_string()))?;
    let seen = |path: &Path| match folder {
        Some(folder) => Ok(folder.join(path)),
        None if path.is_absolute() => Ok(path.to_owned()),
        None => Err(setup(format!(
            "\"{}\" is seen from the case's folder, and this case is not on a disk",
            path.display()
        ))),
    };
    Ok(match spec {
        Spec::Path(path) => Spec::Path(seen(&path)?),
        Spec::Source { dir, package } => Spec::Source {
            dir: seen(&dir)?,
            package,
        },
        elsewhere => elsewhere,
    })
}
