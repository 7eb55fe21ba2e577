//! A diary in Markdown, taken apart: what all runs have in common, and a section a run with its fields.
//!
//! ````text
//! ### Common Test Setup …        - 5000 nodes        - Env: …
//! ### Build Date: 06/18 - …      - Verdict: ![…](…)  - Commit: …  - Date of run: …  - Result:
//!                                                                                     - a sentence
//! ````
//!
//! Headings within code fences are none. Whatever is no field of a run stays in its text.

/// The fields of a run, as diaries call them.
const KEYS: [&str; 8] = [
    "Verdict",
    "Commit",
    "Runner",
    "Date of run",
    "Test",
    "Env",
    "Cmd",
    "Result",
];

/// What a heading of a run begins with.
pub(super) const RUN: &str = "Build Date:";

/// What the heading begins with under which stands what all runs have in common.
const COMMON: &str = "Common Test Setup";

/// A diary.
#[derive(Debug, Default)]
pub(super) struct Diary {
    /// What all runs have in common.
    pub(super) common: Section,
    /// The runs.
    pub(super) runs: Vec<Section>,
}

/// What stands below a heading.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// The heading's line, counted from 1.
    pub(super) line: usize,
    /// What the heading says, without what it begins with.
    pub(super) heading: String,
    /// What stands below it, word for word.
    pub(super) text: String,
    fields: Vec<Field>,
    /// The items of its list that are no fields.
    pub(super) items: Vec<String>,
}

/// `- Key: value`, and the lines that belong to it.
#[derive(Debug)]
struct Field {
    key: &'static str,
    line: usize,
    value: String,
}

impl Section {
    /// A field's value, without space around it; nothing where that is all there is.
    pub(super) fn field(&self, key: &str) -> Option<&str> {
        self.place(key).map(|(value, _)| value)
    }

    /// A field's value, and its line.
    pub(super) fn place(&self, key: &str) -> Option<(&str, usize)> {
        let field = self.fields.iter().find(|field| field.key == key)?;
        let value = field.value.trim();
        (!value.is_empty()).then_some((value, field.line))
    }
}

/// Takes a diary apart.
pub(super) fn read(text: &str) -> Diary {
    let mut diary = Diary::default();
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut open: Option<(bool, Section)> = None;
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        match heading(line).filter(|_| !fenced) {
            None => lines.push((at + 1, line)),
            Some(said) => {
                close(&mut diary, open.take(), &lines);
                lines.clear();
                let run = after(said, RUN);
                let is_run = run.is_some();
                open = run
                    .or_else(|| after(said, COMMON))
                    .map(|heading| (is_run, section(at + 1, heading)));
            }
        }
    }
    close(&mut diary, open, &lines);
    diary
}

fn section(line: usize, heading: &str) -> Section {
    Section {
        line,
        heading: heading.trim().to_owned(),
        ..Section::default()
    }
}

fn close(diary: &mut Diary, open: Option<(bool, Section)>, lines: &[(usize, &str)]) {
    let Some((is_run, mut section)) = open else {
        return;
    };
    fill(&mut section, lines);
    if is_run {
        diary.runs.push(section);
    } else {
        diary.common = section;
    }
}

fn fill(section: &mut Section, lines: &[(usize, &str)]) {
    let text: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
    text.join("\n").trim_end().clone_into(&mut section.text);
    // Whether what comes goes on with a field, or with nothing that is of interest.
    let mut of_field = false;
    for (number, line) in lines {
        match item(line) {
            Some(said) => match field(said) {
                Some((key, value)) => {
                    of_field = true;
                    section.fields.push(Field {
                        key,
                        line: *number,
                        value: value.to_owned(),
                    });
                }
                None => {
                    of_field = false;
                    section.items.push(said.trim().to_owned());
                }
            },
            None => {
                if let (true, Some(field)) = (of_field, section.fields.last_mut()) {
                    field.value.push('\n');
                    field.value.push_str(line);
                }
            }
        }
    }
}

/// What a heading says: up to three spaces, up to six #.
fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ');
    let said = rest.trim_start_matches('#');
    let (indent, marks) = (line.len() - rest.len(), rest.len() - said.len());
    (indent <= 3 && (1..=6).contains(&marks) && said.starts_with([' ', '\t'])).then(|| said.trim())
}

fn after<'a>(said: &'a str, start: &str) -> Option<&'a str> {
    let begin = said.get(..start.len())?;
    begin.eq_ignore_ascii_case(start).then(|| &said[start.len()..])
}

/// What an item of the outermost list says.
fn item(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(' ').unwrap_or(line);
    rest.strip_prefix(['-', '*', '+'])?.strip_prefix(' ')
}

fn field(said: &str) -> Option<(&'static str, &str)> {
    let (key, value) = said.split_once(':')?;
    let known = KEYS
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(key.trim()))?;
    Some((known, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_with_the_lines_that_belong_to_them() {
        let diary = read(
            "### Common Test Setup (see below)\n- 5000 nodes\n- Cmd: \nGOPATH=x run\n\n```\n### Build Date: no\n```\n \
             ### Build Date: 06/25 re-run \n- Commit: abc\n- Date of run:\n- Result:\n  - Test: fine\n  - b\n### Other\n- Runner: x\n",
        );
        assert_eq!(diary.common.items, ["5000 nodes"]);
        assert_eq!(
            diary.common.field("Cmd"),
            Some("GOPATH=x run\n\n```\n### Build Date: no\n```")
        );
        let [run] = &diary.runs[..] else {
            panic!("{diary:?}")
        };
        assert_eq!((run.line, run.heading.as_str()), (9, "06/25 re-run"));
        assert_eq!(run.place("Commit"), Some(("abc", 10)));
        assert_eq!(run.field("Date of run"), None);
        assert_eq!(run.field("Result"), Some("- Test: fine\n  - b"));
        assert_eq!(run.field("Runner"), None);
    }
}
