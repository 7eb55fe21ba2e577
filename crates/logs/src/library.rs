//! The files of signatures: embedded in the crate, with what a user adds to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::Value;

use super::pattern::Pattern;
use super::rules::{BlackRule, Component, Rules, Severity, Signature};
use kubeclash_host::yaml;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/signatures");

/// What is wrong with files of signatures: one sentence a mistake, with file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signatures can't be used:\n{}", .0.join("\n"))]
pub struct RulesError(pub Vec<String>);

/// A signature as a file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    #[serde(default)]
    component: Vec<String>,
    versions: Option<String>,
    severity: Severity,
    #[serde(default = "one")]
    at_least: u64,
    #[serde(default)]
    less: Vec<String>,
    pattern: String,
    meaning: String,
    source: String,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    not: Vec<String>,
}

fn one() -> u64 {
    1
}

impl Rules {
    /// What kubeclash comes with: the issue of the second seed.
    ///
    /// # Errors
    /// Never, as a test reads them; the type is that of [`Rules::with`].
    pub fn embedded() -> Result<Self, RulesError> {
        let files = EMBEDDED.files().map(|file| {
            let name = Path::new("signatures").join(file.path());
            let text = file.contents_utf8().unwrap_or_default();
            (name, text.to_owned())
        });
        Self::default().joined(files.collect())
    }

    /// These with those of a file, or of the `*.yaml` of a folder; what is called the same takes the place of what was there.
    ///
    /// # Errors
    /// All mistakes of all files together.
    pub fn with(self, path: &Path) -> Result<Self, RulesError> {
        let unreadable = |path: &Path, e: std::io::Error| {
            RulesError(vec![format!("{}: can't be read: {e}", path.display())])
        };
        let mut files = BTreeMap::new();
        if path.is_dir() {
            for entry in fs::read_dir(path).map_err(|e| unreadable(path, e))?.flatten() {
                let file = entry.path();
                if file.extension().is_some_and(|end| end == "yaml" || end == "yml") {
                    let text = fs::read_to_string(&file).map_err(|e| unreadable(&file, e))?;
                    files.insert(file, text);
                }
            }
            if files.is_empty() {
                return Err(RulesError(vec![format!("{}: no *.yaml in it", path.display())]));
            }
        } else {
            let text = fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
            files.insert(path.to_owned(), text);
        }
        self.joined(files)
    }

    fn joined(mut self, files: BTreeMap<PathBuf, String>) -> Result<Self, RulesError> {
        let mut mistakes = Vec::new();
        for (file, text) in &files {
            let (rules, wrong) = read(&file.display().to_string(), text);
            self.add(rules);
            mistakes.extend(wrong);
        }
        if mistakes.is_empty() {
            for (id, what) in self.loose_ends() {
                let at = files
                    .iter()
                    .find_map(|(file, text)| Some((file, entry_line(text, &id)?)));
                mistakes.push(match at {
                    Some((file, line)) => format!("{}:{line}: {id}: {what}", file.display()),
                    None => format!("{id}: {what}"),
                });
            }
        }
        if mistakes.is_empty() {
            Ok(self)
        } else {
            Err(RulesError(mistakes))
        }
    }
}

/// The entries of one file, and what is wrong with the others.
fn read(file: &str, text: &str) -> (Rules, Vec<String>) {
    let mut rules = Rules::default();
    let mut mistakes = Vec::new();
    for (first, document) in yaml::documents(text) {
        match document {
            Ok(Value::Object(parts)) => {
                for (part, entries) in parts {
                    let line = yaml::line_of(text, &part).unwrap_or(first);
                    let Value::Array(entries) = entries else {
                        mistakes.push(format!("{file}:{line}: {part}: expected a list"));
                        continue;
                    };
                    for entry in entries {
                        let id = entry["id"].as_str().unwrap_or_default().to_owned();
                        let line = entry_line(text, &id).unwrap_or(line);
                        if let Err(what) = rules.read(&part, entry) {
                            let id = if id.is_empty() { &part } else { &id };
                            mistakes.push(format!("{file}:{line}: {id}: {what}"));
                        }
                    }
                }
            }
            Ok(_) => mistakes.push(format!(
                "{file}:{first}: expected signatures, components or black"
            )),
            Err(e) => mistakes.push(format!("{file}:{}: not YAML: {e}", e.line.unwrap_or(first))),
        }
    }
    (rules, mistakes)
}

impl Rules {
    fn read(&mut self, part: &str, entry: Value) -> Result<(), String> {
        let name = entry["id"].as_str().unwrap_or_default();
        let fits = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
        if name.is_empty() || !name.chars().all(fits) {
            return Err("id: expected small letters, digits and hyphens".to_owned());
        }
        let wrong = |e: serde_json::Error| e.to_string();
        let mut one = Self::default();
        match part {
            "components" => one.components.push(Component::deserialize(entry).map_err(wrong)?),
            "black" => {
                let rule = BlackRule::deserialize(entry).map_err(wrong)?;
                if rule.when.is_empty() {
                    return Err("when: expected at least one condition".to_owned());
                }
                one.black.push(rule);
            }
            "signatures" => one
                .signatures
                .push(signature(Written::deserialize(entry).map_err(wrong)?)?),
            _ => return Err("expected signatures, components or black".to_owned()),
        }
        let twice = |mine: &[&String], new: &[&String]| new.iter().any(|id| mine.contains(id));
        let ids = |rules: &Self| -> [Vec<String>; 3] {
            [
                rules.components.iter().map(|c| c.id.clone()).collect(),
                rules.signatures.iter().map(|s| s.id.clone()).collect(),
                rules.black.iter().map(|b| b.id.clone()).collect(),
            ]
        };
        for (mine, new) in ids(self).iter().zip(&ids(&one)) {
            if twice(&mine.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>()) {
                return Err("the name is taken by another entry of this file".to_owned());
            }
        }
        self.add(one);
        Ok(())
    }
}

