//! Asking a build: it is made, the question is run on it, and what came of it goes into the ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::BisectArgs;
use crate::bisect::builds::{self, Build, Copy};
use crate::bisect::confidence::{Answer, Confidence, Tally};
use crate::bisect::search::Known;
use crate::cases::Case;
use crate::cli::Failure;
use crate::cli::matrix::Listed;
use crate::drive::{DriveError, drive};
use crate::exit;
use crate::expectation::Expected;
use crate::ledger::{self, Entry, Ledger};
use crate::session::{Session, SessionError, Settings};
use kubeclash_cluster::Provider;
use kubeclash_components::{Sha256, Spec};
use kubeclash_host::progress::Progress;
use kubeclash_load::LoadPlan;
use kubeclash_load::profile::Profile;
use kubeclash_timeline::{Arm, ArmId, Label};

/// What is asked of a build.
#[derive(Debug, Clone)]
pub(super) enum Question {
    /// Whether a case's failure is reproduced.
    Case { case: Case, arm: Arm },
    /// Whether a load test is red.
    Load { profile: String },
}

impl Question {
    /// The case that it is about, if it is.
    pub(super) fn case(&self) -> Option<&Case> {
        match self {
            Self::Case { case, .. } => Some(case),
            Self::Load { .. } => None,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case { case, arm } => write!(f, "{} {arm}", case.folder()),
            Self::Load { profile } if profile.parse::<usize>().is_ok() => {
                write!(f, "load of {profile} nodes")
            }
            Self::Load { profile } => write!(f, "load of {profile}"),
        }
    }
}

/// What is known of each build, and what it takes to know more.
pub(super) struct Asking {
    settings: Settings,
    part: builds::Part,
    make: Make,
    pub(super) confidence: Confidence,
    pub(super) builds: Vec<Build>,
    pub(super) told: Vec<Told>,
    pub(super) question: String,
    pub(super) ledger: PathBuf,
    pub(super) out: PathBuf,
}

/// How a build is made.
enum Make {
    /// It is a release.
    Release,
    /// It is checked out of a copy of a repository, and built by a command, or as src: is.
    Commit {
        copy: Copy,
        command: Option<String>,
        within: std::time::Duration,
    },
}

/// What is known of a build.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) tally: Tally,
    /// Why it can't be built.
    pub(super) unbuildable: Option<String>,
    /// The evidence of its runs, in order, with their labels.
    pub(super) runs: Vec<(Label, String)>,
}

/// What a line of the ledger is called whose build could not be made.
const UNBUILDABLE: &str = "it could not be built";

impl Asking {
    pub(super) async fn new(
        args: &BisectArgs,
        confidence: Confidence,
        builds: Vec<Build>,
    ) -> Result<Self, Failure> {
        let settings = args.flags.settings();
        let out = settings.out.join("bisect");
        let failed = |e: std::io::Error| Failure::new(exit::ERROR, format!("\"{}\": {e}", out.display()));
        std::fs::create_dir_all(&out).map_err(failed)?;
        let make = match &args.repo {
            None => Make::Release,
            Some(repo) => Make::Commit {
                // Of each repository its own.
                copy: Copy::of(repo, out.join(copy_of(repo)))
                    .await
                    .map_err(|e| Failure::new(exit::ERROR, e.to_string()))?,
                command: args.build.clone(),
                within: args.build_timeout,
            },
        };
        Ok(Self {
            ledger: args
                .ledger
                .clone()
                .unwrap_or_else(|| settings.out.join("ledger.jsonl")),
            settings,
            part: args.component,
            make,
            confidence,
            told: vec![Told::default(); builds.len()],
            builds,
            question: String::new(),
            out,
        })
    }

    /// Whether its builds are commits.
    pub(super) fn of_commits(&self) -> bool {
        matches!(self.make, Make::Commit { .. })
    }

