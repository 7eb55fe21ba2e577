//! `kubeclash bisect`: the build after which a failure is there, or is no more.

mod ask;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use self::ask::{Asking, Question};
use super::cases::CasesFlags;
use super::flags::RunFlags;
use super::matrix::{self, Listed, MatrixFormat};
use super::{Failure, arms, notes};
use crate::bisect::builds::{self, Build, Part};
use crate::bisect::confidence::{Answer, Confidence};
use crate::bisect::search::{End, Known, Next, next, next_together};
use crate::exit;
use crate::session::time;
use kubeclash_host::progress::Progress;
use kubeclash_load::profile::Profile;
use kubeclash_timeline::Arm;

/// Find the build after which a failure is there, or is no more.
///
/// A search by halves. Each build is run until its answer is certain: a sequential test between builds that show the failure
/// in --rarely of their runs and builds that show it in --mostly of them, which ends when either is 1/--error times as likely.
/// With the defaults these are three runs that agree. Builds whose runs don't agree, and those that can't be built, tell
/// nothing, and their neighbours are asked. Every run goes into the ledger at once: a search that was killed goes on.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("history").required(true).args(["versions", "repo"]),
    group = ArgGroup::new("what").required(true).args(["case", "load"]),
    after_help = "Examples:\n  kubeclash bisect --versions v1.30.14,v1.32.7,v1.34.4,v1.36.3 --bad v1.30.14 --good v1.36.3 --case c8\n  \
                  kubeclash bisect --repo ../descheduler --good v0.35.0 --bad HEAD --case c5 --arm control --component descheduler\n  \
                  kubeclash bisect --repo . --good main --bad HEAD --load 100,500 --component apiserver \\\n      \
                  --build 'go build -o \"$KUBECLASH_OUT\" ./cmd/kube-apiserver'\n  \
                  kubeclash bisect --versions v1.30.14,v1.32.7,v1.34.4,v1.36.3 --bad v1.30.14 --good v1.36.3 --case c8 --next 2 --format github\n\n\
                  A step on another machine is a job of --next; \"kubeclash ledger add\" merges what comes back, and --next goes on\n\
                  from there (docs/how-to/more-than-one-machine.md)."
)]
pub struct BisectArgs {
    /// A build without the failure: one of --versions, or a revision of --repo
    #[arg(long, value_name = "SPEC")]
    pub good: String,
    /// A build with the failure; where it is the older one, the search is for the cure
    #[arg(long, value_name = "SPEC")]
    pub bad: String,
    /// Releases, the oldest first
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub versions: Vec<String>,
    /// A Go checkout, whose commits are asked along first parents; it is only read
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// What builds a commit, run by sh in a checkout of it; $KUBECLASH_OUT is where its program has to go. By default it is
    /// built as src: is
    #[arg(long, value_name = "CMD", requires = "repo")]
    pub build: Option<String>,
    /// How long that may take
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = time)]
    pub build_timeout: Duration,
    /// What the builds are of: kubernetes (API server, controller-manager and scheduler), apiserver, controller-manager,
    /// scheduler, descheduler, etcd or kwok
    #[arg(long, value_name = "NAME", default_value = "kubernetes")]
    pub component: Part,
    /// Ask whether this case's failure is reproduced
    #[arg(long, value_name = "CASE")]
    pub case: Option<String>,
    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,
    /// In which arm of it: broken, or control
    #[arg(long, value_name = "ARM", default_value = "broken", value_parser = arm)]
    pub arm: Arm,
    /// Ask whether a load test is red: numbers of nodes or files of profiles, the smallest first; the next is taken where both
    /// ends are alike
    #[arg(long, value_name = "NODES|FILE", value_delimiter = ',', value_parser = profile)]
    pub load: Vec<String>,
    /// How often a build without the failure shows it all the same
    #[arg(long, value_name = "PART", default_value_t = Confidence::default().rarely, value_parser = part)]
    pub rarely: f64,
    /// How often a build with the failure shows it
    #[arg(long, value_name = "PART", default_value_t = Confidence::default().mostly, value_parser = part)]
    pub mostly: f64,
    /// How often an answer may be wrong
    #[arg(long, value_name = "PART", default_value_t = Confidence::default().error, value_parser = part)]
    pub error: f64,
    /// How many runs a build gets at most; then it is flaky
    #[arg(long, value_name = "N", default_value_t = Confidence::default().most, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub most: u32,
    /// Run nothing, and list what would be asked next on so many machines: each job asks one build, as --only does
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), conflicts_with = "only")]
    pub next: Option<u16>,
    /// How --next is printed
    #[arg(long, value_enum, default_value_t = MatrixFormat::Text, requires = "next")]
    pub format: MatrixFormat,
    /// Ask this build until its answer is certain, and no other: one of --versions, or a commit of --repo
    #[arg(long, value_name = "BUILD")]
    pub only: Option<String>,
    /// The ledger that every run goes into; by default ledger.jsonl in the folder of --out
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// On what
    #[command(flatten)]
    pub flags: RunFlags,
}

