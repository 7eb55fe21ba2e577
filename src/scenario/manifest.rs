//! The manifests of a case, set to a pace.

use std::time::Duration;

use serde_json::{Value, json};

use kubeclash_timeline::Pace;
use kubeclash_timeline::WorkloadRef;

/// How long a pod's container takes to end after SIGTERM, in milliseconds at the recorded pace, at most its grace period.
///
/// Read by the KWOK stages (`crates/cluster/config/kwok-stages.yaml`), which set it to the pace.
pub const TIME_TO_DIE: &str = "kubeclash.dev/time-to-die-ms";

/// How long a pod's containers run until they end by themselves, in milliseconds at the recorded pace: those of a Job. Without it
/// they run until the pod is deleted. Read by the KWOK stages.
pub const TIME_TO_COMPLETE: &str = "kubeclash.dev/time-to-complete-ms";

/// A file of a case's folder: its objects, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file's name.
    pub file: String,
    /// Its objects.
    pub objects: Vec<Value>,
}

impl Manifest {
    /// The same manifest with everything that has a duration in it set to a pace.
    ///
    /// The one place where manifests meet the pace: HPA behaviour (`stabilizationWindowSeconds`, `periodSeconds`), grace periods and
    /// tolerations of pods (`terminationGracePeriodSeconds`, `tolerationSeconds`), deadlines of rollouts and jobs. A CronJob's
    /// schedule is in minutes of the clock, and stays.
    #[must_use]
    pub fn at(&self, pace: Pace) -> Self {
        let objects = self
            .objects
            .iter()
            .cloned()
            .map(|object| paced(object, pace))
            .collect();
        Self {
            file: self.file.clone(),
            objects,
        }
    }

    /// The same manifest with its pods assigned to a scheduler by name: pods, and whatever has a pod template.
    ///
    /// A pod that is bound by `nodeName` carries the name as well; no scheduler looks at it.
    #[must_use]
    pub fn scheduled_by(&self, scheduler: &str) -> Self {
        let mut assigned = self.clone();
        for object in &mut assigned.objects {
            let spec = template_of(object).and_then(|template| template.get_mut("spec"));
            if let Some(Value::Object(spec)) = spec {
                spec.insert("schedulerName".to_owned(), json!(scheduler));
            }
        }
        assigned
    }
}

/// What the pods of a case run where a kubelet really runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// What does nothing, and ends at once when it is asked to.
    pub pause: String,
    /// What uses CPU for a while (`-for`), and takes its time to end (`-die-after`).
    pub burn: String,
    /// Whose pods use CPU, and for how long after their start at the recorded pace.
    pub burst: Option<(WorkloadRef, Duration)>,
}

impl Manifest {
    /// The same manifest with images that are there, in place of those that nobody pulls: with a program that uses CPU
    /// and takes its time to die ([`TIME_TO_DIE`]), where a pod is to do that.
    #[must_use]
    pub fn running(&self, images: &Images, pace: Pace) -> Self {
        let mut changed = self.clone();
        for object in &mut changed.objects {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let metadata = &object["metadata"];
            let workload = WorkloadRef::new(
                &text(&object["kind"]),
                &text(&metadata["namespace"]),
                &text(&metadata["name"]),
            );
            let Some(template) = template_of(object) else {
                continue;
            };
            let burst = images.burst.as_ref().filter(|(burning, _)| *burning == workload);
            let burst = burst.map_or(Duration::ZERO, |(_, burst)| pace.scale(*burst));
            let death = template["metadata"]["annotations"][TIME_TO_DIE].as_str();
            let death = death.and_then(|ms| ms.parse().ok()).unwrap_or_default();
            let death = pace.scale(Duration::from_millis(death));
            let containers = template
                .pointer_mut("/spec/containers")
                .and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                container["imagePullPolicy"] = json!("IfNotPresent");
                if burst.is_zero() && death.is_zero() {
                    container["image"] = json!(images.pause);
                    continue;
                }
                container["image"] = json!(images.burn);
                container["args"] = json!([
                    format!("-for={}ms", burst.as_millis()),
                    format!("-die-after={}ms", death.as_millis()),
                ]);
            }
        }
        changed
    }
}

/// What an object makes pods of: itself, or its template.
fn template_of(object: &mut Value) -> Option<&mut Value> {
    match object["kind"].as_str() {
        Some("Pod") => Some(object),
        Some("CronJob") => object.pointer_mut("/spec/jobTemplate/spec/template"),
        _ => object.pointer_mut("/spec/template"),
    }
}

/// The fields that every object has, and this one has not.
pub(crate) fn missing_of(object: &Value) -> Vec<&'static str> {
    let text = |v: &Value| v.as_str().is_some_and(|s| !s.is_empty());
    let mut missing = Vec::new();
    if !text(&object["apiVersion"]) {
        missing.push("apiVersion");
    }
    if !text(&object["kind"]) {
        missing.push("kind");
    }
    if !text(&object["metadata"]["name"]) {
        missing.push("metadata.name");
    }
    missing
}

/// What is wrong with an object's [`TIME_TO_DIE`].
pub(crate) fn time_to_die_of(object: &Value) -> Option<String> {
    let value = object["spec"]["template"]["metadata"]["annotations"].get(TIME_TO_DIE)?;
    let whole = value.as_str().is_some_and(|text| text.parse::<u32>().is_ok());
    (!whole)
        .then(|| format!("annotation {TIME_TO_DIE}: expected milliseconds such as \"3000\", found {value}"))
}

