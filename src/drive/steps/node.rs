//! Steps that are about a node: cordon, drain, stop, add, remove.

use std::time::Duration;

use super::{Before, Steps, unfit, while_alive};
use crate::case::format::{NodePick, Step};
use crate::drive::DriveError;
use crate::inject::{self, DrainOptions, InjectError, ObjectRef};
use crate::observe::Recorder;
use kubeclash_cluster::{Cluster, NodeSpec};
use kubeclash_timeline::fullest;

/// How often kubectl asks again for an eviction that a disruption budget refused.
const RETRY: Duration = Duration::from_secs(5);

/// The node that the last drain or cordon took, in a case's words.
const DRAINED: &str = "the drained node";

/// The node that was stopped last, in a case's words.
const STOPPED: &str = "the stopped node";

impl Steps<'_> {
    /// Carries such a step out; why the steps are broken off, where they are.
    pub(super) async fn on_node(
        &self,
        step: &Step,
        cluster: &mut Cluster,
        recorder: &Recorder,
        before: &mut Before,
    ) -> Result<Option<String>, DriveError> {
        let client = cluster.client().clone();
        let failed = |source: InjectError| DriveError::Step {
            step: step.to_string(),
            source: Box::new(source),
        };
        let pick = |pick: &NodePick, before: &Before| picked(step, pick, recorder, before);
        match step {
            Step::Cordon(cordon) => {
                let node = pick(&cordon.cordon, before)?;
                while_alive(cluster, inject::cordon(&client, &node))
                    .await?
                    .map_err(failed)?;
                before.drained = Some(node);
            }
            Step::Uncordon(uncordon) => {
                let node = pick(&uncordon.uncordon, before)?;
                while_alive(cluster, inject::uncordon(&client, &node))
                    .await?
                    .map_err(failed)?;
            }
            Step::Drain(drain) => {
                let node = pick(&drain.drain, before)?;
                before.drained = Some(node.clone());
                let default = DrainOptions::default();
                let options = DrainOptions {
                    timeout: drain
                        .within
                        .map_or(default.timeout, |within| self.pace.deadline(within.0)),
                    retry_every: self.pace.scale(RETRY),
                    ..default
                };
                match while_alive(cluster, inject::drain(&client, &node, &options)).await? {
                    Ok(_) => {}
                    // Whether it should have ended is the judge's business.
                    Err(error @ InjectError::Drain { .. }) if drain.within.is_some() => {
                        tracing::debug!(%error, "the drain is given up");
                    }
                    Err(error @ InjectError::Drain { .. }) => return Ok(Some(error.to_string())),
                    Err(error) => return Err(failed(error)),
                }
            }
            Step::StopNode(stop) => {
                let node = pick(&stop.stop_node, before)?;
                cluster.stop_node(&node).await?;
                before.stopped = Some(node);
            }
            Step::StartNode(start) => {
                let node = pick(&start.start_node, before)?;
                cluster.start_node(&node).await?;
            }
            Step::AddNodes(add) => {
                let group = &add.add_nodes;
                let first = cluster.next_worker();
                let nodes = NodeSpec::of_group(group, first, "add-nodes")
                    .map_err(|error| unfit(step, error.to_string()))?;
                cluster.add_nodes(&nodes).await?;
            }
            Step::RemoveNode(remove) => {
                let node = pick(&remove.remove_node, before)?;
                cluster.stop_node(&node).await?;
                let options = inject::DeleteOptions::default();
                let delete = inject::delete(&client, &ObjectRef::node(&node), &options).await;
                delete.map_err(failed)?;
            }
            _ => {}
        }
        Ok(None)
    }
}

/// Which node a step means, now that it begins.
fn picked(step: &Step, pick: &NodePick, recorder: &Recorder, before: &Before) -> Result<String, DriveError> {
    let node = match pick {
        NodePick::Named(name) if name == DRAINED => before.drained.clone(),
        NodePick::Named(name) if name == STOPPED => before.stopped.clone(),
        NodePick::Named(name) => Some(name.clone()),
        NodePick::Fullest { fullest_of } => {
            let node = recorder.look(|_, world| {
                let placement = world.placement_of(fullest_of);
                (placement.values().any(|count| *count > 0)).then(|| fullest(&placement))
            });
            return node.ok_or_else(|| unfit(step, format!("no pod of {fullest_of} is on any node")));
        }
    };
    node.ok_or_else(|| unfit(step, format!("no step before it made {pick}")))
}
