//! The command line: one verb a file. [`run`](fn@run) goes from arguments to an exit code.

pub mod arms;
pub mod bench;
pub mod bisect;
pub mod cases;
pub mod case;
pub mod classify;
pub mod compare;
pub mod components;
pub mod doctor;
pub mod etcd_size;
pub mod expect;
pub mod fidelity;
pub mod flags;
pub mod image;
pub mod ledger;
pub mod list;
pub mod load;
pub mod matrix;
pub mod node_image;
pub mod reference;
pub mod replay;
pub mod report;
pub mod results;
pub mod run;
pub mod shard;
pub mod specs;
pub mod submit;
pub mod sweep;
pub mod worker;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::cases::Case;
use crate::report::Style;
use crate::session::notes;
use crate::{evidence, exit};
use kubeclash_cluster::Provider;
use kubeclash_components::ComponentError;
use kubeclash_host::progress::Progress;
use kubeclash_timeline::{Header, Timeline};

const ABOUT: &str = "Reproduces multi-controller failures of Kubernetes on a real control plane: each component is correct, \
and controllers with conflicting goals act against each other. Each failure has a broken arm, in which it must be observed, and \
a control, in which it must not.";

const EXAMPLES: &str = "\
Examples:
  kubeclash run c7                             both arms of one case
  kubeclash run                                everything
  kubeclash run 'c[58]' --descheduler path:./descheduler
  kubeclash run --format json --jobs 2 | jq -c 'select(.ok | not)'
  kubeclash report target/evidence --html report.html
  kubeclash compare old: new:scheduler=path:./kube-scheduler
  kubeclash doctor                             what is there, what would be fetched or built

Exit codes:
  0 as expected              3 a verdict differed     6 provider or component unavailable
  1 unexpected error         4 nothing selected     130 interrupted
  2 usage                    5 inconclusive";

/// The command.
#[derive(Debug, Parser)]
#[command(name = "kubeclash", version, about = ABOUT, long_about = None, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// When to use colour.
    #[arg(long, value_enum, default_value_t = Colour::Auto, global = true)]
    pub color: Colour,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether a stream gets colour.
    fn on(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "each is described where its arguments are, and help shows all of that"
)]
pub enum Verb {
    Run(Box<run::RunArgs>),
    Load(Box<load::LoadArgs>),
    List(list::ListArgs),
    Case(case::CaseArgs),
    Components(components::ComponentsArgs),
    NodeImage(node_image::NodeImageArgs),
    Doctor(Box<doctor::DoctorArgs>),
    Compare(Box<compare::CompareArgs>),
    Matrix(matrix::MatrixArgs),
    Submit(Box<submit::SubmitArgs>),
    Image(Box<image::ImageArgs>),
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
    Results(results::ResultsArgs),
    Sweep(sweep::SweepArgs),
    Replay(replay::ReplayArgs),
    Classify(Box<classify::ClassifyArgs>),
    Report(report::ReportArgs),
    Ledger(ledger::LedgerArgs),
    Bisect(Box<bisect::BisectArgs>),
    Fidelity(fidelity::FidelityArgs),
    Bench(bench::BenchArgs),
    EtcdSize(etcd_size::EtcdSizeArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  kubeclash completions bash > /etc/bash_completion.d/kubeclash")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Something that went wrong, with the exit code that says what kind it is.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What to tell the user.
    pub report: miette::Report,
}

impl Failure {
    /// A failure without a source.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            report: miette::Report::msg(message.into()),
        }
    }

    /// The same, saying what to do next.
    #[must_use]
    pub fn with_help(code: u8, message: impl Into<String>, help: Option<String>) -> Self {
        let mut diagnostic = miette::MietteDiagnostic::new(message);
        diagnostic.help = help;
        Self {
            code,
            report: diagnostic.into(),
        }
    }
}

impl From<ComponentError> for Failure {
    fn from(error: ComponentError) -> Self {
        Self {
            code: exit::UNAVAILABLE,
            report: error.into(),
        }
    }
}

/// Prints on standard output. A reader that has gone away is no reason to stop: the evidence is on disk.
fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What is logged where nobody says otherwise: libraries warn of much that is waited for here.
const OWN_WARNINGS: &str = "kubeclash=warn";

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own codes: 0 for --help and --version, 2 for mistakes.
            let code = u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // Whatever is wider than the terminal wraps there, and is whole when it is copied.
    let _ = miette::set_hook(Box::new(|_| {
        Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())
    }));
    // For people who look into kubeclash itself: KUBECLASH_LOG=kubeclash=debug.
    // What went wrong on the way is for everybody: something that is left behind, evidence that is not complete.
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(OWN_WARNINGS.parse().expect("it is a directive"))
        .with_env_var("KUBECLASH_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: failed to start: {error}");
            return ExitCode::from(exit::ERROR);
        }
    };
    let end = runtime.block_on(dispatch(cli));
    // A name server that does not answer must not hold up the exit.
    runtime.shutdown_background();
    match end {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("error: {:?}", failure.report);
            ExitCode::from(failure.code)
        }
    }
}

