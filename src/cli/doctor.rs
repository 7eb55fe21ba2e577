//! `kubeclash doctor`: what this machine has, and what a run would do about the rest.

mod kind;

use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::HumanBytes;
use serde::Serialize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::components::print;
use super::flags::ComponentFlags;
use kubeclash_cluster::{ARM_MEMORY, arms_at_once};
use kubeclash_components::{
    Builder, Cache, ComponentError, ComponentName, Finding, GoVersion, Lack, Platform, Resolver, State, skew,
};
use kubeclash_host::disk::room;
use kubeclash_host::progress::{Progress, elapsed};
use kubeclash_host::sweep::Leftover;
use kubeclash_host::{docker, sweep};

pub use kind::Kind;

/// Say what is there, what is missing, and what a run would fetch or build.
///
/// And how long that took last time.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  kubeclash doctor\n  kubeclash doctor --scheduler path:./kube-scheduler --format json"
)]
pub struct DoctorArgs {
    /// Which build of each.
    #[command(flatten)]
    pub components: Box<ComponentFlags>,
    /// For people, or as one JSON object.
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub format: DoctorFormat,
}

/// How `doctor` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people.
    Text,
    /// One object.
    Json,
}

/// All that `doctor` found.
#[derive(Debug, Clone, Serialize)]
pub struct Examination {
    /// This machine.
    pub machine: Machine,
    /// The Go that would build.
    pub go: Go,
    /// The Docker that would run images.
    pub docker: Docker,
    /// What clusters of kind would be made with.
    pub kind: Kind,
    /// The cache.
    pub cache: CacheRoom,
    /// One for each component.
    pub components: Vec<Finding>,
    /// What these releases lack.
    pub lacks: Vec<Lack>,
    /// Why a run would refuse the API server.
    pub refused: Option<String>,
    /// What killed runs left: `kubeclash sweep` removes it.
    pub leftovers: Vec<Leftover>,
}

/// What there is to run on.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// `linux/amd64`.
    pub platform: String,
    /// How many threads can run at once.
    pub cores: usize,
    /// Memory in all, in bytes.
    pub memory_bytes: u64,
    /// Memory that is free or can be freed, in bytes.
    pub memory_available_bytes: u64,
    /// How many arms run side by side without `--jobs`.
    pub jobs: usize,
    /// Why clusters could not listen on this machine, or not be found there.
    pub network_problem: Option<String>,
}

/// Which Go there is.
#[derive(Debug, Clone, Serialize)]
pub struct Go {
    /// `go1.26.8`; nothing when there is none.
    pub version: Option<String>,
    /// The oldest that builds everything, as in `1.26.0`.
    pub needed: String,
    /// Why there is none, or why it may not do.
    pub problem: Option<String>,
}

/// Which Docker there is. Only a component that is an image needs one.
#[derive(Debug, Clone, Serialize)]
pub struct Docker {
    /// `28.2.2`; nothing when there is none that could run a component.
    pub version: Option<String>,
    /// Why there is none, as the rest of a sentence, and what to do about it.
    pub problem: Option<String>,
}

/// The cache directory.
#[derive(Debug, Clone, Serialize)]
pub struct CacheRoom {
    /// Where it is or would be.
    pub dir: std::path::PathBuf,
    /// Room on its disk, in bytes; nothing when that cannot be told.
    pub room_bytes: Option<u64>,
}

/// Examines and prints. What is missing is no error: a run gets it.
///
/// # Errors
///
/// [`ComponentError`] when no cache directory is known, or a mirror's address is none.
pub async fn run(args: &DoctorArgs, progress: &Progress) -> Result<(), ComponentError> {
    let resolver = Resolver::new(Cache::open(None)?, progress.clone())?;
    let found = examine(&resolver, &args.components).await;
    match args.format {
        DoctorFormat::Json => print(serde_json::to_string(&found)),
        DoctorFormat::Text => print(text(&found)),
    }
    Ok(())
}

