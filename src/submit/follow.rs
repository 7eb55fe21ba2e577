//! A step's pod, from its creation until its results can be fetched.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, Event as Told, Pod};
use kube::api::ListParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::time::Instant;

use super::fetch;

/// How long the kubelet tries to pull an image before it is given up.
const PULLS: Duration = Duration::from_secs(90);

/// How long there may be no pod at all.
const NO_POD: Duration = Duration::from_secs(15);

/// How often is looked at what no watch tells.
const LOOKS: Duration = Duration::from_secs(5);

/// How much later than its deadline a step is given up, where the cluster does not end it.
const LATE: Duration = Duration::from_secs(60);

/// How far a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// It does not run yet, and why.
    Waiting(String),
    /// Its image can't be had so far.
    Pulling(String),
    /// It is at work.
    Running,
    /// Its results can be fetched.
    Ready,
    /// It comes to nothing, and why.
    Over(String),
}

/// Waits until a step's results can be fetched, and gives the name of its pod.
pub(super) async fn until_ready(
    client: &Client,
    namespace: &str,
    job: &Job,
    selector: &str,
    say: &(dyn Fn(&str) + Sync),
) -> Result<String, String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let name = job.name_any();
    let of_job = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut jobs = watcher(jobs, of_job).default_backoff().boxed();
    let of_pods = watcher::Config::default().labels(selector);
    let mut events = watcher(pods.clone(), of_pods).default_backoff().boxed();
    let mut looks = tokio::time::interval(LOOKS);
    let began = Instant::now();
    let deadline = job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
    let given_up = began + Duration::from_secs(deadline.unwrap_or(0).unsigned_abs()) + LATE;
    let (mut pod, mut pulling): (Option<Pod>, Option<Instant>) = (None, None);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(Event::Apply(seen) | Event::InitApply(seen))) => pod = Some(seen),
                Some(Ok(Event::Delete(_))) => return Err(removed(&mut jobs).await),
                Some(Ok(Event::Init | Event::InitDone)) => {}
                Some(Err(error)) => say(&format!("the cluster does not answer: {error}")),
                None => return Err("the watch on its pod has ended".to_owned()),
            },
            event = jobs.next() => match event {
                Some(Ok(Event::Apply(seen) | Event::InitApply(seen))) => if let Some(why) = failed(&seen) {
                    return Err(explained(&pods, pod.as_ref(), why).await);
                },
                Some(Ok(Event::Delete(_))) => return Err("somebody removed its Job".to_owned()),
                _ => {}
            },
            _ = looks.tick() => {
                if pod.is_none() && began.elapsed() >= NO_POD && let Some(why) = warned(client, namespace, &name).await {
                    return Err(format!("the cluster makes no pod of it: {why}"));
                }
                if Instant::now() >= given_up {
                    return Err("its deadline is over, and the cluster did not end it".to_owned());
                }
            }
        }
        let Some(pod) = &pod else {
            say("no pod yet");
            continue;
        };
        match stage(pod) {
            Stage::Ready => return Ok(pod.name_any()),
            Stage::Running => say(&format!("running{}", on_node(pod))),
            Stage::Waiting(why) => say(&format!("pending: {why}")),
            Stage::Over(why) => return Err(explained(&pods, Some(pod), why).await),
            Stage::Pulling(why) => {
                if pulling.get_or_insert_with(Instant::now).elapsed() >= PULLS {
                    return Err(format!("its image can't be pulled: {why}"));
                }
                say(&format!("pulling: {why}"));
            }
        }
    }
}

fn on_node(pod: &Pod) -> String {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
    node.map_or_else(String::new, |node| format!(" on {node}"))
}

fn stage(pod: &Pod) -> Stage {
    let Some(status) = &pod.status else {
        return Stage::Waiting("it has no status yet".to_owned());
    };
    let conditions = status.conditions.iter().flatten();
    let is = |kind: &str, value: &str| {
        let mut conditions = conditions.clone();
        conditions.find(|condition| condition.type_ == kind && condition.status == value)
    };
    let state = status
        .container_statuses
        .iter()
        .flatten()
        .find_map(|one| one.state.as_ref());
    match state {
        Some(ContainerState {
            terminated: Some(ended),
            ..
        }) => {
            let reason = ended.reason.as_deref().unwrap_or("Error");
            return Stage::Over(format!("its container ended with {} ({reason})", ended.exit_code));
        }
        Some(ContainerState {
            waiting: Some(waiting),
            ..
        }) if status.phase.as_deref() != Some("Failed") => {
            let reason = waiting.reason.as_deref().unwrap_or_default();
            let message = waiting.message.as_deref().unwrap_or_default();
            let both = format!("{reason} {message}").trim().to_owned();
            return match reason {
                "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => Stage::Pulling(both),
                "InvalidImageName"
                | "ErrImageNeverPull"
                | "ImageInspectError"
                | "CreateContainerConfigError"
                | "CreateContainerError"
                | "RunContainerError" => Stage::Over(both),
                _ => Stage::Waiting(both),
            };
        }
        _ => {}
    }
    let phase = status.phase.as_deref().unwrap_or("Pending");
    if phase == "Failed" {
        let words = [status.reason.as_deref(), status.message.as_deref()];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        return Stage::Over(format!("its pod failed: {}", words.join(": ")));
    }
    if is("Ready", "True").is_some() && pod.metadata.deletion_timestamp.is_none() {
        return Stage::Ready;
    }
    if let Some(condition) = is("PodScheduled", "False") {
        return Stage::Waiting(condition.message.clone().unwrap_or_default());
    }
    if state.is_some_and(|state| state.running.is_some()) {
        Stage::Running
    } else {
        Stage::Waiting(phase.to_lowercase())
    }
}