    /// Takes up a question: what the ledger knows of it is not asked again.
    pub(super) fn begin(&mut self, question: &Question, progress: &Progress) -> Result<(), Failure> {
        self.question = match question {
            Question::Load { .. } => format!("bisect: {question}"),
            Question::Case { .. } => format!(
                "bisect: {question}, {} pace, {}",
                self.settings.pace, self.settings.provider
            ),
        };
        self.told = vec![Told::default(); self.builds.len()];
        let ledger = Ledger::read_if_there(&self.ledger)?;
        let mut known = 0;
        for entry in ledger
            .entries
            .iter()
            .filter(|entry| entry.question.as_deref() == Some(&self.question))
        {
            if let Some(at) = self.builds.iter().position(|build| build.name == entry.build) {
                self.told[at].take(entry);
                known += 1;
            }
        }
        if known > 0 {
            progress.println(format!(
                "{known} runs of this search are in \"{}\": it goes on",
                self.ledger.display()
            ));
        }
        Ok(())
    }

    /// What is known of each build, for the search.
    pub(super) fn known(&self) -> Vec<Known> {
        let known = |told: &Told| match (&told.unbuildable, self.confidence.answer(told.tally)) {
            (Some(_), _) => Known::Unbuildable,
            (None, Some(answer)) => Known::Answered(answer),
            (None, None) => Known::Unasked,
        };
        self.told.iter().map(known).collect()
    }

    /// The place of a build by its name, which a commit's beginning is as well.
    pub(super) fn at(&self, name: &str) -> Result<usize, String> {
        let is = |build: &Build| {
            let abbreviated = self.of_commits() && name.len() >= 4 && build.name.starts_with(name);
            build.name == name || abbreviated
        };
        let mut places = (0..self.builds.len()).filter(|&at| is(&self.builds[at]));
        match (places.next(), places.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => Err(format!("--only: \"{name}\" begins more than one commit")),
            (None, _) => Err(format!("--only: \"{name}\" is no build between --good and --bad")),
        }
    }

    /// Asking a build, as a job for another machine: what was said here, about that build.
    pub(super) fn listed(&self, at: usize, question: &Question, said: &[String]) -> Listed {
        let build = &self.builds[at];
        let mut command = vec!["bisect".to_owned()];
        command.extend(repeated(said));
        match question {
            Question::Load { profile } => command.extend(["--load".to_owned(), profile.clone()]),
            Question::Case { .. } => {}
        }
        command.extend(["--only".to_owned(), build.name.clone()]);
        let more = [("build", build.name.clone()), ("question", self.question.clone())];
        Listed {
            name: format!("{} {question}", shown(&build.name)),
            command,
            more: more
                .map(|(key, value)| (key.to_owned(), value.into()))
                .into_iter()
                .collect(),
        }
    }

    /// Makes a build, and runs the question on it until its answer is certain.
    pub(super) async fn ask(
        &mut self,
        at: usize,
        question: &Question,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let build = self.builds[at].clone();
        let title = format!("{} of {}: {}", at + 1, self.builds.len(), shown(&build.name));
        progress.println(format!("{title} {}", build.subject).trim_end());
        let spec = match self.spec(&build).await {
            Ok(spec) => spec,
            Err(why) => return self.unbuildable(at, why, progress),
        };
        let selection = self.part.put(self.settings.selection.clone(), &spec);
        let selection = selection.map_err(|e| Failure::new(exit::USAGE, e.to_string()))?;
        let settings = Settings {
            selection,
            out: self.out.join(build.name.replace(['/', ':'], "-")),
            ..self.settings.clone()
        };
        let session = match Session::open(settings, progress).await {
            Ok(session) => session,
            Err(SessionError::Component(error)) => return self.unbuildable(at, error.to_string(), progress),
            Err(error) => return Err(Failure::new(exit::UNAVAILABLE, error.to_string())),
        };
        while self.confidence.answer(self.told[at].tally).is_none() {
            let entry = one(question, &session, &build, progress, &title).await?;
            let entry = Entry {
                question: Some(self.question.clone()),
                commits: match self.make {
                    Make::Release => Vec::new(),
                    Make::Commit { .. } => vec![build.name.clone()],
                },
                runner: Some("kubeclash bisect".to_owned()),
                ..entry
            };
            self.keep(at, entry)?;
            let Told { tally, runs, .. } = &self.told[at];
            let label = runs.last().map_or(Label::Black, |(label, _)| *label);
            progress.println(format!(
                "{title}: {label} ({} with the failure, {} without, {} without a verdict)",
                tally.shown, tally.absent, tally.black
            ));
        }
        Ok(())
    }

