//! `kubeclash load`: the standard load test on hollow nodes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::arms::{code_of_all, hint_at_leftovers, told};
use super::flags::RunFlags;
use super::{Failure, arms};
use crate::exit;
use crate::report::Style;
use crate::session::time;
use kubeclash_cluster::Provider;
use kubeclash_host::progress::Progress;
use kubeclash_load::profile::Profile;
use kubeclash_load::{LoadPlan, LoadRun};
use kubeclash_timeline::{Label, Liveness};

/// Run a load test on hollow nodes, modelled on the standard one, and measure.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash load                                  100 nodes, in two or three minutes\n  \
                        kubeclash load --nodes 1000 --apiserver path:./kube-apiserver\n  \
                        kubeclash load --print-profile > mine.yaml && kubeclash load --profile mine.yaml\n  \
                        kubeclash load --format json | jq .measured"
)]
pub struct LoadArgs {
    /// How many nodes: of the built-in profiles (100, 500, 1000, 5000) the next larger is taken
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "profile")]
    pub nodes: usize,
    /// A profile of yours: how many nodes and objects, how fast, and how long is waited
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Print the profile, and run nothing
    #[arg(long)]
    pub print_profile: bool,
    /// What befalls an API server that is overloaded
    #[command(flatten)]
    pub liveness: LivenessFlags,
    /// Count etcd's keys that begin so, as in /registry/configmaps/, besides the usual ones; can be given several times
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Vec<String>,
    /// End the run at the first sign of the issue in its logs (see "kubeclash classify --list")
    #[arg(long)]
    pub stop_at_red: bool,
    /// How the run is printed
    #[arg(long, value_enum, default_value_t = LoadFormat::Text)]
    pub format: LoadFormat,
    /// On what
    #[command(flatten)]
    pub flags: RunFlags,
}

/// What befalls an API server that is overloaded.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "API server")]
pub struct LivenessFlags {
    /// How many cores it gets at most, once the cluster is ready, as in 0.5: by a cgroup where one can be made, else by stopping and continuing it
    #[arg(long, value_name = "CORES", value_parser = cores)]
    pub apiserver_cpu: Option<f64>,
    /// Never kill it; by default it is treated as kubeadm's static pod is: killed when /livez does not answer
    #[arg(long)]
    pub no_liveness: bool,
    /// How often it is asked
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub liveness_period: Duration,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time)]
    pub liveness_timeout: Duration,
    /// After how many failures in a row it is killed
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub liveness_failures: u32,
    /// How long it gets to end, before it is made to
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub liveness_grace: Duration,
}

impl LivenessFlags {
    fn liveness(&self) -> Option<Liveness> {
        (!self.no_liveness).then(|| Liveness {
            period: self.liveness_period,
            timeout: self.liveness_timeout,
            failures: self.liveness_failures,
            grace: self.liveness_grace,
            ..Liveness::default()
        })
    }
}

fn cores(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(cores) if (0.01..=1_024.0).contains(&cores) => Ok(cores),
        _ => Err("it must be a number of cores between 0.01 and 1024, as in 0.5".to_owned()),
    }
}

/// How a run is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadFormat {
    /// For people.
    Text,
    /// The run as one JSON object: what is in load.json.
    Json,
    /// For a GitHub step summary: what is in load.md.
    Markdown,
}

/// Runs the load test, and gives the exit code: 0 where the issue is not found, 3 where it is, 5 where the run does not fit the
/// question.
///
/// # Errors
/// When the profile has mistakes, there are no components, or no cluster.
pub async fn run(args: &LoadArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    let profile = match &args.profile {
        Some(file) => Profile::read(file),
        None => Profile::of(args.nodes),
    };
    let profile = profile.map_err(|error| Failure::new(exit::USAGE, error.to_string()))?;
    if args.print_profile {
        super::say(&profile.text);
        return Ok(exit::EXPECTED);
    }
    args.flags.with.fit([])?;
    let settings = args.flags.settings();
    if settings.provider != Provider::Local {
        return Err(Failure::with_help(
            exit::USAGE,
            "load tests need hollow nodes, which kind has not",
            Some("leave --provider out".to_owned()),
        ));
    }
    hint_at_leftovers(progress);
    let session = arms::open(settings, progress).await?;
    let plan = LoadPlan {
        apiserver_cpu: args.liveness.apiserver_cpu,
        liveness: args.liveness.liveness(),
        stop_at_red: args.stop_at_red,
        prefixes: args.prefix.clone(),
        out: session.settings().out.clone(),
        profile,
    };
    let title = format!("load {}", plan.profile.name);
    let task = progress.task(title.clone());
    let interrupt = kubeclash_host::interrupt::token();
    let end = session.load_test(&plan, &interrupt, &|what| task.say(what)).await;
    drop(task);
    let finished = match end {
        Ok(finished) => finished,
        Err(error) => {
            progress.println(told(&title, &error));
            return Ok(code_of_all(&[error]).unwrap_or(exit::ERROR));
        }
    };
    match args.format {
        LoadFormat::Json => super::say(&finished.run.to_json()),
        LoadFormat::Markdown => super::say(&crate::report::load::markdown(&finished.run)),
        LoadFormat::Text => super::say(&crate::report::load::summary(&finished.run, style)),
    }
    progress.println(format!("evidence: {}", finished.evidence.display()));
    if let Some(kept) = &finished.kept {
        progress.println(kept);
    }
    Ok(code(&finished.run))
}

fn code(run: &LoadRun) -> u8 {
    match run.label {
        Some(Label::Green) => exit::EXPECTED,
        Some(Label::Red) => exit::DIFFERED,
        Some(Label::Black) | None => exit::INCONCLUSIVE,
    }
}
