//! One arm of one variant of a case, with its values put in: all that is needed to carry it out and to judge it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::format::CaseFile;
use crate::experiment::Arm;
use crate::scenario::Manifest;

/// One arm of one variant of a case, with its values put in.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The case's folder, e.g. `c7_taint_recreate_loop`.
    pub case: String,
    /// Which half of the experiment.
    pub arm: Arm,
    /// Which of the case's variants; `None` where there is but one.
    pub variant: Option<String>,
    /// What `case.yaml` says, with the values of arm and variant put in and `nothing` left out of the steps.
    pub file: CaseFile,
    /// The manifests that the steps apply, by file, with the values put in.
    pub manifests: BTreeMap<String, Manifest>,
    /// The descheduler policies that the steps name, by file, and their twins of the older API version (`policy.v1alpha1.yaml`).
    pub policies: BTreeMap<String, Value>,
    /// The other files that the case names (configurations of schedulers), by file, with the values put in.
    pub configs: BTreeMap<String, String>,
    /// SHA-256 over all of the above, in hexadecimal: two scenarios with the same are the same experiment.
    pub inputs_sha256: String,
}