fn arm(word: &str) -> Result<Arm, String> {
    let known = Arm::ALL.into_iter().find(|arm| arm.to_string() == word);
    known.ok_or_else(|| "it must be broken or control".to_owned())
}

/// A profile that can be run, as it was called.
fn profile(word: &str) -> Result<String, String> {
    Profile::named(word).map_err(|error| error.to_string())?;
    Ok(word.to_owned())
}

/// A part of all, neither nothing nor everything.
fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if part > 0.0 && part < 1.0 => Ok(part),
        _ => Err("it must be a number between 0 and 1, as in 0.1".to_owned()),
    }
}

impl BisectArgs {
    fn confidence(&self) -> Result<Confidence, Failure> {
        if self.rarely >= self.mostly || self.error >= 0.5 {
            return Err(Failure::new(
                exit::USAGE,
                "--rarely must be less than --mostly, and --error less than 0.5",
            ));
        }
        Ok(Confidence {
            rarely: self.rarely,
            mostly: self.mostly,
            error: self.error,
            most: self.most,
            ..Confidence::default()
        })
    }

    /// The builds, the oldest first, and what the oldest is: bad, where the search is for a cure.
    async fn builds(&self) -> Result<(Vec<Build>, Answer), Failure> {
        let usage = |why: String| Failure::new(exit::USAGE, why);
        let Some(repo) = &self.repo else {
            let at = |end: &String| {
                let at = self.versions.iter().position(|version| version == end);
                at.ok_or_else(|| usage(format!("\"{end}\" is none of --versions")))
            };
            let (good, bad) = (at(&self.good)?, at(&self.bad)?);
            if good == bad {
                return Err(usage("--good and --bad are the same build".to_owned()));
            }
            let between = self.versions[good.min(bad)..=good.max(bad)].iter();
            let builds = between.map(|version| Build {
                name: version.clone(),
                subject: String::new(),
            });
            let oldest = if good < bad { Answer::Good } else { Answer::Bad };
            return Ok((builds.collect(), oldest));
        };
        let good = builds::commit(repo, &self.good)
            .await
            .map_err(|e| usage(e.to_string()))?;
        let bad = builds::commit(repo, &self.bad)
            .await
            .map_err(|e| usage(e.to_string()))?;
        let (builds, turned) = builds::commits(repo, &good, &bad)
            .await
            .map_err(|e| usage(e.to_string()))?;
        Ok((builds, if turned { Answer::Bad } else { Answer::Good }))
    }
}