    async fn spec(&self, build: &Build) -> Result<Spec, String> {
        let spec = match &self.make {
            Make::Release => build.name.clone(),
            Make::Commit {
                copy,
                command,
                within,
            } => {
                let checkout = copy.at(&build.name).await.map_err(|e| e.to_string())?;
                match command {
                    None => format!("src:{}", checkout.display()),
                    Some(command) => {
                        let folder = self.out.join("builds").join(&build.name);
                        let (program, log) = (folder.join("program"), folder.join("build.log"));
                        let made = builds::made(command, checkout, program, log, *within).await;
                        format!("path:{}", made.map_err(|e| e.to_string())?.display())
                    }
                }
            }
        };
        spec.parse().map_err(|e| format!("\"{spec}\": {e}"))
    }

    fn unbuildable(&mut self, at: usize, why: String, progress: &Progress) -> Result<(), Failure> {
        let first = why.lines().next().unwrap_or_default();
        progress.println(format!(
            "{}: {UNBUILDABLE}: {first}",
            shown(&self.builds[at].name)
        ));
        let entry = Entry {
            build: self.builds[at].name.clone(),
            question: Some(self.question.clone()),
            verdict: Some(Label::Black),
            title: UNBUILDABLE.to_owned(),
            text: why,
            date: Some(jiff::Timestamp::now().to_string()),
            runner: Some("kubeclash bisect".to_owned()),
            ..Entry::default()
        };
        self.keep(at, entry)
    }

    /// Puts a run into the ledger, before anything else is done with it.
    fn keep(&mut self, at: usize, entry: Entry) -> Result<(), Failure> {
        let entry = entry.named();
        ledger::append(&self.ledger, std::slice::from_ref(&entry))?;
        self.told[at].take(&entry);
        Ok(())
    }
}

impl Told {
    fn take(&mut self, entry: &Entry) {
        if entry.title == UNBUILDABLE {
            self.unbuildable = Some(entry.text.clone());
            return;
        }
        let label = entry.verdict.unwrap_or(Label::Black);
        match label {
            Label::Red => self.tally.shown += 1,
            Label::Green => self.tally.absent += 1,
            Label::Black => self.tally.black += 1,
        }
        self.runs
            .push((label, entry.evidence.first().cloned().unwrap_or_default()));
    }

    /// What its runs come to, in a word.
    pub(super) fn answer(&self, confidence: &Confidence) -> &'static str {
        match (&self.unbuildable, confidence.answer(self.tally)) {
            (Some(_), _) => "unbuildable",
            (None, Some(Answer::Bad)) => "bad",
            (None, Some(Answer::Good)) => "good",
            (None, Some(Answer::Flaky)) => "flaky",
            (None, Some(Answer::Black)) => "black",
            (None, None) => "",
        }
    }
}

/// What was said behind the verb, without what is about listing, about this machine, or said anew: of each job its own.
fn repeated(said: &[String]) -> Vec<String> {
    const LEFT_OUT: [&str; 6] = ["--next", "--format", "--ledger", "--out", "--color", "--load"];
    let mut words = said.iter().skip_while(|word| *word != "bisect").skip(1);
    let mut repeated = Vec::new();
    while let Some(word) = words.next() {
        let (flag, value) = word
            .split_once('=')
            .map_or((&**word, None), |(flag, value)| (flag, Some(value)));
        if !LEFT_OUT.contains(&flag) {
            repeated.push(word.clone());
        } else if value.is_none() {
            words.next();
        }
    }
    repeated
}