/// A signature whose pattern can be used, and says of its own examples what they say.
fn signature(written: Written) -> Result<Signature, String> {
    let versions = written.versions.as_deref().map(semver::VersionReq::parse);
    let signature = Signature {
        pattern: Pattern::new(&written.pattern).map_err(|e| format!("pattern: {e}"))?,
        versions: versions.transpose().map_err(|e| format!("versions: {e}"))?,
        id: written.id,
        component: written.component,
        severity: written.severity,
        at_least: written.at_least.max(1),
        less: written.less,
        meaning: written.meaning,
        source: written.source,
        examples: written.examples,
        not: written.not,
    };
    let regex = signature.pattern.regex();
    if let Some(line) = signature
        .examples
        .iter()
        .find(|line| !regex.is_match(line.as_bytes()))
    {
        return Err(format!("examples: the pattern does not match {line:?}"));
    }
    if let Some(line) = signature.not.iter().find(|line| regex.is_match(line.as_bytes())) {
        return Err(format!("not: the pattern matches {line:?}"));
    }
    Ok(signature)
}

/// The line at which the entry of a name begins, counted from 1.
fn entry_line(text: &str, id: &str) -> Option<usize> {
    let begins = |line: &str| {
        let line = line
            .trim_start()
            .trim_start_matches("- ")
            .trim_start_matches('{')
            .trim_start();
        let value = line
            .strip_prefix("id:")
            .and_then(|value| value.split([',', '}']).next())
            .map(str::trim);
        !id.is_empty() && value.is_some_and(|value| value.trim_matches(['"', '\'']) == id)
    };
    text.lines().position(begins).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rules_can_be_used_and_each_has_examples() {
        let rules = Rules::embedded().unwrap_or_else(|e| panic!("{e}"));
        assert!(rules.signatures.len() >= 15, "{}", rules.signatures.len());
        for signature in &rules.signatures {
            assert!(!signature.examples.is_empty(), "{}: no examples", signature.id);
            assert!(!signature.not.is_empty(), "{}: no counter-examples", signature.id);
        }
        assert!(
            rules
                .signatures
                .iter()
                .any(|signature| signature.severity == Severity::Red)
        );
    }

    #[test]
    fn mistakes_are_told_together_with_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.yaml");
        let text = "signatures:\n\
            - id: a\n  severity: red\n  pattern: '(abcd'\n  meaning: m\n  source: s\n\
            - id: b\n  severity: pink\n  pattern: abcdef\n  meaning: m\n  source: s\n\
            - id: c\n  severity: red\n  pattern: abcdef\n  meaning: m\n  source: s\n  examples: [abc]\n\
            - id: d\n  severity: red\n  pattern: abcdef\n  meaning: m\n  source: s\n  not: [xabcdef]\n\
            - severity: red\n\
            black: no\n";
        fs::write(&file, text).unwrap();
        let RulesError(mistakes) = Rules::default().with(&file).unwrap_err();
        let wanted = [
            ":2: a: pattern: unclosed group",
            ":7: b: unknown variant `pink`",
            ":12: c: examples: the pattern does not match \"abc\"",
            ":18: d: not: the pattern matches \"xabcdef\"",
            ":1: signatures: id: expected",
            ":25: black: expected a list",
        ];
        assert_eq!(mistakes.len(), wanted.len(), "{mistakes:#?}");
        for (mistake, wanted) in mistakes.iter().zip(wanted) {
            assert!(mistake.contains(wanted), "{mistake}: no {wanted}");
        }
    }

    #[test]
    fn a_users_rules_add_and_replace() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(dir.path().join("mine.yaml"), text).unwrap();
        write(
            "signatures:\n- {id: connection-refused, severity: red, pattern: refused, meaning: m, source: s}\n",
        );
        let embedded = Rules::embedded().unwrap();
        let rules = embedded.clone().with(dir.path()).unwrap();
        assert_eq!(rules.signatures.len(), embedded.signatures.len());
        assert_eq!(
            rules.signature("connection-refused").unwrap().severity,
            Severity::Red
        );
        write("black:\n- {id: mine, over: red, because: b, when: [{found: nothing}, {log_of: nobody}]}\n");
        let RulesError(mistakes) = embedded.with(dir.path()).unwrap_err();
        assert!(
            mistakes[0].ends_with(":2: mine: no signature is called \"nothing\""),
            "{mistakes:?}"
        );
        assert!(
            mistakes[1].ends_with("no component is called \"nobody\""),
            "{mistakes:?}"
        );
    }
}