async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let progress = Progress::detect().with_colour(cli.color.on(&std::io::stderr()));
    let style = style(cli.color);
    // A run ends by itself when it is interrupted, with its clusters; anything else is dropped where it is.
    let patience = match &cli.verb {
        Verb::Run(args) => patience(args.flags.provider),
        Verb::Compare(args) => patience(args.flags.provider),
        Verb::Load(args) => patience(args.flags.provider),
        Verb::Bisect(args) => patience(args.flags.provider),
        Verb::Submit(_) => submit::PATIENCE,
        Verb::Worker(_) => patience(Provider::Kind),
        _ => Duration::ZERO,
    };
    let interrupt = kubeclash_host::interrupt::token();
    let interruptible = async {
        match cli.verb {
            Verb::Run(args) => return run::run(&args, &progress, &style).await,
            Verb::Compare(args) => return compare::run(&args, &progress, &style).await,
            Verb::Load(args) => return load::run(&args, &progress, &style).await,
            Verb::Matrix(args) => matrix::run(&args, &progress)?,
            Verb::Submit(args) => return submit::run(&args, &progress, &style).await,
            Verb::Image(args) => image::run(&args, &progress).await?,
            Verb::Worker(args) => return worker::run(&args).await,
            Verb::Results(args) => results::run(&args)?,
            Verb::List(args) => list::run(&args)?,
            Verb::Case(args) => return case::run(&args),
            Verb::Components(args) => components::run(&args, &progress).await?,
            Verb::NodeImage(args) => node_image::run(&args, &progress).await?,
            Verb::Doctor(args) => doctor::run(&args, &progress).await?,
            Verb::Sweep(args) => return sweep::run(&args),
            Verb::Replay(args) => return replay_file(&args, &style),
            Verb::Classify(args) => return classify::run(*args, &progress, &style).await,
            Verb::Report(args) => report::run(&args, &style)?,
            Verb::Ledger(args) => return ledger::run(&args, &progress, &style),
            Verb::Bisect(args) => return bisect::run(&args, &progress).await,
            Verb::Fidelity(args) => fidelity::run(&args)?,
            Verb::Bench(args) => bench::run(&args, &progress).await?,
            Verb::EtcdSize(args) => etcd_size::run(&args, &progress).await?,
            Verb::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "kubeclash", &mut std::io::stdout());
            }
        }
        Ok(exit::EXPECTED)
    };
    tokio::pin!(interruptible);
    tokio::select! {
        code = &mut interruptible => code,
        () = interrupt.cancelled() => {
            progress.println("interrupted: tearing everything down");
            match tokio::time::timeout(patience, interruptible).await {
                Ok(Ok(_)) => Ok(exit::INTERRUPTED),
                Err(_) => {
                    if !patience.is_zero() {
                        progress.println("not everything has ended: \"kubeclash sweep\" removes what is left");
                    }
                    Ok(exit::INTERRUPTED)
                }
                Ok(Err(failure)) => Err(Failure { code: exit::INTERRUPTED, ..failure }),
            }
        }
    }
}

/// How long clusters may take to go: processes do in no time, what a container engine has of one takes its time.
fn patience(provider: Provider) -> Duration {
    match provider {
        Provider::Local => Duration::from_secs(4),
        Provider::Kind => Duration::from_secs(25),
    }
}

fn replay_file(args: &replay::ReplayArgs, style: &Style) -> Result<u8, Failure> {
    let library = args.cases.library()?;
    let judge = |file: &Path, header: &Header| {
        // The case that was recorded is beside the recording; another may have its name by now.
        let copy = file.parent().map(|folder| folder.join(evidence::CASE));
        let copied = copy
            .filter(|copy| copy.is_dir())
            .map(|copy| Case::copied(&header.case, &copy))
            .transpose()?;
        let case = copied.or_else(|| library.find(&header.case).cloned());
        Ok(case.map(|case| replay::Judge {
            expected: case.expected(header.arm, header.variant.as_deref()),
            judge: Box::new(move |timeline: &Timeline| case.judge(timeline)),
        }))
    };
    let replayed = replay::replay(args, judge, style, &mut std::io::stdout())
        .map_err(|error| Failure::new(exit::USAGE, error.to_string()))?;
    Ok(match replayed.verdict {
        kubeclash_timeline::Verdict::Inconclusive(_) => exit::INCONCLUSIVE,
        _ if replayed.agrees => exit::EXPECTED,
        _ => exit::DIFFERED,
    })
}

/// What standard output can show.
fn style(colour: Colour) -> Style {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    // Without a locale, containers and CI systems show UTF-8 all the same.
    let unicode = locale.is_none_or(|locale| locale.to_lowercase().contains("utf") || locale == "C");
    let width = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .unwrap_or(100);
    Style {
        colour: colour.on(&std::io::stdout()),
        unicode,
        width,
    }
}