/// The name of a repository's copy.
fn copy_of(repo: &Path) -> String {
    let whole = std::fs::canonicalize(repo).unwrap_or_else(|_| repo.to_owned());
    let mut digest = Sha256::default();
    digest.update(whole.as_os_str().as_encoded_bytes());
    format!("checkout-{}", &digest.finish()[..8])
}

/// A build's name as short as people write it.
pub(super) fn shown(name: &str) -> &str {
    if name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        &name[..10]
    } else {
        name
    }
}

/// Runs the question once.
async fn one(
    question: &Question,
    session: &Session,
    build: &Build,
    progress: &Progress,
    title: &str,
) -> Result<Entry, Failure> {
    let interrupt = kubeclash_host::interrupt::token();
    let task = progress.task(format!("{title}: {question}"));
    let say = |what: &str| task.say(what);
    let name = Some(build.name.as_str());
    match question {
        Question::Case { case, arm } => {
            let arm = *arm;
            let expected = Expected {
                verdict: case.expected(arm, case.variants()[0].as_deref()),
                why: None,
            };
            let id = ArmId::new(case.folder(), arm, case.variants()[0].as_deref());
            let plan = session.plan(case, id, expected);
            match drive(&plan, &interrupt, &say).await {
                Ok(finished) => Ok(ledger::of_outcome(&finished.outcome, name)),
                Err(error) => without_verdict(error, build, title),
            }
        }
        Question::Load { profile } => {
            let usage = |why: String| Failure::new(exit::USAGE, why);
            if session.settings().provider != Provider::Local {
                return Err(usage(
                    "load tests need hollow nodes, which kind has not".to_owned(),
                ));
            }
            let plan = LoadPlan {
                profile: Profile::named(profile).map_err(|error| usage(error.to_string()))?,
                apiserver_cpu: None,
                liveness: Some(kubeclash_timeline::Liveness::default()),
                stop_at_red: true,
                prefixes: Vec::new(),
                out: session.settings().out.clone(),
            };
            match session.load_test(&plan, &interrupt, &say).await {
                Ok(finished) => Ok(ledger::of_load(&finished.run, &finished.evidence, name)),
                Err(error) => without_verdict(error, build, title),
            }
        }
    }
}

/// A run that broke off: of a build that does not start, say, which is no reason to end the search.
fn without_verdict(error: DriveError, build: &Build, title: &str) -> Result<Entry, Failure> {
    match error {
        DriveError::Provider(_) | DriveError::Recorder(_) | DriveError::Step { .. } => Ok(Entry {
            build: build.name.clone(),
            date: Some(jiff::Timestamp::now().to_string()),
            verdict: Some(Label::Black),
            title: "it broke off".to_owned(),
            text: error.to_string(),
            ..Entry::default()
        }),
        error => Err(Failure::with_help(
            exit::UNAVAILABLE,
            format!("{title}: {error}"),
            error.help(),
        )),
    }
}

/// How many builds came to each answer, for the report.
pub(super) fn counted(asking: &Asking) -> BTreeMap<&'static str, usize> {
    asking.told.iter().fold(BTreeMap::new(), |mut counts, told| {
        *counts.entry(told.answer(&asking.confidence)).or_default() += 1;
        counts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_repeats_what_was_asked_and_nothing_of_where() {
        let said = "kubeclash --color never bisect --good a --bad=b --case c8 --next 3 --format=json --ledger x --out=y \
                    --scheduler-arg=--v=5 --load 100,500";
        let said: Vec<String> = said.split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            repeated(&said).join(" "),
            "--good a --bad=b --case c8 --scheduler-arg=--v=5"
        );
    }
}
