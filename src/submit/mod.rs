//! Steps of a sweep on a cluster that the user names: one Job each, its results fetched, the Job removed.
//!
//! ```text
//! step ──► Job ──► pod: kubeclash worker run -- run c7 …      (follow: pending, pulling, running)
//!                    │  ready when the command has ended
//!                    ▼
//!               exec: kubeclash worker fetch ──► <out>/<step>/  (fetch: checked by digest)
//!                    │
//!                    ▼
//!               Job removed, with its pod, however the step ended
//! ```
//!
//! Which steps run at once, and where, is the cluster's business: there is no scheduler of ours. What a step needs of the user's own
//! cases is in its Job (packed), and the worker makes folders of it.

mod fetch;
mod follow;
pub mod image;
mod leftovers;
mod packed;
mod step;
pub mod worker;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::delete::{Error as DeleteError, delete_and_finalize};
use kube::{Api, Client, Config};
use tokio_util::sync::CancellationToken;

use kubeclash_host::progress::Progress;
use kubeclash_host::run_dir::RunDir;

pub use leftovers::{Leftover, leftovers, remove};
pub use packed::{PackError, PackedCases};
pub use step::{Runs, Step};

/// How long the removal of a Job may take: its pod's grace period, and then some.
const REMOVAL: Duration = Duration::from_secs(90);

/// How long a cluster may take to answer at all.
const ANSWER: Duration = Duration::from_secs(15);

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum SubmitError {
    /// The kubeconfig has no such context, or can't be read.
    #[error("{0}")]
    #[diagnostic(help("\"kubectl config get-contexts\" lists what --context can name"))]
    Context(String),
    /// The cluster does not answer.
    #[error("the cluster of context \"{context}\" does not answer: {why}")]
    Unreachable {
        /// The context.
        context: String,
        /// What was said.
        why: String,
    },
    /// The user of the context may not do what it takes.
    #[error("namespace \"{namespace}\": context \"{context}\" may not {}", missing.join(", "))]
    #[diagnostic(help(
        "it takes create, get, list, watch and delete of jobs.batch, get, list and watch of pods, get of pods/log, and \
         create of pods/exec; --namespace names another namespace"
    ))]
    Forbidden {
        /// The context.
        context: String,
        /// The namespace.
        namespace: String,
        /// What: `create jobs.batch`.
        missing: Vec<String>,
    },
    /// Something here can't be written.
    #[error("\"{}\": {error}", path.display())]
    Local {
        /// What.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The cluster refuses something.
    #[error("failed to {what}: {source}")]
    Api {
        /// What was tried.
        what: &'static str,
        /// What was said.
        source: Box<kube::Error>,
    },
}

/// A namespace of a cluster that somebody named.
#[derive(Clone)]
pub struct Target {
    client: Client,
    namespace: String,
    context: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.namespace, self.context)
    }
}

impl Target {
    /// By a context of a kubeconfig: of `KUBECONFIG` or `~/.kube/config`, as kubectl has it, where no file is named. There is
    /// no current context, and none of a pod that this may run in. The namespace is the context's own, or `default`.
    ///
    /// # Errors
    /// [`SubmitError::Context`], or [`SubmitError::Unreachable`].
    pub async fn open(
        kubeconfig: Option<&Path>,
        context: &str,
        namespace: Option<&str>,
    ) -> Result<Self, SubmitError> {
        let unknown = |error: kube::config::KubeconfigError| SubmitError::Context(error.to_string());
        let kubeconfig = match kubeconfig {
            Some(file) => Kubeconfig::read_from(file).map_err(unknown)?,
            None => Kubeconfig::read().map_err(unknown)?,
        };
        if !kubeconfig.contexts.iter().any(|known| known.name == context) {
            let known: Vec<&str> = kubeconfig.contexts.iter().map(|known| &*known.name).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            let message = format!("there is no context \"{context}\" in the kubeconfig; there is {known}");
            return Err(SubmitError::Context(message));
        }
        let options = KubeConfigOptions {
            context: Some(context.to_owned()),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(unknown)?;
        config.connect_timeout = Some(ANSWER);
        let unreachable = |why: String| SubmitError::Unreachable {
            context: context.to_owned(),
            why,
        };
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config).map_err(|error| unreachable(error.to_string()))?;
        match tokio::time::timeout(ANSWER, client.apiserver_version()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable(format!("no word in {} s", ANSWER.as_secs()))),
        }
        Ok(Self {
            client,
            namespace,
            context: context.to_owned(),
        })
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Whether all that it takes is allowed: half of it would leave Jobs that can't be removed.
    async fn allowed(&self) -> Result<(), SubmitError> {
        const NEEDED: [(&str, &str, &str, Option<&str>); 7] = [
            ("create", "batch", "jobs", None),
            ("watch", "batch", "jobs", None),
            ("delete", "batch", "jobs", None),
            ("list", "", "pods", None),
            ("watch", "", "pods", None),
            ("get", "", "pods", Some("log")),
            ("create", "", "pods", Some("exec")),
        ];
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let asked = NEEDED.map(|(verb, group, resource, sub)| {
            let attributes = ResourceAttributes {
                namespace: Some(self.namespace.clone()),
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: sub.map(str::to_owned),
                ..ResourceAttributes::default()
            };
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(attributes),
                    ..SelfSubjectAccessReviewSpec::default()
                },
                ..SelfSubjectAccessReview::default()
            };
            let reviews = &reviews;
            async move { reviews.create(&PostParams::default(), &review).await }
        });
        let told = futures::future::try_join_all(asked).await;
        let told = told.map_err(|source| SubmitError::Api {
            what: "ask what is allowed",
            source: Box::new(source),
        })?;
        let refused = NEEDED
            .iter()
            .zip(told)
            .filter(|(_, review)| !review.status.as_ref().is_some_and(|status| status.allowed));
        let missing: Vec<String> = refused
            .map(|((verb, group, resource, sub), _)| {
                let group = if group.is_empty() {
                    String::new()
                } else {
                    format!(".{group}")
                };
                let sub = sub.map_or_else(String::new, |sub| format!("/{sub}"));
                format!("{verb} {resource}{sub}{group}")
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(SubmitError::Forbidden {
            context: self.context.clone(),
            namespace: self.namespace.clone(),
            missing,
        })
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// The exit code of its command, whose results have been fetched; or why there are none.
    pub end: Result<u8, StepError>,
    /// Where its results are.
    pub folder: PathBuf,
    /// From the Job's creation until its results were here.
    pub took: Duration,
    /// Why its Job may still be there.
    pub left: Option<String>,
}

/// Why a step has no results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// It was interrupted here.
    #[error("interrupted")]
    Interrupted,
    /// It came to nothing on the cluster.
    #[error("{0}")]
    Lost(String),
}

