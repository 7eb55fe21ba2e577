//! What is kept of what bounds a workload: autoscalers and disruption budgets.

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, MetricSpec, MetricStatus};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use super::Sight;
use kubeclash_timeline::{BudgetSeen, Change, HpaSeen, Sighting, What, kind};

impl Sight for HorizontalPodAutoscaler {
    fn sight(&self, change: Change) -> What {
        let spec = &self.spec;
        let status = self.status.clone().unwrap_or_default();
        let target = &spec.scale_target_ref;
        let conditions = status.conditions.iter().flatten().map(|condition| {
            let reason = condition.reason.as_deref().unwrap_or_default();
            (condition.type_.clone(), format!("{}: {reason}", condition.status))
        });
        What::Hpa(Sighting {
            change,
            state: HpaSeen {
                namespace: self.namespace().unwrap_or_default(),
                name: self.name_any(),
                target: format!("{}/{}", kind(&target.kind), target.name),
                min: spec.min_replicas.unwrap_or(1).into(),
                max: spec.max_replicas.into(),
                current: status.current_replicas.unwrap_or_default().into(),
                desired: status.desired_replicas.into(),
                cpu_percent: status.current_metrics.iter().flatten().find_map(utilization),
                target_percent: spec.metrics.iter().flatten().find_map(aim),
                conditions: conditions.collect(),
            },
        })
    }
}

/// The CPU utilisation that was measured.
fn utilization(metric: &MetricStatus) -> Option<i64> {
    let pods = metric
        .resource
        .as_ref()
        .filter(|r| r.name == "cpu")
        .map(|r| &r.current);
    let container = metric.container_resource.as_ref().filter(|r| r.name == "cpu");
    let current = pods.or(container.map(|r| &r.current))?;
    current.average_utilization.map(i64::from)
}

/// The CPU utilisation that is aimed at.
fn aim(metric: &MetricSpec) -> Option<i64> {
    let pods = metric
        .resource
        .as_ref()
        .filter(|r| r.name == "cpu")
        .map(|r| &r.target);
    let container = metric.container_resource.as_ref().filter(|r| r.name == "cpu");
    let target = pods.or(container.map(|r| &r.target))?;
    target.average_utilization.map(i64::from)
}

impl Sight for PodDisruptionBudget {
    fn sight(&self, change: Change) -> What {
        let selector = self.spec.as_ref().and_then(|spec| spec.selector.clone());
        let status = self.status.clone().unwrap_or_default();
        What::Budget(Sighting {
            change,
            state: BudgetSeen {
                namespace: self.namespace().unwrap_or_default(),
                name: self.name_any(),
                selector: selector.and_then(|s| s.match_labels).unwrap_or_default(),
                floor: status.desired_healthy.unwrap_or_default().into(),
                healthy: status.current_healthy.unwrap_or_default().into(),
                allowed: status.disruptions_allowed.unwrap_or_default().into(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::sight::object;

    #[test]
    fn an_autoscaler_has_its_target_what_it_aims_at_and_its_conditions() {
        let hpa: HorizontalPodAutoscaler = object(json!({
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "db"}, "minReplicas": 2, "maxReplicas": 9, "metrics": [
                {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}}},
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]},
            "status": {"currentReplicas": 3, "desiredReplicas": 4,
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 61}}}],
                "conditions": [{"type": "ScalingActive", "status": "False", "reason": "AmbiguousSelector"}]},
        }));
        let What::Hpa(seen) = hpa.sight(Change::Gone) else {
            panic!()
        };
        let expected = HpaSeen {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            target: "statefulset/db".to_owned(),
            min: 2,
            max: 9,
            current: 3,
            desired: 4,
            cpu_percent: Some(61),
            target_percent: Some(50),
            conditions: [("ScalingActive".to_owned(), "False: AmbiguousSelector".to_owned())].into(),
        };
        assert_eq!((seen.change, seen.state), (Change::Gone, expected));
    }

    #[test]
    fn a_container_s_cpu_is_aimed_at_and_measured_as_well() {
        let hpa: HorizontalPodAutoscaler = object(json!({
            "metadata": {"name": "web"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 9, "metrics": [
                {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c",
                    "target": {"type": "Utilization", "averageUtilization": 70}}}]},
            "status": {"desiredReplicas": 1, "currentMetrics": [{"type": "ContainerResource",
                "containerResource": {"name": "cpu", "container": "c", "current": {"averageUtilization": 12}}}]},
        }));
        let What::Hpa(seen) = hpa.sight(Change::Seen) else {
            panic!()
        };
        assert_eq!(
            (seen.state.target_percent, seen.state.cpu_percent),
            (Some(70), Some(12))
        );
        assert_eq!(seen.state.min, 1, "what the API has as its default");
    }

    #[test]
    fn a_budget_has_its_floor_and_what_it_still_allows() {
        let budget: PodDisruptionBudget = object(json!({
            "metadata": {"namespace": "default", "name": "web"},
            "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}},
            "status": {"desiredHealthy": 3, "currentHealthy": 4, "disruptionsAllowed": 1, "expectedPods": 4},
        }));
        let What::Budget(seen) = budget.sight(Change::Seen) else {
            panic!()
        };
        let BudgetSeen {
            floor,
            healthy,
            allowed,
            ..
        } = seen.state;
        assert_eq!((floor, healthy, allowed), (3, 4, 1));
        assert_eq!(seen.state.selector["app"], "web");
    }
}
