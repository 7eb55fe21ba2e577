//! `kubeclash compare`: two builds side by side, run in turn or read from evidence.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::arms::{
    self, ArmFlags, ArmResult, Group, Selected, TimesFlags, code_of_all, hint_at_leftovers, side_by_side,
    told,
};
use super::flags::RunFlags;
use super::specs::SpecSet;
use super::{Failure, notes};
use crate::cases::Library;
use crate::comparison::{Compared, Outlook, compare};
use crate::drive::DriveError;
use crate::evidence::{self, Outcome};
use crate::report::{Style, comparison as view};
use crate::session::Session;
use crate::{agreement, exit};
use kubeclash_host::progress::Progress;

/// Hold two builds side by side: verdicts, figures, and what has flipped.
///
/// A and B are two folders of evidence, or two sets of specs, which are then run in turn, arm by arm. A set is
/// NAME:COMPONENT=SPEC,… with the names of the flags, as in new:scheduler=path:./a,descheduler=v0.36.0; what it doesn't
/// say is as the flags have it, and "old:" alone is the flags as they are. Its evidence goes to DIR/NAME of --out.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash compare old: new:scheduler=path:./kube-scheduler\n  \
                  kubeclash compare old:descheduler=v0.35.1 new:descheduler=src:. c5 c8 --repeat 3\n  \
                  kubeclash compare evidence/main evidence/mine --format markdown >> \"$GITHUB_STEP_SUMMARY\"\n\n\
                  Exit codes: 3 if a verdict flipped; else 5 if an arm has no verdict on one side, or was not run there;\n\
                  else 0, however much figures differ."
)]
pub struct CompareArgs {
    /// The one: a folder of evidence, or a set of specs
    #[arg(value_name = "A")]
    pub a: String,
    /// The other
    #[arg(value_name = "B")]
    pub b: String,
    /// Which arms
    #[command(flatten)]
    pub arms: ArmFlags,
    /// How often, and how many at once
    #[command(flatten)]
    pub times: TimesFlags,
    /// How the comparison is printed
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,
    /// What is run, and on what
    #[command(flatten)]
    pub flags: RunFlags,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For people.
    Text,
    /// One JSON object a line and arm.
    Json,
    /// For a GitHub step summary.
    Markdown,
}

/// What there is to compare: of each side its name, and the outcomes of its arms.
struct Sides {
    names: [String; 2],
    outcomes: [Vec<Outcome>; 2],
    errors: Vec<DriveError>,
}

/// Compares, and gives the exit code.
///
/// # Errors
/// When the sides are neither folders nor sets, when there is nothing to compare, or there are no components.
pub async fn run(args: &CompareArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    let library = args.arms.library()?;
    let selected = args.arms.selected(&library)?;
    let folders = [&args.a, &args.b].map(|side| Path::new(side).is_dir());
    let sides = match folders {
        [true, true] => recorded(args, &library)?,
        [false, false] => live(args, &selected, progress).await?,
        [a, _] => {
            let (folder, set) = if a { (&args.a, &args.b) } else { (&args.b, &args.a) };
            return Err(Failure::new(
                exit::USAGE,
                format!(
                    "\"{folder}\" is a folder and \"{set}\" is none: name two folders of evidence, or two sets of specs, \
                     which are run in turn"
                ),
            ));
        }
    };
    let [a, b] = sides.outcomes;
    let compared = compare(a, b);
    let names = sides.names.each_ref().map(String::as_str);
    match args.format {
        CompareFormat::Text => super::say(&view::text(&compared, names, style)),
        CompareFormat::Markdown => super::say(&view::markdown(&compared, names)),
        CompareFormat::Json => {
            for one in &compared {
                super::say(&format!("{}\n", view::line(one, names)));
            }
        }
    }
    Ok(code_of_all(sides.errors.iter()).unwrap_or_else(|| code(&compared)))
}

/// Both sides out of evidence.
fn recorded(args: &CompareArgs, library: &Library) -> Result<Sides, Failure> {
    if args.times.repeat > 1 || args.times.jobs.is_some() {
        let message = "--repeat and --jobs are for what is run, and two folders of evidence were run already";
        return Err(Failure::new(exit::USAGE, message));
    }
    let read = |dir: &String| {
        let all = evidence::outcomes(Path::new(dir)).map_err(|why| Failure::new(exit::USAGE, why))?;
        let mine: Vec<Outcome> = all
            .into_iter()
            .filter(|one| asked(&args.arms, library, one))
            .collect();
        if mine.is_empty() {
            let message = format!("there is no verdict.json below \"{dir}\" of an arm that was asked for");
            return Err(Failure::new(exit::NOTHING, message));
        }
        Ok(agreement::arms(mine))
    };
    Ok(Sides {
        outcomes: [read(&args.a)?, read(&args.b)?],
        names: [args.a.clone(), args.b.clone()],
        errors: Vec::new(),
    })
}