/// Looks at the machine, the cache and Go.
pub async fn examine(resolver: &Resolver, components: &ComponentFlags) -> Examination {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory);
    // What may not answer is asked at once, so that it is waited for but once.
    let leftovers = tokio::task::spawn_blocking(sweep::leftovers);
    let (docker, kind, leftovers) = tokio::join!(docker::examine(), kind::examine(components), leftovers);
    let components = resolver.probe(&components.selection(), &ComponentName::ALL).await;
    let versions = components
        .iter()
        .map(|found| (found.name, found.version.clone()))
        .collect();
    Examination {
        lacks: skew::lacks(&versions),
        refused: skew::too_old(&versions),
        machine: Machine {
            platform: Platform::host().to_string(),
            cores: kubeclash_cluster::cores(),
            memory_bytes: system.total_memory(),
            memory_available_bytes: system.available_memory(),
            jobs: arms_at_once(),
            network_problem: network_problem(),
        },
        go: go(resolver.builder()).await,
        docker: match docker {
            Ok(version) => Docker {
                version: Some(version),
                problem: None,
            },
            Err(trouble) => Docker {
                version: None,
                problem: Some(format!("{}: {}", trouble.reason, trouble.help)),
            },
        },
        kind,
        cache: CacheRoom {
            dir: resolver.cache().root().to_owned(),
            room_bytes: room(resolver.cache().root()),
        },
        components,
        leftovers: leftovers.unwrap_or_default(),
    }
}

/// Ports are chosen by the kernel, so a server that listens already is in nobody's way. What matters is that
/// 127.0.0.1 is there, and that it is what `localhost` means: that is how the API server reaches the metrics API.
fn network_problem() -> Option<String> {
    use std::net::{Ipv4Addr, TcpListener, ToSocketAddrs};
    if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) {
        return Some(format!("nothing can listen on 127.0.0.1: {error}"));
    }
    match ("localhost", 0).to_socket_addrs() {
        Ok(mut found) => (!found.any(|address| address.ip() == Ipv4Addr::LOCALHOST))
            .then(|| "\"localhost\" is not 127.0.0.1 here: see /etc/hosts".to_owned()),
        Err(error) => Some(format!("\"localhost\" has no address: {error}; see /etc/hosts")),
    }
}

async fn go(builder: &Builder) -> Go {
    // As text: the modules agree on the length of their numbers, which a release of Go will keep for a while.
    // A cluster on kind may take a newer one; go fetches that by itself, or says so.
    let needed = ComponentName::ALL
        .into_iter()
        .map(|name| Builder::needs(name.module()))
        .max()
        .unwrap_or_default()
        .to_owned();
    match builder.version().await {
        Ok(GoVersion(version)) => {
            let problem = (!GoVersion(version.clone()).at_least(&needed))
                .then(|| format!("older than {needed}; go fetches a newer one by itself where it can"));
            Go {
                version: Some(version),
                needed,
                problem,
            }
        }
        Err(reason) => Go {
            version: None,
            needed,
            problem: Some(reason),
        },
    }
}