/// Why a Job has failed, if it has.
fn failed(job: &Job) -> Option<String> {
    let conditions = job.status.as_ref()?.conditions.iter().flatten();
    let failed = conditions
        .filter(|condition| condition.status == "True")
        .find(|condition| ["Failed", "FailureTarget"].contains(&&*condition.type_))?;
    Some(match failed.reason.as_deref() {
        Some("DeadlineExceeded") => "it took longer than --timeout (DeadlineExceeded)".to_owned(),
        _ => format!(
            "its Job failed: {} {}",
            failed.reason.as_deref().unwrap_or_default(),
            failed.message.as_deref().unwrap_or_default()
        ),
    })
}

/// Why a pod was removed: what its Job says, if it says something soon.
async fn removed(jobs: &mut (impl futures::Stream<Item = watcher::Result<Event<Job>>> + Unpin)) -> String {
    let told = async {
        while let Some(event) = jobs.next().await {
            match event {
                Ok(Event::Apply(job) | Event::InitApply(job)) => {
                    if let Some(why) = failed(&job) {
                        return Some(why);
                    }
                }
                Ok(Event::Delete(_)) => return Some("somebody removed its Job".to_owned()),
                _ => {}
            }
        }
        None
    };
    let told = tokio::time::timeout(LOOKS, told).await.ok().flatten();
    told.unwrap_or_else(|| "somebody removed its pod".to_owned())
}

/// A reason, with the last lines of the pod's log where there are some.
async fn explained(pods: &Api<Pod>, pod: Option<&Pod>, why: String) -> String {
    let Some(pod) = pod else {
        return why;
    };
    match fetch::log(pods, &pod.name_any(), Some(5)).await {
        Ok(log) if !log.trim().is_empty() => format!("{why}; its last words:\n{}", log.trim_end()),
        _ => why,
    }
}

/// The last warning about a Job: a quota or an admission hook refuses its pod, say.
async fn warned(client: &Client, namespace: &str, job: &str) -> Option<String> {
    let events: Api<Told> = Api::namespaced(client.clone(), namespace);
    let about = ListParams::default().fields(&format!(
        "involvedObject.kind=Job,involvedObject.name={job},type=Warning"
    ));
    let told = events.list(&about).await.ok()?;
    told.items
        .into_iter()
        .filter_map(|event| event.message)
        .next_back()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(
            json!({"metadata": {"name": "p"}, "spec": {"containers": []}, "status": status}),
        )
        .unwrap()
    }

    fn waits(reason: &str) -> Stage {
        let state = json!({"waiting": {"reason": reason, "message": "why"}});
        let container = json!({"name": "kubeclash", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        stage(&pod(
            &json!({"phase": "Pending", "containerStatuses": [container]}),
        ))
    }

    #[test]
    fn what_can_not_get_better_is_told_from_what_takes_its_time() {
        assert_eq!(
            waits("ContainerCreating"),
            Stage::Waiting("ContainerCreating why".to_owned())
        );
        assert_eq!(
            waits("ImagePullBackOff"),
            Stage::Pulling("ImagePullBackOff why".to_owned())
        );
        assert_eq!(
            waits("InvalidImageName"),
            Stage::Over("InvalidImageName why".to_owned())
        );
        let unschedulable = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]});
        assert_eq!(
            stage(&pod(&unschedulable)),
            Stage::Waiting("0/1 nodes".to_owned())
        );
    }

    #[test]
    fn a_pod_is_at_work_ready_or_over() {
        let with = |ready: &str, state: &Value| {
            let container = json!({"name": "kubeclash", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state});
            let status = json!({"phase": "Running", "containerStatuses": [container],
                "conditions": [{"type": "Ready", "status": ready}]});
            stage(&pod(&status))
        };
        assert_eq!(with("False", &json!({"running": {}})), Stage::Running);
        assert_eq!(with("True", &json!({"running": {}})), Stage::Ready);
        assert_eq!(
            with(
                "False",
                &json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
            ),
            Stage::Over("its container ended with 137 (OOMKilled)".to_owned())
        );
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "the node was low on disk"});
        assert_eq!(
            stage(&pod(&evicted)),
            Stage::Over("its pod failed: Evicted: the node was low on disk".to_owned())
        );
    }

    #[test]
    fn a_job_says_why_it_failed() {
        let job = |reason: &str| -> Job {
            let condition = json!({"type": "Failed", "status": "True", "reason": reason, "message": "m"});
            serde_json::from_value(json!({"metadata": {}, "status": {"conditions": [condition]}})).unwrap()
        };
        assert!(failed(&job("DeadlineExceeded")).is_some_and(|why| why.contains("--timeout")));
        assert_eq!(
            failed(&job("BackoffLimitExceeded")).as_deref(),
            Some("its Job failed: BackoffLimitExceeded m")
        );
        assert_eq!(failed(&Job::default()), None);
    }
}
