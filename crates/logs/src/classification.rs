//! What logs come to: the values that output is made of. Field names are part of the interface.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::calendar::YearFrom;
use super::inputs::PassedOver;
use super::judge::{Judged, Logs, explained, found, judge};
use super::origin::KnownBy;
use super::rules::{Rules, Severity};
use super::source::Packed;
use super::step::StepSeen;
use super::tally::{Findings, Place, path_text, shown};
use kubeclash_timeline::{Label, LoadStep, Verdict};

/// The version of the JSON output.
const VERSION: u32 = 1;

/// What logs come to.
#[derive(Debug, Clone, Serialize)]
pub struct Classification {
    /// The version of this form.
    pub classification: u32,
    /// `reproduced`, `absent` or `inconclusive`.
    pub verdict: String,
    /// The same as a colour of the second seed.
    pub label: Label,
    /// What the label means, in the seed's words.
    pub meaning: String,
    /// Why it is this label.
    pub why: String,
    /// The black rules that hold, in order.
    pub black: Vec<String>,
    /// The red signatures that were found, the earliest first.
    pub red: Vec<String>,
    /// The last step of the load test that began.
    pub reached: Option<ReachedStep>,
    /// The steps that were seen, in order.
    pub steps: Vec<StepSeen>,
    /// Steps that are none of the standard load test, in the order in which they began.
    pub other_steps: Vec<String>,
    /// Every signature, whether it was found or not.
    pub signatures: Vec<Found>,
    /// How many lines there are by component.
    pub lines_by_component: BTreeMap<String, u64>,
    /// Every log that was read, in order.
    pub logs: Vec<LogRead>,
    /// What could not be read to its end, and why.
    pub unread: Vec<PassedOver>,
    /// What was not read, as it is no log.
    pub passed_over: Vec<PassedOver>,
    /// Bytes that were looked at, unpacked.
    pub bytes: u64,
    /// Lines that were looked at.
    pub lines: u64,
}

/// The last step that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReachedStep {
    /// Its place, counted from 1.
    pub number: usize,
    /// Its name.
    pub name: LoadStep,
    /// Whether it ended as well.
    pub complete: bool,
}

/// What was seen of a signature.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Its name.
    pub id: String,
    /// What it says of a run.
    pub severity: Severity,
    /// Whether it is in as many lines as it takes.
    pub found: bool,
    /// How often: in how many lines, where none stands for several, as a row of a table of events does.
    pub count: u64,
    /// In how many lines.
    pub lines: u64,
    /// How many of them other signatures explain.
    pub explained: u64,
    /// How many it takes, of those that nothing explains.
    pub at_least: u64,
    /// What it means.
    pub meaning: String,
    /// The first line, in time.
    pub first: Option<Place>,
    /// The last line, in time.
    pub last: Option<Place>,
    /// The text of the first line, or a part of it.
    pub excerpt: Option<String>,
    /// How many lines by the prefix of the key that they are about; of those that name one.
    pub by_prefix: BTreeMap<String, u64>,
}

/// A log that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRead {
    /// The file, or `-` for standard input.
    #[serde(serialize_with = "path_text")]
    pub path: PathBuf,
    /// Whose log it is; `None` where nothing says so.
    pub component: Option<String>,
    /// How that is known. In a log that is known by its name only that component's signatures were looked for, in
    /// others all.
    pub known_by: Option<KnownBy>,
    /// How it is packed.
    pub packed: Packed,
    /// Where the year of its times is from, for those that have none.
    pub year_from: YearFrom,
    /// The zone of its times, as a line of it says, by which they were brought to UTC; `None` where they were taken as they are.
    pub zone: Option<String>,
    /// Bytes that were looked at, unpacked.
    pub bytes: u64,
    /// Lines that were looked at.
    pub lines: u64,
    /// How often any signature was found.
    pub hits: u64,
    /// What was odd about it, in words.
    pub note: Option<String>,
}

/// What was gathered before there is a verdict.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) logs: Vec<LogRead>,
    pub(crate) unread: Vec<PassedOver>,
    pub(crate) passed_over: Vec<PassedOver>,
}

impl Classification {
    /// Judges what was gathered.
    pub(crate) fn of(rules: &Rules, findings: &Findings, gathered: Gathered) -> Self {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for log in &gathered.logs {
            let component = log.component.clone().unwrap_or_else(|| "unknown".to_owned());
            *lines.entry(component).or_default() += log.lines;
        }
        let unread = gathered.unread.iter();
        let logs = Logs {
            lines,
            unread: unread
                .map(|file| format!("{}: {}", shown(&file.path), file.why))
                .collect(),
        };
        let Judged {
            verdict,
            why,
            black,
            red,
        } = judge(rules, findings, &logs);
        let label = Label::of(&verdict);
        let reached = findings.steps().last().map(|step| ReachedStep {
            number: step.number,
            name: step.name,
            complete: step.complete,
        });
        Self {
            classification: VERSION,
            verdict: verdict.name().to_owned(),
            label,
            meaning: label.meaning().to_owned(),
            why,
            black,
            red,
            reached,
            steps: findings.steps().collect(),
            other_steps: findings.other_steps().into_iter().map(str::to_owned).collect(),
            signatures: (0..rules.signatures.len())
                .map(|at| Found::of(rules, findings, at))
                .collect(),
            lines_by_component: logs.lines,
            bytes: gathered.logs.iter().map(|log| log.bytes).sum(),
            lines: gathered.logs.iter().map(|log| log.lines).sum(),
            logs: gathered.logs,
            unread: gathered.unread,
            passed_over: gathered.passed_over,
        }
    }

    /// The verdict as a value.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.label {
            Label::Green => Verdict::Absent,
            Label::Red => Verdict::Reproduced,
            Label::Black => Verdict::Inconclusive(self.why.clone()),
        }
    }

    /// What was seen of a signature, by its name.
    #[must_use]
    pub fn signature(&self, id: &str) -> Option<&Found> {
        self.signatures.iter().find(|found| found.id == id)
    }
}

impl Found {
    fn of(rules: &Rules, findings: &Findings, at: usize) -> Self {
        let (signature, tally) = (&rules.signatures[at], findings.tally(at));
        let (first, excerpt) = tally.first.clone().unzip();
        Self {
            id: signature.id.clone(),
            severity: signature.severity,
            found: found(rules, findings, at),
            count: tally.count,
            lines: tally.lines,
            explained: explained(rules, findings, at),
            at_least: signature.at_least,
            meaning: signature.meaning.clone(),
            first,
            last: tally.last.clone(),
            excerpt,
            by_prefix: tally.by_prefix.clone(),
        }
    }
}