fn text(found: &Examination) -> Vec<String> {
    let Examination {
        machine,
        go,
        docker,
        kind,
        cache,
        components,
        lacks,
        refused,
        leftovers,
    } = found;
    let mut lines = vec![
        format!(
            "machine   {}, {} cores, {} of {} memory available",
            machine.platform,
            machine.cores,
            HumanBytes(machine.memory_available_bytes),
            HumanBytes(machine.memory_bytes)
        ),
        format!(
            "jobs      {} arms side by side, at about {} each{}",
            machine.jobs,
            HumanBytes(ARM_MEMORY),
            if machine.jobs < 2 * machine.cores {
                "; more memory would allow more"
            } else {
                ""
            }
        ),
        match (&go.version, &go.problem) {
            (Some(version), None) => {
                format!("go        {version} ({} or newer is needed to build)", go.needed)
            }
            (Some(version), Some(problem)) => format!("go        {version}: {problem}"),
            (None, problem) => {
                format!(
                    "go        none, {} is needed to build ({})",
                    go.needed,
                    problem.as_deref().unwrap_or("not found")
                )
            }
        },
        match (&docker.version, &docker.problem) {
            (Some(version), _) => format!("docker    {version}, which runs image:REF"),
            (None, problem) => {
                let why = problem.as_deref().unwrap_or("not found");
                format!("docker    none, and nothing but image:REF needs it; it {why}")
            }
        },
        format!(
            "cache     {}{}",
            cache.dir.display(),
            cache
                .room_bytes
                .map_or_else(String::new, |room| format!(", {} of room", HumanBytes(room)))
        ),
    ];
    // Below Docker, which it drives.
    let below = lines.len() - 1;
    lines.splice(below..below, kind::lines(kind));
    lines.extend(
        machine
            .network_problem
            .iter()
            .map(|problem| format!("network   {problem}")),
    );
    lines.push(String::new());
    lines.extend(components.iter().flat_map(component));
    if !lacks.is_empty() || refused.is_some() {
        lines.push(String::new());
    }
    lines.extend(refused.iter().map(|why| format!("refused   {why}")));
    lines.extend(lacks.iter().map(|lack| {
        let bars = if lack.bars_absence {
            ": without the failure, a run is inconclusive"
        } else {
            ""
        };
        format!("lacks     {}{bars} ({})", lack.what, lack.source)
    }));
    if !leftovers.is_empty() {
        lines.push(String::new());
    }
    lines.extend(leftovers.iter().map(|left| {
        let what = if left.kept {
            "a run that was to be kept"
        } else {
            "a killed run"
        };
        let counts = [(left.networks.len(), "networks"), (left.images.len(), "images")];
        let more = counts.into_iter().filter(|(count, _)| *count > 0);
        format!(
            "leftover  {what}, {} processes and {} containers{}, in {}: \"kubeclash sweep\" removes it",
            left.processes.len(),
            left.containers.len(),
            more.map(|(count, noun)| format!(", {count} {noun}"))
                .collect::<String>(),
            left.run.display()
        )
    }));
    lines
}

fn component(finding: &Finding) -> Vec<String> {
    let Finding {
        name,
        version,
        state,
        took_ms,
    } = finding;
    let took = took_ms.map(|took| format!("; took {} last time", elapsed(Duration::from_millis(took))));
    let took = took.unwrap_or_default();
    let line = |text: String| format!("{name:<24}{version:<9} {text}");
    let plan = |plan: &[String]| {
        plan.iter()
            .map(|step| format!("{:<36}{step}", ""))
            .collect::<Vec<_>>()
    };
    match state {
        State::Given { path, problem: None } => vec![line(format!("at {}", path.display()))],
        State::Given {
            path,
            problem: Some(problem),
        } => {
            vec![line(format!(
                "UNUSABLE: {} (or {}): \"{}\" {problem}",
                name.flag(),
                name.env(),
                path.display()
            ))]
        }
        State::Image { id } => vec![line(format!("an image that Docker has, {id}"))],
        State::Unusable { problem } => vec![line(format!(
            "UNUSABLE: {} (or {}): the image {problem}",
            name.flag(),
            name.env()
        ))],
        State::Cached { origin, .. } => vec![line(format!("in the cache, {origin}{took}"))],
        State::Corrupted { reason, plan: steps } => {
            let mut lines = vec![line(format!(
                "CORRUPTED in the cache: {reason}; a run would{took}"
            ))];
            lines.extend(plan(steps));
            lines
        }
        State::Source { path, plan: steps } => {
            let mut lines = vec![line(format!("in {}; each run would{took}", path.display()))];
            lines.extend(plan(steps));
            lines
        }
        State::Missing { plan: steps } => {
            let mut lines = vec![line(format!("missing; a run would{took}"))];
            lines.extend(plan(steps));
            lines
        }
    }
}
