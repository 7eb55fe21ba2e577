//! `kubeclash submit`: steps as Kubernetes Jobs on a cluster that the user names.

mod steps;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Failure;
use super::cases::CasesFlags;
use super::report::{ReportFiles, material};
use crate::cases::Library;
use crate::exit;
use crate::report::{Attempt, HarnessFailure, Style, terminal};
use crate::session::time;
use crate::submit::{self, Done, Runs, Step, StepError, SubmitError, Target};
use kubeclash_host::progress::{Progress, elapsed};
use kubeclash_host::shell::quoted;

/// How long Jobs may take to go after Ctrl-C.
pub(super) const PATIENCE: Duration = Duration::from_secs(100);

/// Run steps as Kubernetes Jobs on a cluster that you name, and fetch their results.
///
/// A step is a command of kubeclash: what stands behind "--", or each job of "kubeclash matrix --format json" and of
/// "kubeclash bisect --next N --format json". Each is one Job with one pod, which has a control plane of its own in it: without
/// privileges, without a token, tried once. Results come back by "exec", checked by their digest, and are what a run here leaves;
/// then the Job is removed, as it is after a failure, after its deadline and after Ctrl-C.
///
/// A case of your own goes along: the Job carries the files that it is made of, of the cases that the step runs and no others.
///
/// Which steps run when, and where, is the cluster's business. The cluster is the one of --context, whatever is current.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash submit --context staging --image registry.example.org/me/kubeclash:pr-12 -- run c7\n  \
                  kubeclash matrix --format json | kubeclash submit --context staging --image me/kubeclash:pr-12 --from -\n  \
                  kubeclash submit --context kind-mine --image me/kubeclash:pr-12 --cpu 500m --dry-run -- run c5 c8\n  \
                  kubeclash submit --context staging --image me/kubeclash:pr-12 -- run ./mine\n  \
                  kubeclash submit --context staging --sweep\n\n\
                  The image is made by \"kubeclash image\"; any other with kubeclash on its PATH and a user that is not root will do.\n\
                  Exit codes are those of the steps: 6 where one has no results, 3 where a verdict differed."
)]
pub struct SubmitArgs {
    /// The context of the kubeconfig whose cluster it is
    #[arg(long, value_name = "NAME")]
    pub context: String,
    /// The kubeconfig [default: as kubectl has it, $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace [default: the context's own]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The image that steps run in
    #[arg(long, value_name = "REF", required_unless_present = "sweep")]
    pub image: Option<String>,
    /// The secret of the namespace with which it is pulled
    #[arg(long, value_name = "NAME")]
    pub pull_secret: Option<String>,
    /// A file of jobs, as "kubeclash matrix" prints them in JSON or for GitHub; "-" is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub from: Option<PathBuf>,
    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,
    /// How many steps are given to the cluster at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// CPU that a step asks for
    #[arg(long, value_name = "QUANTITY", default_value = "2", value_parser = quantity)]
    pub cpu: String,
    /// Memory that a step asks for, and gets at most
    #[arg(long, value_name = "QUANTITY", default_value = "4Gi", value_parser = quantity)]
    pub memory: String,
    /// How long a step may take on the cluster, with the time that it is pending
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub timeout: Duration,
    /// The folder that results go to: of each step in one of its own, DIR/submit-ID/1-NAME
    #[arg(
        long,
        value_name = "DIR",
        default_value = "target/evidence",
        env = "KUBECLASH_OUT"
    )]
    pub out: PathBuf,
    /// How steps are printed
    #[arg(long, value_enum, default_value_t = SubmitFormat::Text)]
    pub format: SubmitFormat,
    /// What is written when everything has ended
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Print the Jobs as YAML, and create nothing; no cluster is asked
    #[arg(long)]
    pub dry_run: bool,
    /// Remove the Jobs whose "kubeclash submit" on this machine was killed; with --dry-run only name them
    #[arg(long, conflicts_with_all = ["image", "from", "command"])]
    pub sweep: bool,
    /// A step: what follows "kubeclash" on a command line
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["from", "sweep"])]
    pub command: Vec<String>,
}

/// How steps are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SubmitFormat {
    /// For people.
    Text,
    /// One JSON object a line and step, as it ends.
    Json,
}