/// Searches, and gives the exit code: 0 where the build is found, 5 where only candidates are.
///
/// # Errors
/// When there is nothing to search in, or nothing can be run.
pub async fn run(args: &BisectArgs, progress: &Progress) -> Result<u8, Failure> {
    let confidence = args.confidence()?;
    let (builds, oldest) = args.builds().await?;
    notes::of_policies(&args.flags.tuning.descheduler_policy, progress);
    arms::hint_at_leftovers(progress);
    let mut asking = Asking::new(args, confidence, builds).await?;
    let mut questions: Vec<Question> = Vec::new();
    match &args.case {
        Some(word) => questions.push(Question::Case {
            case: args.cases.only(word)?,
            arm: args.arm,
        }),
        None => questions.extend(args.load.iter().map(|profile| Question::Load {
            profile: profile.clone(),
        })),
    }
    args.flags.with.fit(questions.iter().filter_map(Question::case))?;
    if let Some(machines) = args.next {
        let jobs = steps(&mut asking, &questions, machines.into(), progress)?;
        matrix::print(args.format, &jobs)?;
        return Ok(exit::EXPECTED);
    }
    notes::of_cases(
        questions.iter().filter_map(Question::case),
        &args.flags.settings(),
        progress,
    );
    if let Some(build) = &args.only {
        return only(&mut asking, &questions, build, progress).await;
    }
    let mut end = End::NoDifference("nothing was asked".to_owned());
    for (at, question) in questions.iter().enumerate() {
        end = search(&mut asking, question, progress).await?;
        let last = at + 1 == questions.len();
        match &end {
            End::NoDifference(why) if !last => {
                progress.println(format!("{question}: {why}; a larger scale is asked"))
            }
            _ => break,
        }
    }
    if let (End::Found(_), Known::Answered(first)) = (&end, asking.known()[0])
        && first != oldest
    {
        end = End::NoDifference(
            "the ends answer the other way round: --good shows the failure, and --bad does not".to_owned(),
        );
    }
    let told = report::write(&asking, &end)?;
    super::say(&told);
    Ok(match end {
        End::Found(_) => exit::EXPECTED,
        End::Candidates(_) | End::BackAndForth(_) | End::NoDifference(_) => exit::INCONCLUSIVE,
    })
}

/// The builds that would be asked next, each as a job.
fn steps(
    asking: &mut Asking,
    questions: &[Question],
    machines: usize,
    progress: &Progress,
) -> Result<Vec<Listed>, Failure> {
    let said: Vec<String> = std::env::args().collect();
    for question in questions {
        asking.begin(question, progress)?;
        let known = asking.known();
        match next(&known) {
            Next::Ask(_) => {
                let at = next_together(&known, machines);
                return Ok(at
                    .into_iter()
                    .map(|at| asking.listed(at, question, &said))
                    .collect());
            }
            Next::Over(end) => {
                let over = report::verdict(asking, &end);
                progress.println(format!("{question}: {over}"));
                if !matches!(end, End::NoDifference(_)) {
                    break;
                }
            }
        }
    }
    Ok(Vec::new())
}

/// Asks one build, and gives the exit code: 0 where it is good or bad.
async fn only(
    asking: &mut Asking,
    questions: &[Question],
    build: &str,
    progress: &Progress,
) -> Result<u8, Failure> {
    let mut tells = true;
    for question in questions {
        asking.begin(question, progress)?;
        let at = asking.at(build).map_err(|why| Failure::new(exit::USAGE, why))?;
        if asking.known()[at] == Known::Unasked {
            asking.ask(at, question, progress).await?;
        }
        let answer = asking.told[at].answer(&asking.confidence);
        super::say(&format!(
            "{question}: {} is {answer}\n",
            ask::shown(&asking.builds[at].name)
        ));
        tells &= ["good", "bad"].contains(&answer);
    }
    Ok(if tells { exit::EXPECTED } else { exit::INCONCLUSIVE })
}

async fn search(asking: &mut Asking, question: &Question, progress: &Progress) -> Result<End, Failure> {
    asking.begin(question, progress)?;
    loop {
        match next(&asking.known()) {
            Next::Over(end) => return Ok(end),
            Next::Ask(at) => asking.ask(at, question, progress).await?,
        }
    }
}