/// Whether an outcome is of an arm that was asked for.
fn asked(flags: &ArmFlags, library: &Library, outcome: &Outcome) -> bool {
    let case = library.find(&outcome.id.case);
    let called = |word: &String| case.is_some_and(|case| case.is_called(word));
    (flags.cases.is_empty() || flags.cases.iter().any(called))
        && flags.arms().any(|arm| arm == outcome.id.arm)
}

/// Both sides run in turn, so that what befalls the machine befalls both.
async fn live(args: &CompareArgs, selected: &[Selected], progress: &Progress) -> Result<Sides, Failure> {
    let usage = |why: String| Failure::new(exit::USAGE, why);
    let set = |side: &String| {
        side.parse::<SpecSet>().map_err(|why| {
            usage(format!(
                "\"{side}\" is neither a folder nor a set of specs: {why}"
            ))
        })
    };
    let sets = [set(&args.a)?, set(&args.b)?];
    if sets[0].name == sets[1].name {
        return Err(usage(format!(
            "both sets are called \"{}\": their evidence would get mixed up",
            sets[0].name
        )));
    }
    let mut settings = Vec::new();
    for set in &sets {
        let flags = set.over(&args.flags).map_err(usage)?;
        flags.with.fit(selected.iter().map(|chosen| &chosen.case))?;
        let mut own = flags.settings();
        own.out = own.out.join(&set.name);
        // Each of the two keeps its clusters for itself.
        let sets = if args.flags.reuse { 2 } else { 1 };
        own.on_kind.at_once = sets * args.times.jobs(own.provider) as u64;
        settings.push(own);
    }
    let policies = settings.iter().flat_map(|own| &own.tuning.descheduler_policy);
    notes::of_policies(policies, progress);
    for own in &settings {
        notes::of_cases(selected.iter().map(|chosen| &chosen.case), own, progress);
    }
    hint_at_leftovers(progress);
    let mut sessions = Vec::new();
    for settings in settings {
        sessions.push(arms::open(settings, progress).await?);
    }
    let groups = in_turn(&sets, &sessions, selected);
    let print = |ended: &ArmResult| match &ended.end {
        Ok(finished) => progress.println(format!("{}: {}", ended.title, finished.outcome.verdict)),
        Err(error) => progress.println(told(&ended.title, error)),
    };
    let results = side_by_side(
        groups,
        args.times.repeat,
        args.times.jobs(args.flags.provider),
        progress,
        print,
    )
    .await;
    for session in &sessions {
        session.close().await;
    }
    let (mut outcomes, mut errors) = ([Vec::new(), Vec::new()], Vec::new());
    for result in results {
        match result.end {
            Ok(finished) => outcomes[result.order % 2].push(finished.outcome),
            Err(error) => errors.push(error),
        }
    }
    Ok(Sides {
        outcomes,
        names: sets.map(|set| set.name),
        errors,
    })
}

/// A B A B …: the arms in their order, of each first the one side and then the other.
fn in_turn(sets: &[SpecSet; 2], sessions: &[Session], selected: &[Selected]) -> Vec<Group> {
    let sides = |chosen: &Selected| {
        let Selected { case, id } = chosen;
        let expected = case.expected(id.arm, id.variant.as_deref());
        let title = chosen.title();
        let sides = sets.iter().zip(sessions);
        sides
            .map(|(set, session)| Group {
                title: format!("{title}, {}", set.name),
                plan: session.plan(case, id.clone(), expected.into()),
            })
            .collect::<Vec<_>>()
    };
    selected.iter().flat_map(sides).collect()
}

fn code(compared: &[Compared]) -> u8 {
    let any = |outlook: fn(Outlook) -> bool| compared.iter().any(|one| outlook(one.outlook));
    if any(Outlook::is_flip) {
        exit::DIFFERED
    } else if any(|outlook| matches!(outlook, Outlook::Inconclusive | Outlook::Missing)) {
        exit::INCONCLUSIVE
    } else {
        exit::EXPECTED
    }
}
