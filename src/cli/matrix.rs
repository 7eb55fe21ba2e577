//! `kubeclash matrix`: cases × arms × builds, and load tests, as the jobs of a CI system or of `kubeclash submit`.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::arms::{ArmFlags, Selected};
use super::cases::CasesFlags;
use super::shard::Shard;
use super::specs::{self, SpecSet};
use super::{Failure, notes};
use crate::cases::Case;
use crate::exit;
use kubeclash_cluster::Policy;
use kubeclash_host::progress::Progress;
use kubeclash_host::shell::quoted;
use kubeclash_load::profile::Profile;
use kubeclash_timeline::Arm;

/// List cases × arms × builds, and load tests, as jobs for other machines.
///
/// They are for a CI system, or for "kubeclash submit". Each job is a case, an arm and a set of specs (see "kubeclash compare
/// --help"); the variants of a case are one job. With --load, each number of nodes is a job as well; cases are then listed only
/// where they are named. In JSON, "command" is what follows "kubeclash", quoted for a shell, "args" the same without the verb,
/// and each component has its own field.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash matrix --spec old: --spec new:scheduler=image:me/scheduler:pr-12\n  \
                  kubeclash matrix --load 100,1000 --spec old: --spec new:apiserver=path:./kube-apiserver\n  \
                  echo \"jobs=$(kubeclash matrix --format github)\" >> \"$GITHUB_OUTPUT\"\n\n  \
                  strategy:\n    matrix: ${{ fromJSON(needs.list.outputs.jobs) }}\n  \
                  …\n    run: kubeclash ${{ matrix.command }}\n\n\
                  Instead of a matrix of arms, a job can run a part of them: kubeclash run --shard 2/5. Every arm is in\n\
                  exactly one part. A part that is empty, as there are fewer arms than parts, is no error: exit code 0."
)]
pub struct MatrixArgs {
    /// Which arms
    #[command(flatten)]
    pub arms: ArmFlags,
    /// A load test of so many nodes each
    #[arg(long, value_name = "NODES", value_delimiter = ',', value_parser = nodes)]
    pub load: Vec<usize>,
    /// A set of specs, NAME:COMPONENT=SPEC,…; can be given several times [default: one without a name, the defaults]
    #[arg(long = "spec", value_name = "SET", value_parser = |text: &str| text.parse::<SpecSet>())]
    pub specs: Vec<SpecSet>,
    /// Only one of several parts
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE, hide_default_value = true)]
    pub shard: Shard,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = MatrixFormat::Text)]
    pub format: MatrixFormat,
}

/// A number of nodes for which there is a profile.
fn nodes(text: &str) -> Result<usize, String> {
    let nodes = text
        .parse()
        .map_err(|_| "it must be a number of nodes, as in 100".to_owned())?;
    Profile::of(nodes).map_err(|error| error.to_string())?;
    Ok(nodes)
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
    what: What,
    set: Option<&'a SpecSet>,
    weight: u64,
    /// Where its case is found.
    cases: CasesFlags,
}

/// What a job runs.
#[derive(Debug, Clone)]
enum What {
    /// An arm of a case, with all its variants.
    Arm { case: Case, arm: Arm },
    /// A load test.
    Load { nodes: usize },
}

impl What {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Arm { case, arm },
                Self::Arm {
                    case: theirs,
                    arm: other,
                },
            ) => case == theirs && arm == other,
            (Self::Load { nodes }, Self::Load { nodes: other }) => nodes == other,
            _ => false,
        }
    }
}

/// A job as it is printed.
pub(super) struct Listed {
    /// What it is called in a list: `c5 broken, new`.
    pub(super) name: String,
    /// What follows `kubeclash`.
    pub(super) command: Vec<String>,
    /// What else there is of it.
    pub(super) more: Map<String, Value>,
}

