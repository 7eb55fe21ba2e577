//! One step of a submission: a command of kubeclash, and the Job that runs it.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::api::ObjectMeta;
use serde_json::json;

use super::packed::{self, PackedCases};

/// Who made an object, as the field has it.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Which submission an object is of.
pub(super) const SUBMISSION: &str = "kubeclash.dev/submission";

/// Which of its steps, counted from 1.
pub(super) const STEP: &str = "kubeclash.dev/step";

/// The machine that submitted it: an annotation.
pub(super) const SUBMITTER: &str = "kubeclash.dev/submitter";

/// The name of the container.
pub(super) const CONTAINER: &str = "kubeclash";

/// What a step's program is called: on the image's `PATH`.
pub(super) const PROGRAM: &str = "kubeclash";

/// Where a step works.
const WORK: &str = "/work";

/// How long a pod has to take its cluster down.
const GRACE: Duration = Duration::from_secs(30);

/// A command of kubeclash that runs elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is called: `c5 broken, new`.
    pub name: String,
    /// What follows `kubeclash`: a verb and its arguments, without `--out`, and with names where folders of cases were.
    pub command: Vec<String>,
    /// The cases of its own that it takes along.
    pub cases: Option<PackedCases>,
}

impl Step {
    /// The name of its folder: `c5-broken-new`.
    pub(super) fn folder(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || ".-_".contains(c) {
                c
            } else {
                ' '
            }
        };
        let words: String = self.name.chars().map(plain).collect();
        let words: Vec<&str> = words.split_whitespace().collect();
        words.join("-").trim_matches('.').to_owned()
    }
}

/// How each step is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// The image: kubeclash on its `PATH`, and a user that is not root.
    pub image: String,
    /// The secret with which it is pulled.
    pub pull_secret: Option<String>,
    /// CPU that is asked for, as Kubernetes writes it; no limit, as a bound control plane is another experiment.
    pub cpu: String,
    /// Memory that is asked for and given at most, as Kubernetes writes it.
    pub memory: String,
    /// How long a step may take, from its start on the cluster.
    pub timeout: Duration,
    /// How long the cluster keeps what has ended, if nobody removes it.
    pub ttl: Duration,
}

/// What selects all submissions.
pub(super) fn all() -> String {
    format!("{MANAGED_BY}=kubeclash,{SUBMISSION}")
}

/// What selects a step's objects.
pub(super) fn selector(submission: &str, step: usize) -> String {
    format!("{MANAGED_BY}=kubeclash,{SUBMISSION}={submission},{STEP}={step}")
}

/// The name of a step's Job.
pub(super) fn name(submission: &str, number: usize) -> String {
    format!("kubeclash-{submission}-{number}")
}

/// The Job of a step: one pod, tried once, without a token and without privileges.
///
/// Its pod is ready as soon as its results can be fetched, and then waits to be removed.
pub(super) fn job(step: &Step, number: usize, submission: &str, submitter: &str, runs: &Runs) -> Job {
    let labels = BTreeMap::from([
        (MANAGED_BY.to_owned(), "kubeclash".to_owned()),
        (SUBMISSION.to_owned(), submission.to_owned()),
        (STEP.to_owned(), number.to_string()),
    ]);
    let annotations = BTreeMap::from([
        ("kubeclash.dev/command".to_owned(), step.command.join(" ")),
        (SUBMITTER.to_owned(), submitter.to_owned()),
    ]);
    let mut command = vec![PROGRAM, "worker", "run", "--"];
    command.extend(step.command.iter().map(String::as_str));
    let pull_secrets: Vec<_> = runs
        .pull_secret
        .iter()
        .map(|name| json!({"name": name}))
        .collect();
    let mut env = vec![
        json!({"name": "HOME", "value": WORK}),
        json!({"name": "TMPDIR", "value": format!("{WORK}/tmp")}),
    ];
    if let Some(cases) = &step.cases {
        env.push(json!({"name": packed::VARIABLE, "value": cases.as_str()}));
    }
    let spec = json!({
        "backoffLimit": 0,
        "activeDeadlineSeconds": runs.timeout.as_secs(),
        "ttlSecondsAfterFinished": runs.ttl.as_secs(),
        "template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": GRACE.as_secs(),
                "imagePullSecrets": pull_secrets,
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": CONTAINER,
                    "image": runs.image,
                    // An image that was loaded into the nodes is in no registry.
                    "imagePullPolicy": "IfNotPresent",
                    "command": command,
                    "workingDir": WORK,
                    "env": env,
                    "readinessProbe": {
                        "exec": {"command": [PROGRAM, "worker", "ended"]},
                        "periodSeconds": 2, "timeoutSeconds": 10, "failureThreshold": 1,
                    },
                    "resources": {
                        "requests": {"cpu": runs.cpu, "memory": runs.memory},
                        "limits": {"memory": runs.memory},
                    },
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "work", "mountPath": WORK}],
                }],
                "volumes": [{"name": "work", "emptyDir": {}}],
            },
        },
    });
    Job {
        metadata: ObjectMeta {
            name: Some(name(submission, number)),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: serde_json::from_value(spec).ok(),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> Step {
        Step {
            name: name.to_owned(),
            command: ["run", "c5", "--arm", "broken"].map(str::to_owned).to_vec(),
            cases: None,
        }
    }

    fn runs() -> Runs {
        Runs {
            image: "me/kubeclash:1".to_owned(),
            pull_secret: Some("mine".to_owned()),
            cpu: "2".to_owned(),
            memory: "4Gi".to_owned(),
            timeout: Duration::from_secs(1800),
            ttl: Duration::from_secs(3600),
        }
    }

    #[test]
    fn a_job_is_tried_once_and_has_no_rights() {
        let job = job(&step("c5 broken"), 3, "abc", "host", &runs());
        let spec = job.spec.expect("it is a Job");
        assert_eq!(
            (spec.backoff_limit, spec.active_deadline_seconds),
            (Some(0), Some(1800))
        );
        let labels = job.metadata.labels.unwrap_or_default();
        assert_eq!((&*labels[SUBMISSION], &*labels[STEP]), ("abc", "3"));
        assert_eq!(spec.template.metadata.and_then(|meta| meta.labels), Some(labels));
        let pod = spec.template.spec.expect("it has a pod");
        assert_eq!(pod.automount_service_account_token, Some(false));
        let secrets = pod.image_pull_secrets.unwrap_or_default();
        assert_eq!(secrets[0].name, "mine");
        let container = &pod.containers[0];
        assert_eq!(
            container.command.as_deref().unwrap_or_default(),
            ["kubeclash", "worker", "run", "--", "run", "c5", "--arm", "broken"]
        );
        let rights = container.security_context.clone().unwrap_or_default();
        assert_eq!(rights.allow_privilege_escalation, Some(false));
        assert_eq!(rights.privileged, None);
        assert_eq!(pod.volumes.unwrap_or_default()[0].host_path, None);
    }

    #[test]
    fn a_folder_is_a_plain_name() {
        assert_eq!(step("c5 broken, new").folder(), "c5-broken-new");
        assert_eq!(step("../../etc").folder(), "-..-etc");
        assert_eq!(step("load/100").folder(), "load-100");
    }
}
