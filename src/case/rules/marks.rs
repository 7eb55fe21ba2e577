//! The marks of a case, and what refers to them.

use super::super::mistake::Flaw;
use super::super::tree::Node;
use super::steps_of;

/// The marks that are there without being put.
const BUILT_IN: [&str; 3] = ["applied", "started", "end"];

/// The marks of one arm, each with the number of its step.
#[derive(Debug)]
pub(super) struct Marks {
    steps: Vec<(String, usize)>,
}

impl Marks {
    /// The marks of an arm. One that is put twice is a mistake.
    pub(super) fn of(case: &Node, flaws: &mut Vec<Flaw>) -> Self {
        let mut marks = Self { steps: Vec::new() };
        let steps = steps_of(case);
        let first = |verbs: &[&str]| {
            let is_one = |step: &Node| verbs.iter().any(|verb| step.get(verb).is_some());
            steps.iter().position(is_one)
        };
        marks
            .steps
            .extend(first(&["apply"]).map(|at| ("applied".to_owned(), at)));
        marks
            .steps
            .extend(first(&["start", "descheduler"]).map(|at| ("started".to_owned(), at)));
        marks.steps.push(("end".to_owned(), usize::MAX));
        for (at, step) in steps.iter().enumerate() {
            let Some(mark) = step.get("mark") else { continue };
            let Some(name) = mark.text() else { continue };
            if BUILT_IN.contains(&name) {
                flaws.push(mark.flaw(format!("\"{name}\" is a mark that is there without being put")));
            } else if marks.rank(name).is_some() {
                flaws.push(mark.flaw(format!("the mark \"{name}\" is put a second time")));
            } else {
                marks.steps.push((name.to_owned(), at));
            }
        }
        marks
    }

    fn rank(&self, name: &str) -> Option<usize> {
        let found = self.steps.iter().find(|(mark, _)| mark == name);
        found.map(|(_, at)| *at)
    }

    /// Tells of marks between which something is claimed: they must be there, and in this order.
    pub(super) fn check(&self, claim: &Node, flaws: &mut Vec<Flaw>) {
        let mut find = |field: &str| {
            let node = claim.get(field)?;
            let name = node.text()?;
            let rank = self.rank(name);
            if rank.is_none() {
                flaws.push(self.unknown(node, name));
            }
            rank.map(|rank| (rank, name))
        };
        let since = find("since").or_else(|| find("from"));
        let until = find("to");
        if let (Some((from, first)), Some((to, last)), Some(node)) = (since, until, claim.get("to"))
            && from >= to
        {
            flaws.push(node.flaw(format!("the mark \"{last}\" does not come after \"{first}\"")));
        }
    }

    fn unknown(&self, node: &Node, name: &str) -> Flaw {
        let flaw = node.flaw(match name {
            "applied" => "nothing is applied, so there is no mark \"applied\"".to_owned(),
            "started" => {
                "no descheduler or controller is started, so there is no mark \"started\"".to_owned()
            }
            _ => format!("no step puts a mark \"{name}\""),
        });
        let known = self.steps.iter().map(|(mark, _)| mark);
        let all: Vec<&str> = self.steps.iter().map(|(mark, _)| mark.as_str()).collect();
        flaw.nearest(name, known)
            .help(format!("there is {}", all.join(", ")))
    }
}