/// Lists the jobs.
///
/// # Errors
/// When a word calls no case, two sets have one name, or there are more jobs than a matrix can have.
pub fn run(args: &MatrixArgs, progress: &Progress) -> Result<(), Failure> {
    for (at, set) in args.specs.iter().enumerate() {
        if args.specs[..at].iter().any(|before| before.name == set.name) {
            let message = format!("two sets are called \"{}\"", set.name);
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    let policies: Vec<Policy> = args.specs.iter().filter_map(SpecSet::policy).collect();
    notes::of_policies(&policies, progress);
    let all = jobs(args)?;
    let of = all.len();
    let mine = args.shard.of(all, |job| job.weight);
    if mine.is_empty() {
        progress.println(format!("shard {} is empty: there are {of} jobs", args.shard));
    }
    print(args.format, &mine.iter().map(Job::listed).collect::<Vec<_>>())
}

/// Prints jobs.
///
/// # Errors
/// When there are more than a matrix can have.
pub(super) fn print(format: MatrixFormat, jobs: &[Listed]) -> Result<(), Failure> {
    match format {
        MatrixFormat::Text => {
            for job in jobs {
                super::say(&format!("{:<40}  kubeclash {}\n", job.name, line(&job.command)));
            }
        }
        MatrixFormat::Json => {
            for job in jobs {
                super::say(&format!("{}\n", job.object()));
            }
        }
        MatrixFormat::Github if jobs.len() > GITHUB_JOBS => {
            return Err(Failure::with_help(
                exit::USAGE,
                format!(
                    "{} jobs, and a matrix of GitHub has {GITHUB_JOBS} at most",
                    jobs.len()
                ),
                Some("choose cases or arms, or a part of them with --shard K/N".to_owned()),
            ));
        }
        MatrixFormat::Github => {
            let include: Vec<Value> = jobs.iter().map(Listed::object).collect();
            super::say(&format!("{}\n", json!({ "include": include })));
        }
    }
    Ok(())
}

/// The jobs of all sets; the variants of an arm are one.
fn jobs(args: &MatrixArgs) -> Result<Vec<Job<'_>>, Failure> {
    let sets: Vec<Option<&SpecSet>> = match args.specs.as_slice() {
        [] => vec![None],
        sets => sets.iter().map(Some).collect(),
    };
    let cases_are_meant = args.load.is_empty() || !args.arms.cases.is_empty();
    let selected: Vec<Selected> = if cases_are_meant {
        args.arms.selected(&args.arms.library()?)?
    } else {
        Vec::new()
    };
    for set in &args.specs {
        set.fits(selected.iter().map(|chosen| &chosen.case))?;
    }
    let arms = selected.into_iter().map(|chosen| {
        let weight = chosen.weight();
        let Selected { case, id } = chosen;
        (What::Arm { case, arm: id.arm }, weight)
    });
    let loads = args
        .load
        .iter()
        .map(|&nodes| (What::Load { nodes }, seconds(nodes)));
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (what, weight) in arms.chain(loads) {
        for &set in &sets {
            match jobs.iter_mut().find(|job| job.what.is(&what) && job.set == set) {
                Some(job) => job.weight += weight,
                None => jobs.push(Job {
                    what: what.clone(),
                    set,
                    weight,
                    cases: args.arms.found_in(),
                }),
            }
        }
    }
    Ok(jobs)
}

/// About how long a load test takes on two cores: what docs/scale.md has of 100 to 5,000 nodes, as a line.
fn seconds(nodes: usize) -> u64 {
    45 + nodes as u64 * 32 / 1_000
}

impl Job<'_> {
    /// Its name in a list of jobs: `c5 broken, new`.
    fn name(&self) -> String {
        let set = self.set.map_or_else(String::new, |set| format!(", {}", set.name));
        match &self.what {
            What::Arm { case, arm } => format!("{} {arm}{set}", case.id()),
            What::Load { nodes } => format!("load {nodes}{set}"),
        }
    }

    /// What the verb takes for it.
    fn arguments(&self) -> Vec<String> {
        let own = match &self.what {
            What::Arm { case, arm } => {
                let own = [case.folder().to_owned(), "--arm".to_owned(), arm.to_string()];
                own.into_iter().chain(self.cases.arguments()).collect()
            }
            What::Load { nodes } => ["--nodes".to_owned(), nodes.to_string()].to_vec(),
        };
        own.into_iter().chain(specs::arguments(&self.said())).collect()
    }

    /// What its set says of it.
    fn said(&self) -> Vec<(&'static str, String)> {
        let case = match &self.what {
            What::Arm { case, .. } => Some(case),
            What::Load { .. } => None,
        };
        self.set.map(|set| set.of_case(case)).unwrap_or_default()
    }

    fn listed(&self) -> Listed {
        let verb = match self.what {
            What::Arm { .. } => "run",
            What::Load { .. } => "load",
        };
        let mut more = Map::new();
        let mut put = |key: &str, value: Value| drop(more.insert(key.to_owned(), value));
        match &self.what {
            What::Arm { case, arm } => {
                put("case", case.folder().into());
                put("id", case.id().into());
                put("arm", arm.to_string().into());
            }
            What::Load { nodes } => {
                put("id", format!("load-{nodes}").into());
                put("nodes", (*nodes).into());
            }
        }
        put("spec", self.set.map_or("", |set| &set.name).into());
        put("args", line(&self.arguments()).into());
        put("weight", self.weight.into());
        for (key, value) in self.said() {
            let field = key.replace('-', "_");
            // Of several controllers each has its say.
            let before = more
                .get(&field)
                .and_then(Value::as_str)
                .map(|before| format!("{before},"));
            more.insert(field, format!("{}{value}", before.unwrap_or_default()).into());
        }
        Listed {
            name: self.name(),
            command: std::iter::once(verb.to_owned()).chain(self.arguments()).collect(),
            more,
        }
    }
}