/// An amount as Kubernetes writes it: only what a Job can be made of.
fn quantity(text: &str) -> Result<String, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let known = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"].contains(&&text[number.len()..]);
    match number.parse::<f64>() {
        Ok(amount) if known && amount > 0.0 && amount.is_finite() && !number.contains(['e', 'E', '+']) => {
            Ok(text.to_owned())
        }
        _ => Err("write it as Kubernetes does: 2, 500m, 4Gi".to_owned()),
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        let code = match error {
            SubmitError::Context(_) => exit::USAGE,
            SubmitError::Local { .. } => exit::ERROR,
            SubmitError::Unreachable { .. } | SubmitError::Forbidden { .. } | SubmitError::Api { .. } => {
                exit::UNAVAILABLE
            }
        };
        Self {
            code,
            report: error.into(),
        }
    }
}

/// Runs the steps, and gives the exit code.
///
/// # Errors
/// When there are no steps, or none can be created.
pub async fn run(args: &SubmitArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    if args.sweep {
        return sweep(args).await;
    }
    let steps = match &args.from {
        None => vec![Step {
            name: args.command.join(" "),
            command: args.command.clone(),
            cases: None,
        }],
        Some(file) => steps::read(file)?,
    };
    let (steps, library) = steps::pack(steps, &args.cases)?;
    if steps.is_empty() {
        progress.println("there are no steps: nothing is submitted");
        return Ok(exit::EXPECTED);
    }
    let runs = Runs {
        image: args.image.clone().unwrap_or_default(),
        pull_secret: args.pull_secret.clone(),
        cpu: args.cpu.clone(),
        memory: args.memory.clone(),
        timeout: args.timeout.max(Duration::from_secs(1)),
        ttl: Duration::from_secs(3600),
    };
    if args.dry_run {
        for job in submit::manifests(&steps, &runs) {
            let job =
                serde_json::to_value(&job).map_err(|error| Failure::new(exit::ERROR, error.to_string()))?;
            super::say(&format!("---\n{}", kubeclash_host::yaml::text(&job)));
        }
        return Ok(exit::EXPECTED);
    }
    args.reports.prepare()?;
    let target = target(args).await?;
    let ended = |done: &Done| {
        let line = match args.format {
            SubmitFormat::Text => line(done),
            SubmitFormat::Json => object(done).to_string(),
        };
        progress.suspend(|| super::say(&format!("{line}\n")));
        if let Some(left) = &done.left {
            progress.println(format!(
                "warning: {}: its Job may be left: {left}",
                done.step.name
            ));
        }
    };
    let at_once = usize::from(args.jobs);
    let done = submit::submit(&target, steps, &runs, at_once, &args.out, progress, ended).await?;
    report(args, &done, &library, style)?;
    if done.iter().any(|done| done.left.is_some()) {
        progress.println(format!(
            "Jobs may be left: kubeclash submit --context {} --sweep",
            quoted(&args.context)
        ));
    }
    Ok(code(&done))
}

async fn target(args: &SubmitArgs) -> Result<Target, Failure> {
    let opened = Target::open(
        args.kubeconfig.as_deref(),
        &args.context,
        args.namespace.as_deref(),
    );
    Ok(opened.await?)
}

/// The table of the arms that came back, and the reports.
fn report(args: &SubmitArgs, done: &[Done], library: &Library, style: &Style) -> Result<(), Failure> {
    let folders: Vec<PathBuf> = done
        .iter()
        .filter(|done| done.end.is_ok())
        .map(|done| done.folder.clone())
        .collect();
    let mut material = material(&folders, true, library);
    let failures = done.iter().filter_map(|done| {
        let error = done.end.as_ref().err()?.to_string();
        let of = Attempt::Step(done.step.name.clone());
        Some(HarnessFailure { of, error })
    });
    material.failures = failures.collect();
    if args.format == SubmitFormat::Text && !material.arms.is_empty() {
        let outcomes = material.outcomes();
        super::say(&terminal::summary(&material.summary(&outcomes), style));
    }
    args.reports.write(&material)
}

/// What a step's exit code means.
fn meaning(code: u8) -> &'static str {
    let known = exit::ALL.iter().find(|(known, _)| *known == code);
    known.map_or("an exit code that is not kubeclash's", |(_, meaning)| meaning)
}

