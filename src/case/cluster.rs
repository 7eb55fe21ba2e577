//! What an arm needs of its cluster: what the case says of it, and what its steps need besides.

use kubeclash_cluster::{ClusterSpec, ClusterSpecError, CpuShare, controller_name};
use serde_json::Value;

use super::format::Step;
use super::{Scenario, cpu_use};
use crate::scenario::Images;

impl Scenario {
    /// The cluster that it runs on.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn cluster(&self) -> Result<ClusterSpec, ClusterSpecError> {
        let mut spec = ClusterSpec::of(&self.file.cluster, &self.configs)?;
        let stops = |step: &Step| matches!(step, Step::StopNode(_) | Step::RemoveNode(_));
        let dies = |step: &Step| matches!(step, Step::AddNodes(add) if add.add_nodes.dies_above.is_some());
        let steps = &self.file.steps;
        spec.nodes_stop = steps.iter().any(|step| stops(step) || dies(step))
            || spec.nodes.iter().any(|node| node.dies_above.is_some());
        let controllers = self.file.controllers.iter();
        spec.programs = controllers.map(|controller| controller.name.clone()).collect();
        let mistakes: Vec<String> = spec
            .programs
            .iter()
            .filter_map(|name| controller_name(name).err())
            .map(|why| format!("controllers.name: {why}"))
            .collect();
        if !mistakes.is_empty() {
            return Err(ClusterSpecError(mistakes));
        }
        let uses = steps.iter().any(|step| matches!(step, Step::Cpu(_)));
        let manifests = self.manifests.values().flat_map(|manifest| &manifest.objects);
        spec.metrics = uses || manifests.into_iter().any(looks_at_metrics);
        Ok(spec)
    }

    /// What its pods run where there are real kubelets: one image that does nothing, and one that uses CPU.
    #[must_use]
    pub fn images(&self, pause: &str, burn: String) -> Images {
        let mut uses = self.file.steps.iter().filter_map(|step| match step {
            Step::Cpu(step) => cpu_use(&step.cpu).ok(),
            _ => None,
        });
        let burst = uses.rfind(|cpu| cpu.share == CpuShare::EachPod && cpu.is_burst());
        Images {
            pause: pause.to_owned(),
            burn,
            burst: burst.map(|cpu| (cpu.of, cpu.curve.busy())),
        }
    }
}

/// Whether an object asks for the metrics of pods: an autoscaler does, by resource.
fn looks_at_metrics(object: &Value) -> bool {
    let metrics = object["spec"]["metrics"].as_array();
    let by_resource =
        |metric: &Value| matches!(metric["type"].as_str(), Some("Resource" | "ContainerResource"));
    object["kind"] == "HorizontalPodAutoscaler"
        && (metrics.is_none_or(|metrics| metrics.iter().any(by_resource)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_autoscaler_by_resource_asks_for_metrics() {
        let hpa = |metrics: serde_json::Value| {
            looks_at_metrics(&serde_json::json!({"kind": "HorizontalPodAutoscaler", "spec": metrics}))
        };
        assert!(hpa(serde_json::json!({})), "the default is CPU");
        assert!(hpa(serde_json::json!({"metrics": [{"type": "Resource"}]})));
        assert!(!hpa(serde_json::json!({"metrics": [{"type": "External"}]})));
        assert!(!looks_at_metrics(&serde_json::json!({"kind": "Deployment"})));
    }
}
