//! Applying manifests, once or again and again.

use std::time::Duration;

use kube::Client;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use super::{Before, Steps, while_alive};
use crate::case::format::{ApplyStep, Step};
use crate::drive::{DriveError, no_file_of};
use crate::inject::{self, InjectError, ObjectRef};
use kubeclash_cluster::Cluster;

/// Who `kubectl apply --server-side` is, where it is told nothing else.
const KUBECTL: &str = "kubectl";

/// How long the API server may take to serve what a definition defines.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// Objects, and how they are applied.
#[derive(Clone)]
struct Application {
    client: Client,
    objects: Vec<Value>,
    /// Who applies, where that is not kubectl.
    manager: Option<String>,
    server_side: bool,
    force: bool,
}

impl Steps<'_> {
    /// Applies the files of a step; and goes on doing so, where it says that.
    pub(super) async fn apply(
        &self,
        step: &Step,
        apply: &ApplyStep,
        cluster: &mut Cluster,
        before: &mut Before,
    ) -> Result<(), DriveError> {
        let mut objects = Vec::new();
        for file in apply.apply.as_slice() {
            let manifest = self.in_effect.manifests.get(file);
            let manifest = manifest.ok_or_else(|| no_file_of(step, file))?;
            objects.extend(manifest.objects.iter().cloned());
        }
        objects.sort_by_key(turn);
        let client = match &apply.manager {
            Some(manager) => cluster.client_as(manager)?,
            None => cluster.client().clone(),
        };
        let application = Application {
            client,
            objects,
            manager: apply.manager.clone(),
            server_side: apply.server_side,
            force: apply.force,
        };
        let applied = while_alive(cluster, application.once()).await?;
        applied.map_err(|source| DriveError::Step {
            step: step.to_string(),
            source: Box::new(source),
        })?;
        if let Some(every) = apply.every {
            let every = self.pace.scale(every.0);
            before
                .appliers
                .spawn(async move { application.again(every).await });
        }
        Ok(())
    }
}

impl Application {
    async fn once(&self) -> Result<(), InjectError> {
        for object in &self.objects {
            self.one(object).await?;
            if object["kind"] == "CustomResourceDefinition" {
                let definition = ObjectRef::from_manifest(object)?;
                inject::established(&self.client, &definition, ESTABLISHED).await?;
            }
        }
        Ok(())
    }

    async fn one(&self, object: &Value) -> Result<(), InjectError> {
        match (self.server_side, &self.manager) {
            (true, manager) => {
                let manager = manager.as_deref().unwrap_or(KUBECTL);
                inject::server_side_apply(&self.client, object, manager, self.force).await
            }
            (false, Some(manager)) => inject::client_side_apply_as(&self.client, object, manager).await,
            (false, None) => inject::client_side_apply(&self.client, object).await,
        }
        .map(drop)
    }

    /// Applies at each turn until it is dropped. What is refused once may be taken the next time; a GitOps agent goes on, too.
    async fn again(self, every: std::time::Duration) {
        let mut turns = tokio::time::interval(every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first is at once, and was the step's own.
        turns.tick().await;
        loop {
            turns.tick().await;
            for object in &self.objects {
                if let Err(error) = self.one(object).await {
                    tracing::debug!(%error, "what is applied again and again was refused");
                }
            }
        }
    }
}

/// What must be there before others: namespaces, then definitions, then classes of priority. The rest stays in its order.
fn turn(object: &Value) -> u8 {
    match object["kind"].as_str() {
        Some("Namespace") => 0,
        Some("CustomResourceDefinition") => 1,
        Some("PriorityClass" | "ServiceAccount") => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_need_comes_first_and_the_rest_stays_in_its_order() {
        let mut objects =
            ["Service", "Pod", "CustomResourceDefinition", "Namespace"].map(|kind| json!({"kind": kind}));
        objects.sort_by_key(turn);
        let kinds = objects.map(|object| object["kind"].as_str().unwrap().to_owned());
        assert_eq!(kinds, ["Namespace", "CustomResourceDefinition", "Service", "Pod"]);
    }
}
