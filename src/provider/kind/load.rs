//! CPU that is really used, and metrics that are really measured: for the cases that have a load.

/// The image of the pods that use CPU, which is made and loaded for each cluster that needs it.
pub(super) const BURN: &str = "kubeclash/burn:here";
