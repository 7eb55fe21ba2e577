//! `kubeclash matrix`: cases × arms × builds, as the jobs of a CI system.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::Failure;
use super::arms::{ArmFlags, Selected};
use super::shard::Shard;
use super::specs::SpecSet;
use crate::cases::Case;
use crate::exit;
use crate::progress::Progress;
use crate::scenario::Arm;
use crate::shell::quoted;

/// List cases × arms × builds, for the jobs of a CI system.
///
/// Each job is a case, an arm and a set of specs (see "kubeclash compare --help"); the variants of a case are one job.
/// In JSON, "args" has the flags of "kubeclash run" for it, quoted for a shell, and each component its own field.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash matrix --spec old: --spec new:scheduler=image:me/scheduler:pr-12\n  \
                  echo \"jobs=$(kubeclash matrix --format github)\" >> \"$GITHUB_OUTPUT\"\n\n  \
                  strategy:\n    matrix: ${{ fromJSON(needs.list.outputs.jobs) }}\n  \
                  …\n    run: kubeclash run ${{ matrix.args }}\n\n\
                  Instead of a matrix of arms, a job can run a part of them: kubeclash run --shard 2/5. Every arm is in\n\
                  exactly one part. A part that is empty, as there are fewer arms than parts, is no error: exit code 0."
)]
pub struct MatrixArgs {
    /// Which arms
    #[command(flatten)]
    pub arms: ArmFlags,
    /// A set of specs, NAME:COMPONENT=SPEC,…; can be given several times [default: one without a name, the defaults]
    #[arg(long = "spec", value_name = "SET", value_parser = |text: &str| text.parse::<SpecSet>())]
    pub specs: Vec<SpecSet>,
    /// Only one of several parts
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE, hide_default_value = true)]
    pub shard: Shard,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = MatrixFormat::Text)]
    pub format: MatrixFormat,
    /// A folder of cases to read in place of the built-in manifests
    #[arg(long, value_name = "DIR", env = "KUBECLASH_MANIFESTS")]
    pub manifests: Option<PathBuf>,
}

/// How a matrix is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MatrixFormat {
    /// For people.
    Text,
    /// One JSON object a line and job.
    Json,
    /// For `fromJSON` of GitHub Actions, on one line: `{"include":[…]}`.
    Github,
}

/// How many jobs a matrix of GitHub can have.
const GITHUB_JOBS: usize = 256;

/// One job.
#[derive(Debug, Clone)]
struct Job<'a> {
    case: &'static Case,
    arm: Arm,
    set: Option<&'a SpecSet>,
    weight: u64,
}

/// Lists the jobs.
///
/// # Errors
/// When a word calls no case, two sets have one name, or there are more jobs than a matrix can have.
pub fn run(args: &MatrixArgs, progress: &Progress) -> Result<(), Failure> {
    let selected = args.arms.selected()?;
    for (at, set) in args.specs.iter().enumerate() {
        if args.specs[..at].iter().any(|before| before.name == set.name) {
            let message = format!("two sets are called \"{}\"", set.name);
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    let all = jobs(&selected, args);
    let of = all.len();
    let mine = args.shard.of(all, |job| job.weight);
    if mine.is_empty() {
        progress.println(format!("shard {} is empty: there are {of} jobs", args.shard));
    }
    match args.format {
        MatrixFormat::Text => {
            for job in &mine {
                super::say(&format!(
                    "{:<40}  kubeclash run {}\n",
                    job.name(),
                    line(&job.arguments())
                ));
            }
        }
        MatrixFormat::Json => {
            for job in &mine {
                super::say(&format!("{}\n", job.object()));
            }
        }
        MatrixFormat::Github if mine.len() > GITHUB_JOBS => {
            return Err(Failure::with_help(
                exit::USAGE,
                format!(
                    "{} jobs, and a matrix of GitHub has {GITHUB_JOBS} at most",
                    mine.len()
                ),
                Some("choose cases or arms, or a part of them with --shard K/N".to_owned()),
            ));
        }
        MatrixFormat::Github => {
            let include: Vec<Value> = mine.iter().map(Job::object).collect();
            super::say(&format!("{}\n", json!({ "include": include })));
        }
    }
    Ok(())
}

/// The jobs of all sets; the variants of an arm are one.
fn jobs<'a>(selected: &[Selected], args: &'a MatrixArgs) -> Vec<Job<'a>> {
    let sets: Vec<Option<&SpecSet>> = match args.specs.as_slice() {
        [] => vec![None],
        sets => sets.iter().map(Some).collect(),
    };
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for chosen in selected {
        let weight = chosen.weight(args.manifests.as_deref());
        for &set in &sets {
            let same = |job: &&mut Job<'_>| {
                (job.case.folder, job.arm) == (chosen.case.folder, chosen.arm) && job.set == set
            };
            match jobs.iter_mut().find(same) {
                Some(job) => job.weight += weight,
                None => jobs.push(Job {
                    case: chosen.case,
                    arm: chosen.arm,
                    set,
                    weight,
                }),
            }
        }
    }
    jobs
}