impl Listed {
    fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("name".to_owned(), self.name.clone().into());
        object.insert("verb".to_owned(), self.command[0].clone().into());
        object.insert("command".to_owned(), line(&self.command).into());
        object.extend(self.more.clone());
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
        let listed = jobs(&args).unwrap();
        listed.iter().map(|job| job.listed().object()).collect()
    }

    #[test]
    fn there_is_a_job_for_each_case_arm_and_set() {
        let all = objects(&[]);
        assert_eq!(all.len(), 2 * crate::cases::Library::builtin().iter().count());
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
                "name": "c5 broken, new", "verb": "run",
                "command": "run c5_remove_duplicates_loop --arm broken --scheduler 'path:./it'\\''s' --kwok v0.8.0",
                "case": "c5_remove_duplicates_loop", "id": "c5", "arm": "broken", "spec": "new",
                "args": "c5_remove_duplicates_loop --arm broken --scheduler 'path:./it'\\''s' --kwok v0.8.0",
                "weight": 65, "scheduler": "path:./it's", "kwok": "v0.8.0",
            })
        );
    }

    #[test]
    fn load_tests_are_jobs_and_cases_beside_them_only_where_they_are_named() {
        let loads = objects(&[
            "--load",
            "100,5000",
            "--spec",
            "old:",
            "--spec",
            "new:etcd=v3.5.0",
        ]);
        let commands: Vec<&str> = loads.iter().filter_map(|job| job["command"].as_str()).collect();
        assert_eq!(
            commands,
            [
                "load --nodes 100",
                "load --nodes 100 --etcd v3.5.0",
                "load --nodes 5000",
                "load --nodes 5000 --etcd v3.5.0",
            ]
        );
        assert_eq!(loads[3]["name"], "load 5000, new");
        assert!(loads[3]["weight"].as_u64() > loads[0]["weight"].as_u64());
        assert_eq!(objects(&["c7", "--load", "100"]).len(), 3);
        assert!(<Line as clap::Parser>::try_parse_from(["matrix", "--load", "many"]).is_err());
    }

    #[test]
    fn what_is_listed_can_be_run() {
        let words = [
            "--load",
            "100",
            "*",
            "--spec",
            "old:",
            "--spec",
            "new:scheduler=path:./it's",
        ];
        let jobs = objects(&words);
        assert_eq!(
            jobs.len(),
            2 * (2 * crate::cases::Library::builtin().iter().count() + 1)
        );
        for job in jobs {
            let command = shlex::split(job["command"].as_str().unwrap()).unwrap();
            let words = std::iter::once("kubeclash".to_owned()).chain(command);
            <crate::cli::Cli as clap::Parser>::try_parse_from(words).unwrap_or_else(|e| panic!("{e}"));
        }
    }

    #[test]
    fn a_job_finds_a_case_that_was_named_by_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("x1_mine");
        std::fs::create_dir(&folder).unwrap();
        for (file, text) in crate::case::template::files("x1") {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let folder = folder.display().to_string();
        let jobs = objects(&[&folder, "--arm", "broken"]);
        assert_eq!(jobs[0]["name"], "x1 broken");
        let command = format!("run x1_mine --arm broken --cases {folder}");
        assert_eq!(jobs[0]["command"], command);
    }

    #[test]
    fn an_arm_weighs_as_long_as_it_watches_and_variants_add_up() {
        let weight = |case: &str, arm: &str| objects(&[case, "--arm", arm])[0]["weight"].as_u64().unwrap();
        assert!(weight("c5", "control") > weight("c5", "broken"));
        let one = args(&["c3", "--arm", "broken"])
            .arms
            .selected(&crate::cases::Library::builtin())
            .unwrap()[0]
            .weight();
        assert_eq!(weight("c3", "broken"), 2 * one);
    }
}