fn line(done: &Done) -> String {
    let name = &done.step.name;
    let took = elapsed(done.took);
    match &done.end {
        Ok(code) => format!(
            "{name}: {} ({took}), in {}",
            meaning(*code),
            done.folder.display()
        ),
        Err(why) => format!("{name}: no results ({took}): {why}"),
    }
}

fn object(done: &Done) -> Value {
    let took = u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX);
    let mut object = json!({
        "name": done.step.name, "command": done.step.command, "code": null, "meaning": null, "took_ms": took,
        "results": null, "why": null, "left": done.left,
    });
    match &done.end {
        Ok(code) => {
            object["code"] = (*code).into();
            object["meaning"] = meaning(*code).into();
            object["results"] = done.folder.display().to_string().into();
        }
        Err(why) => object["why"] = why.to_string().into(),
    }
    object
}

/// One exit code for all: the first of these that one of them has.
fn code(done: &[Done]) -> u8 {
    if done.iter().any(|done| done.end == Err(StepError::Interrupted)) {
        return exit::INTERRUPTED;
    }
    if done.iter().any(|done| done.end.is_err()) {
        return exit::UNAVAILABLE;
    }
    if done.iter().any(|done| done.left.is_some()) {
        return exit::ERROR;
    }
    let codes = || done.iter().filter_map(|done| done.end.clone().ok());
    let worst = [
        exit::ERROR,
        exit::UNAVAILABLE,
        exit::USAGE,
        exit::DIFFERED,
        exit::INCONCLUSIVE,
    ];
    let worst = worst.into_iter().find(|worst| codes().any(|code| code == *worst));
    worst
        .or_else(|| codes().find(|code| *code != exit::EXPECTED))
        .unwrap_or(exit::EXPECTED)
}

/// Removes what a killed submission has left.
async fn sweep(args: &SubmitArgs) -> Result<u8, Failure> {
    let target = target(args).await?;
    let mut failed = Vec::new();
    let leftovers = submit::leftovers(&target).await?;
    if leftovers.is_empty() {
        super::say("nothing was left behind\n");
    }
    for leftover in leftovers {
        let (jobs, id) = (leftover.jobs.join(", "), &leftover.submission);
        if !leftover.ours {
            super::say(&format!(
                "left alone: {jobs}, submitted by {}; kubectl delete job -n {} -l kubeclash.dev/submission={id} removes it\n",
                leftover.submitter,
                target.namespace()
            ));
            continue;
        }
        let verb = if args.dry_run { "would remove" } else { "removing" };
        super::say(&format!("{verb} {jobs}\n"));
        if !args.dry_run
            && let Err(why) = submit::remove(&target, &leftover).await
        {
            failed.push(why);
        }
    }
    if failed.is_empty() {
        Ok(exit::EXPECTED)
    } else {
        Err(Failure::new(exit::ERROR, failed.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_kubernetes() {
        for good in ["2", "500m", "4Gi", "1.5", "100M"] {
            assert_eq!(quantity(good).as_deref(), Ok(good));
        }
        for bad in ["", "-1", "0", "4GB", "2 cores", "inf", "1e3"] {
            quantity(bad).unwrap_err();
        }
    }

    #[test]
    fn the_worst_end_is_the_exit_code() {
        let done = |end: Result<u8, StepError>| Done {
            step: Step {
                name: "run c7".to_owned(),
                command: Vec::new(),
                cases: None,
            },
            end,
            folder: PathBuf::new(),
            took: Duration::ZERO,
            left: None,
        };
        let code = |ends: &[Result<u8, StepError>]| {
            let all: Vec<Done> = ends.iter().cloned().map(done).collect();
            super::code(&all)
        };
        assert_eq!(code(&[Ok(0), Ok(0)]), exit::EXPECTED);
        assert_eq!(code(&[Ok(0), Ok(5), Ok(3)]), exit::DIFFERED);
        assert_eq!(
            code(&[Ok(3), Err(StepError::Lost(String::new()))]),
            exit::UNAVAILABLE
        );
        assert_eq!(code(&[Ok(3), Err(StepError::Interrupted)]), exit::INTERRUPTED);
        assert_eq!(code(&[Ok(7)]), 7);
        let left = Done {
            left: Some(String::new()),
            ..done(Ok(0))
        };
        assert_eq!(super::code(&[left]), exit::ERROR);
    }
}
