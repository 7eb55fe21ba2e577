//! Jobs whose submitter is dead: what a `kill -9` leaves on a cluster.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::ListParams;
use sysinfo::System;

use super::step::{SUBMISSION, SUBMITTER, all};
use super::{SubmitError, Target, removed};
use kubeclash_host::sweep;

/// A submission that has Jobs in a namespace, and whose submitter was killed, or is on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its id.
    pub submission: String,
    /// The machine that submitted it.
    pub submitter: String,
    /// Whether that was this machine: only then is it known that nobody waits for it.
    pub ours: bool,
    /// The names of its Jobs.
    pub jobs: Vec<String>,
}

/// The submissions in a namespace that nobody here waits for.
///
/// # Errors
/// When the cluster does not tell.
pub async fn leftovers(target: &Target) -> Result<Vec<Leftover>, SubmitError> {
    let listed = target.jobs().list(&ListParams::default().labels(&all())).await;
    let listed = listed.map_err(|source| SubmitError::Api {
        what: "list Jobs",
        source: Box::new(source),
    })?;
    let here = this_machine();
    let mut found: BTreeMap<String, Leftover> = BTreeMap::new();
    for job in listed {
        let Some(submission) = job.labels().get(SUBMISSION).cloned() else {
            continue;
        };
        let submitter = job.annotations().get(SUBMITTER).cloned().unwrap_or_default();
        let ours = submitter == here;
        let leftover = found.entry(submission.clone()).or_insert_with(|| Leftover {
            submission,
            submitter,
            ours,
            jobs: Vec::new(),
        });
        leftover.jobs.push(job.name_any());
    }
    // Looked at once for all of its Jobs: that goes through this machine's processes.
    found.retain(|submission, leftover| !(leftover.ours && sweep::lives(submission)));
    Ok(found.into_values().collect())
}

/// Removes a submission's Jobs with their pods, and waits until they are gone.
///
/// # Errors
/// When one stays, in words.
pub async fn remove(target: &Target, leftover: &Leftover) -> Result<(), String> {
    let removals = leftover.jobs.iter().map(|job| async move {
        let removed = removed(target, job).await;
        removed.map_err(|why| format!("Job {job}: {why}"))
    });
    let failed: Vec<String> = futures::future::join_all(removals)
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n"))
    }
}

/// What this machine is called.
pub(super) fn this_machine() -> String {
    System::host_name().unwrap_or_else(|| "unknown".to_owned())
}
