//! `kubeclash classify`: whether the issue is in logs, by signatures.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Failure;
use crate::exit;
use crate::report::{Style, classification, signatures};
use kubeclash_host::progress::Progress;
use kubeclash_logs::{Classification, Classifier, Inputs, Rules, StepName};
use kubeclash_timeline::{Label, LoadStep};

const EXAMPLES: &str = "\
Examples:
  kubeclash classify logs/                                a folder with all that is below it
  kubeclash classify nohup.out kubelet.log-2020*.gz kube-apiserver.log etcd.log
  journalctl -u kubelet | kubeclash classify - --without no-load-log --without no-apiserver-log
  kubeclash classify target/evidence/<case>/<arm>/<run> --format json | jq .reached
  kubeclash classify logs/ --past 7 --expect green        exit code 0 if it is so, 3 if not
  kubeclash classify logs/ --rules my-signatures/         adds to the signatures, replaces those of the same name
  kubeclash classify logs/ --past 'Create Sandboxes'      a step of a load test of one's own
  kubeclash classify --list                               what is looked for

Exit codes:
  0 green, or as expected     3 red, or not as expected     4 nothing to read     5 black";

/// Say of anybody's logs whether the issue is in them: red, green or black.
///
/// The issue is that of the load test whose API server is killed by the kubelet, and starts requests that it can't end.
/// Logs are those of the API server, the kubelet, etcd and the load tool: klog text or JSON, plain, gzip or zstd, rotated
/// or not. What they come to is green (the issue is not found), red (it is found) or black (the run does not fit, and
/// why). Signatures, and what makes a run black, are data.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ClassifyArgs {
    /// Logs, folders of logs, or - for standard input
    #[arg(value_name = "PATH", required_unless_present = "list")]
    pub paths: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ClassifyFormat::Text)]
    pub format: ClassifyFormat,
    /// A file or a folder of *.yaml with more signatures and rules; what is called the same takes the place of what is
    /// there
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Leaves a signature or a black rule out, by its name
    #[arg(long, value_name = "ID")]
    pub without: Vec<String>,
    /// The step that a run without the issue must have got past to be green: by number or name, or by the name of a step of
    /// your own load test; 5 if nothing is said
    #[arg(long, value_name = "STEP", value_parser = step)]
    pub past: Option<StepName>,
    /// The label that it should come to
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub expect: Option<Label>,
    /// Lists the signatures and the rules instead
    #[arg(long)]
    pub list: bool,
}

/// How a classification is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClassifyFormat {
    /// For people.
    Text,
    /// One JSON object on one line; with --list one a line.
    Json,
    /// Markdown.
    Markdown,
}

fn step(text: &str) -> Result<StepName, String> {
    let Ok(number) = text.parse::<usize>() else {
        return match text.to_owned().into() {
            StepName::Own(name) if name.is_empty() => Err("it names no step".to_owned()),
            name => Ok(name),
        };
    };
    let step = LoadStep::ALL.into_iter().find(|step| step.number() == number);
    step.map(StepName::Standard).ok_or_else(|| {
        format!("no step of the load test is called \"{text}\"; they are numbered from 1 to 13")
    })
}

fn label(text: &str) -> Result<Label, String> {
    serde_json::from_value(json!(text)).map_err(|_| "it is \"green\", \"red\" or \"black\"".to_owned())
}

/// Classifies, and prints what came of it; gives the exit code.
///
/// # Errors
/// When rules are wrong, or nothing can be read.
pub async fn run(args: ClassifyArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    let rules = rules(&args)?;
    if args.list {
        super::say(&match args.format {
            ClassifyFormat::Text => signatures::text(&rules, style),
            ClassifyFormat::Json => signatures::json(&rules),
            ClassifyFormat::Markdown => signatures::markdown(&rules),
        });
        return Ok(exit::EXPECTED);
    }
    let classifier = Classifier::new(rules).map_err(|e| Failure::new(exit::USAGE, e.to_string()))?;
    let (paths, bars) = (args.paths.clone(), progress.clone());
    // It reads for minutes where there is much; Ctrl-C must get through.
    let work = tokio::task::spawn_blocking(move || classifier.classify_inputs(Inputs::at(&paths), &bars));
    let classified = work
        .await
        .map_err(|e| Failure::new(exit::ERROR, format!("it broke off: {e}")))?;
    if classified.logs.is_empty() {
        return Err(nothing(&classified));
    }
    super::say(&match args.format {
        ClassifyFormat::Text => classification::text(&classified, style),
        ClassifyFormat::Json => format!("{}\n", json!(classified)),
        ClassifyFormat::Markdown => classification::markdown(&classified),
    });
    Ok(match (args.expect, classified.label) {
        (Some(expected), label) if expected == label => exit::EXPECTED,
        (None, Label::Green) => exit::EXPECTED,
        (Some(_), _) | (None, Label::Red) => exit::DIFFERED,
        (None, Label::Black) => exit::INCONCLUSIVE,
    })
}

fn rules(args: &ClassifyArgs) -> Result<Rules, Failure> {
    let wrong = |e: kubeclash_logs::RulesError| Failure::new(exit::USAGE, e.to_string());
    let mut rules = Rules::embedded().map_err(wrong)?;
    for path in &args.rules {
        rules = rules.with(path).map_err(wrong)?;
    }
    if let Some(step) = &args.past {
        rules.past(step);
    }
    for id in &args.without {
        if !rules.remove(id) {
            let help = Some("\"kubeclash classify --list\" names them".to_owned());
            let message = format!("--without: no signature and no rule is called \"{id}\"");
            return Err(Failure::with_help(exit::USAGE, message, help));
        }
    }
    Ok(rules)
}

fn nothing(classified: &Classification) -> Failure {
    let unread = classified.unread.iter().take(20);
    let mut message = "there is nothing to read".to_owned();
    message.extend(unread.map(|file| format!("\n\"{}\": {}", file.path.display(), file.why)));
    let help = (!classified.passed_over.is_empty()).then(|| {
        let count = classified.passed_over.len();
        format!("{count} files are no logs by their names or contents; what is named by itself is read all the same")
    });
    Failure::with_help(exit::NOTHING, message, help)
}