/// The Jobs of some steps, as they would be created.
#[must_use]
pub fn manifests(steps: &[Step], runs: &Runs) -> Vec<Job> {
    let numbered = steps.iter().enumerate();
    numbered
        .map(|(at, step)| step::job(step, at + 1, "dry-run", &leftovers::this_machine(), runs))
        .collect()
}

/// Runs steps on a cluster, so many at once, and gives how each ended, in order. `ended` hears of each as it ends.
///
/// Whatever happens, no Job is left: not after an interruption, not after a failure. After a `kill -9`, [`leftovers`]
/// finds them.
///
/// # Errors
/// Before anything is created: when something is not allowed, or nothing can be written here.
pub async fn submit(
    target: &Target,
    steps: Vec<Step>,
    runs: &Runs,
    at_once: usize,
    out: &Path,
    progress: &Progress,
    ended: impl Fn(&Done),
) -> Result<Vec<Done>, SubmitError> {
    target.allowed().await?;
    let local = |path: &Path| {
        let path = path.to_owned();
        |error| SubmitError::Local { path, error }
    };
    // Says that whoever submitted these Jobs lives.
    let owner = RunDir::create().map_err(local(&kubeclash_host::run_dir::root()))?;
    // Nothing that was there before is written over: a ledger, say.
    let out = out.join(format!("submit-{}", owner.id()));
    std::fs::create_dir_all(&out).map_err(local(&out))?;
    let submission = Submission {
        target,
        id: owner.id(),
        runs,
        progress,
        interrupt: kubeclash_host::interrupt::token(),
    };
    let running = steps.into_iter().enumerate().map(|(at, step)| {
        // Two steps may have one name.
        let folder = out.join(format!("{}-{}", at + 1, step.folder()));
        submission.one(at + 1, step, folder)
    });
    let mut done: Vec<(usize, Done)> = Vec::new();
    let mut running = futures::stream::iter(running).buffer_unordered(at_once.max(1));
    while let Some((number, step)) = running.next().await {
        ended(&step);
        done.push((number, step));
    }
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, step)| step).collect())
}

/// What the steps of a submission have in common.
struct Submission<'a> {
    target: &'a Target,
    id: &'a str,
    runs: &'a Runs,
    progress: &'a Progress,
    interrupt: CancellationToken,
}

impl Submission<'_> {
    /// Runs a step, and removes its Job however it ends. Gives its number back.
    async fn one(&self, number: usize, step: Step, folder: PathBuf) -> (usize, Done) {
        let Self { target, id, runs, .. } = *self;
        let began = Instant::now();
        let mut done = Done {
            end: Err(StepError::Interrupted),
            folder,
            took: Duration::ZERO,
            left: None,
            step,
        };
        if self.interrupt.is_cancelled() {
            return (number, done);
        }
        let task = self.progress.task(done.step.name.clone());
        let job = step::job(&done.step, number, id, &leftovers::this_machine(), runs);
        // Seen to its end: a request that is dropped may still be heard, after the Job was looked for in order to remove it.
        let (jobs, params) = (target.jobs(), PostParams::default());
        let created = tokio::time::timeout(ANSWER, jobs.create(&params, &job)).await;
        let working = async {
            let job = match created {
                Ok(Ok(job)) => job,
                Ok(Err(error)) => return Err(format!("its Job can't be created: {error}")),
                Err(_) => return Err("the cluster does not answer".to_owned()),
            };
            let selector = step::selector(id, number);
            let (client, namespace) = (&target.client, &target.namespace);
            let pod = follow::until_ready(client, namespace, &job, &selector, &|what| task.say(what)).await?;
            task.say("fetching results");
            fetch::fetch(&target.pods(), &pod, &done.folder).await
        };
        done.end = tokio::select! {
            end = working => end.map_err(StepError::Lost),
            () = self.interrupt.cancelled() => Err(StepError::Interrupted),
        };
        done.took = began.elapsed();
        task.say("removing its Job");
        done.left = removed(target, &step::name(id, number)).await.err();
        (number, done)
    }
}

/// Removes a Job with its pod, and waits until both are gone.
async fn removed(target: &Target, job: &str) -> Result<(), String> {
    let with_its_pod = DeleteParams::foreground();
    let removing = delete_and_finalize(target.jobs(), job, &with_its_pod);
    match tokio::time::timeout(REMOVAL, removing).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(DeleteError::Delete(kube::Error::Api(status)))) if status.code == 404 => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it is still there after {} s", REMOVAL.as_secs())),
    }
}