impl Job<'_> {
    /// Its name in a list of jobs: `c5 broken, new`.
    fn name(&self) -> String {
        let set = self.set.map_or_else(String::new, |set| format!(", {}", set.name));
        format!("{} {}{set}", self.case.id(), self.arm)
    }

    /// What `run` takes for it.
    fn arguments(&self) -> Vec<String> {
        let arm = [
            self.case.folder.to_owned(),
            "--arm".to_owned(),
            self.arm.to_string(),
        ];
        let specs = self.set.into_iter().flat_map(SpecSet::arguments);
        arm.into_iter().chain(specs).collect()
    }

    fn object(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("name", self.name().into());
        put("case", self.case.folder.into());
        put("id", self.case.id().into());
        put("arm", self.arm.to_string().into());
        put("spec", self.set.map_or("", |set| &set.name).into());
        put("args", line(&self.arguments()).into());
        put("weight", self.weight.into());
        for (key, value) in self.set.into_iter().flat_map(|set| &set.said) {
            put(&key.replace('-', "_"), value.clone().into());
        }
        Value::Object(object)
    }
}

/// Arguments as a shell takes them.
fn line(arguments: &[String]) -> String {
    let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: MatrixArgs,
    }

    fn args(words: &[&str]) -> MatrixArgs {
        let words = std::iter::once("matrix").chain(words.iter().copied());
        <Line as clap::Parser>::try_parse_from(words)
            .unwrap_or_else(|e| panic!("{e}"))
            .args
    }

    fn objects(words: &[&str]) -> Vec<Value> {
        let args = args(words);
        let selected = args.arms.selected().unwrap();
        jobs(&selected, &args).iter().map(Job::object).collect()
    }

    #[test]
    fn there_is_a_job_for_each_case_arm_and_set() {
        let all = objects(&[]);
        assert_eq!(all.len(), 2 * crate::cases::ALL.len());
        let sets = objects(&[
            "c3",
            "c5",
            "--spec",
            "old:",
            "--spec",
            "new:scheduler=path:./it's,kwok=v0.8.0",
        ]);
        let names: Vec<&str> = sets.iter().filter_map(|job| job["name"].as_str()).collect();
        assert_eq!(
            names,
            [
                "c3 broken, old",
                "c3 broken, new",
                "c3 control, old",
                "c3 control, new",
                "c5 broken, old",
                "c5 broken, new",
                "c5 control, old",
                "c5 control, new",
            ]
        );
        assert_eq!(
            sets[5],
            json!({
                "name": "c5 broken, new", "case": "c5_remove_duplicates_loop", "id": "c5", "arm": "broken", "spec": "new",
                "args": "c5_remove_duplicates_loop --arm broken --scheduler 'path:./it'\\''s' --kwok v0.8.0",
                "weight": 35, "scheduler": "path:./it's", "kwok": "v0.8.0",
            })
        );
    }

    #[test]
    fn a_control_weighs_twice_and_variants_add_up() {
        let weight = |case: &str, arm: &str| objects(&[case, "--arm", arm])[0]["weight"].as_u64().unwrap();
        assert_eq!(weight("c5", "control"), 2 * weight("c5", "broken"));
        let one = args(&["c3", "--arm", "broken"]).arms.selected().unwrap()[0].weight(None);
        assert_eq!(weight("c3", "broken"), 2 * one);
    }
}