fn paced(mut object: Value, pace: Pace) -> Value {
    if pace.factor() == 1 {
        return object;
    }
    if object["kind"] == "HorizontalPodAutoscaler" {
        for direction in ["scaleUp", "scaleDown"] {
            let Some(rules) = object.pointer_mut(&format!("/spec/behavior/{direction}")) else {
                continue;
            };
            if let Some(window) = rules.get_mut("stabilizationWindowSeconds") {
                scale_seconds(window, pace, 0);
            }
            for policy in rules
                .get_mut("policies")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                scale_seconds(&mut policy["periodSeconds"], pace, 1);
            }
        }
    }
    for field in ["/spec/minReadySeconds", "/spec/progressDeadlineSeconds"] {
        if let Some(seconds) = object.pointer_mut(field) {
            scale_seconds(seconds, pace, 1);
        }
    }
    for job in ["/spec", "/spec/jobTemplate/spec"] {
        for field in ["activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
            if let Some(seconds) = object.pointer_mut(&format!("{job}/{field}")) {
                scale_seconds(seconds, pace, 1);
            }
        }
    }
    if let Some(spec) = template_of(&mut object).and_then(|template| template.get_mut("spec")) {
        if let Some(grace) = spec.get_mut("terminationGracePeriodSeconds") {
            scale_seconds(grace, pace, 1);
        }
        let tolerations = spec.get_mut("tolerations").and_then(Value::as_array_mut);
        for toleration in tolerations.into_iter().flatten() {
            if let Some(seconds) = toleration.get_mut("tolerationSeconds") {
                scale_seconds(seconds, pace, 1);
            }
        }
    }
    object
}

fn scale_seconds(value: &mut Value, pace: Pace, at_least: u64) {
    if let Some(seconds) = value.as_u64() {
        *value = json!((seconds / u64::from(pace.factor())).max(at_least.min(seconds)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_run_what_is_there_and_does_what_they_are_to_do() {
        let pod = |app: &str, die: &str| {
            json!({"kind": "Deployment", "metadata": {"name": app}, "spec": {"template": {
                "metadata": {"labels": {"app": app}, "annotations": {TIME_TO_DIE: die}},
                "spec": {"containers": [{"name": "c", "image": "nobody/pulls:it"}]}}}})
        };
        let manifest = Manifest {
            file: "10-web.yaml".to_owned(),
            objects: vec![
                pod("busy", "30000"),
                pod("web", "3000"),
                pod("idle", "0"),
                json!({"kind": "Pod", "metadata": {}, "spec": {"containers": [{"name": "c"}]}}),
                json!({"kind": "HorizontalPodAutoscaler", "spec": {"maxReplicas": 3}}),
            ],
        };
        let images = Images {
            pause: "pause:1".to_owned(),
            burn: "burn:1".to_owned(),
            burst: Some((WorkloadRef::deployment("busy"), Duration::from_secs(120))),
        };
        let running = manifest.running(&images, Pace::Fast).objects;
        let container = |at: usize| &running[at]["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container(0)["image"], "burn:1");
        assert_eq!(container(0)["args"], json!(["-for=8000ms", "-die-after=2000ms"]));
        assert_eq!(container(1)["args"], json!(["-for=0ms", "-die-after=200ms"]));
        assert_eq!(container(2)["image"], "pause:1");
        assert_eq!(container(2)["args"], Value::Null);
        assert_eq!(running[3]["spec"]["containers"][0]["image"], "pause:1");
        assert_eq!(
            running[3]["spec"]["containers"][0]["imagePullPolicy"],
            "IfNotPresent"
        );
        assert_eq!(running[4], manifest.objects[4], "no pods, no change");
    }

    #[test]
    fn the_pace_divides_what_has_a_duration() {
        let hpa = json!({"kind": "HorizontalPodAutoscaler", "spec": {"behavior": {"scaleDown": {
            "stabilizationWindowSeconds": 60, "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}}}});
        let pod = json!({"kind": "Deployment", "spec": {"template": {
            "spec": {"terminationGracePeriodSeconds": 30}}}});
        let cron = json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"activeDeadlineSeconds": 30, "template": {
            "spec": {"tolerations": [{"key": "k", "tolerationSeconds": 300}, {"key": "for ever"}]}}}}}});
        let manifest = Manifest {
            file: "10.yaml".into(),
            objects: vec![hpa, pod, cron],
        };
        assert_eq!(manifest.at(Pace::Recorded), manifest);
        let fast = manifest.at(Pace::Fast).objects;
        let job = &fast[2]["spec"]["jobTemplate"]["spec"];
        assert_eq!(job["activeDeadlineSeconds"], 2);
        assert_eq!(
            job["template"]["spec"]["tolerations"],
            json!([{"key": "k", "tolerationSeconds": 20}, {"key": "for ever"}])
        );
        assert_eq!(
            fast[0]["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"],
            4
        );
        assert_eq!(
            fast[0]["spec"]["behavior"]["scaleDown"]["policies"][0]["periodSeconds"],
            1
        );
        assert_eq!(
            fast[1]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
            2
        );
    }

    #[test]
    fn pods_and_templates_get_a_scheduler_and_nothing_else_does() {
        let pod = json!({"kind": "Pod", "spec": {"nodeName": "kind-worker"}});
        let deployment =
            json!({"kind": "Deployment", "spec": {"replicas": 2, "template": {"spec": {"containers": []}}}});
        let hpa = json!({"kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": 1}});
        let manifest = Manifest {
            file: "10.yaml".into(),
            objects: vec![pod, deployment, hpa.clone()],
        };
        let assigned = manifest.scheduled_by("mine").objects;
        assert_eq!(
            assigned[0]["spec"],
            json!({"nodeName": "kind-worker", "schedulerName": "mine"})
        );
        assert_eq!(assigned[1]["spec"]["template"]["spec"]["schedulerName"], "mine");
        assert_eq!(assigned[2], hpa);
    }
}
