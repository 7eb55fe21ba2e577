//! The folder of evidence of a new run.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{DriveError, Plan};
use kubeclash_host::yaml;

/// That a file or folder of the evidence could not be written.
pub(super) fn failed(path: PathBuf) -> impl FnOnce(std::io::Error) -> DriveError {
    move |source| DriveError::Evidence { path, source }
}

/// Makes the folder, with what is applied: each file's documents, and the logs of what was built.
///
/// # Errors
/// When it can't be written.
pub(super) fn make<'a>(
    plan: &Plan,
    applied: impl Iterator<Item = (&'a str, Vec<Value>)>,
) -> Result<PathBuf, DriveError> {
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let id = &uuid::Uuid::new_v4().simple().to_string()[..6];
    let dir = plan
        .out
        .join(&plan.id.case)
        .join(plan.id.folder())
        .join(format!("{date}-{id}"));
    fs::create_dir_all(dir.join("logs")).map_err(failed(dir.clone()))?;
    let manifests = dir.join("manifests");
    fs::create_dir_all(&manifests).map_err(failed(manifests.clone()))?;
    for (file, documents) in applied {
        let texts: Vec<String> = documents.iter().map(yaml::text).collect();
        let path = manifests.join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed(folder.to_owned()))?;
        }
        fs::write(&path, texts.join("---\n")).map_err(failed(path.clone()))?;
    }
    for binary in plan.binaries.values() {
        let log = binary.build_log.as_ref().and_then(|log| fs::read(log).ok());
        // A cache that was cleaned just now is no reason to fail: the log is not what is judged.
        if let Some(log) = log {
            let path = dir.join("logs").join(format!("build-{}.log", binary.name));
            fs::write(&path, log).map_err(failed(path.clone()))?;
        }
    }
    Ok(dir)
}
