//! The book: every page is in its summary, every link leads somewhere, and what is generated is what the program says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use kubeclash::cli::reference;
use kubeclash::exit;
use kubeclash_timeline::property::{Kind, Property};
use serde_json::Value;

use super::{below, between, kubeclash, root, text};

/// With this variable a page is written anew where it differs.
const UPDATE: &str = "UPDATE_DOCS";

/// Every Markdown file that people read.
fn pages() -> Vec<PathBuf> {
    let mut pages = below("docs");
    pages.retain(|file| file.extension().is_some_and(|end| end == "md"));
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from));
    assert!(pages.len() > 40, "{pages:?}");
    pages
}

/// The lines of a page that are no code, with their numbers.
pub(crate) fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    page.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// The targets of a page's links and pictures.
fn targets(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (_, line) in prose(page) {
        // What stands in backquotes is no link.
        let words: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        let links = words.split("](").skip(1);
        found.extend(links.filter_map(|rest| rest.split(')').next().map(str::to_owned)));
    }
    found
}

/// What a page's headings are called in links, as GitHub and mdbook make it of their words.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let headings = prose(page).filter_map(|(_, line)| {
        let words = line.trim_start_matches('#');
        (words.len() < line.len()).then(|| words.trim().to_lowercase())
    });
    let slugs = headings.map(|words| {
        let kept = words.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c => (c.is_alphanumeric() || c == '-' || c == '_').then_some(c),
        });
        let slug: String = kept.collect();
        let before = seen.entry(slug.clone()).or_default();
        *before += 1;
        match *before - 1 {
            0 => slug,
            again => format!("{slug}-{again}"),
        }
    });
    slugs.collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_page_is_in_the_summary_once() {
    let mut listed = targets(&text("docs/SUMMARY.md"));
    listed.sort();
    let mut there: Vec<String> = pages()
        .iter()
        .filter_map(|page| page.strip_prefix("docs").ok())
        .map(|page| page.display().to_string())
        .filter(|page| page != "SUMMARY.md")
        .collect();
    there.sort();
    let missing: Vec<&String> = there.iter().filter(|page| !listed.contains(page)).collect();
    let more: Vec<&String> = listed.iter().filter(|page| !there.contains(page)).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "docs/SUMMARY.md lacks {missing:?}, and has {more:?}"
    );
    assert_eq!(
        listed.len(),
        there.len(),
        "docs/SUMMARY.md has a page twice: {listed:?}"
    );
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let shown = text(&page);
        for target in targets(&shown).iter().filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = match path {
                "" => page.clone(),
                path => plain(&page.with_file_name(path)),
            };
            let found = root().join(&there).exists();
            // The built book has nothing but what is below docs.
            let inside = !page.starts_with("docs") || there.starts_with("docs");
            let named = anchor.is_empty() || (found && anchors(&text(&there)).contains(anchor));
            if !(found && inside && named) {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "links that lead nowhere, or out of the book: {wrong:#?}"
    );
}

/// That a page has between two marks what the program says, or is made to.
fn holds(page: &str, mark: &str, generated: &str) {
    let shown = text(page);
    if between(&shown, mark) == generated {
        return;
    }
    assert!(
        std::env::var_os(UPDATE).is_some(),
        "{page}: {mark} is not what the program says: {UPDATE}=1 cargo test --test tidy writes it anew"
    );
    let (from, to) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (head, rest) = shown.split_once(&from).expect("it has the mark, which was read");
    let (_, tail) = rest.split_once(&to).expect("it has the mark, which was read");
    // At once: another test may read the page now.
    let (file, new) = (root().join(page), root().join(format!("{page}.new")));
    fs::write(&new, format!("{head}{from}{generated}{to}{tail}")).expect("the page can be written");
    fs::rename(new, file).expect("the page can be put in its place");
}

#[test]
fn the_readme_has_the_table_of_cases() {
    holds(
        "README.md",
        "cases",
        &kubeclash(&["list", "--format", "markdown"]),
    );
}

#[test]
fn the_book_has_the_exit_codes() {
    let mut table = "| code | meaning |\n|---|---|\n".to_owned();
    for (code, meaning) in exit::ALL {
        table += &format!("| {code} | {meaning} |\n");
    }
    holds("docs/reference/exit-codes.md", "exit-codes", &table);
}

#[test]
fn the_book_has_the_help_of_every_verb() {
    holds("docs/reference/cli.md", "help", &reference::verbs());
}

#[test]
fn the_book_has_every_variable_of_the_environment() {
    let page = "docs/reference/environment.md";
    holds(page, "variables", &reference::variables());
    let shown = text(page);
    let mut named = BTreeSet::new();
    let crates = root().join("crates").exists().then(|| below("crates"));
    for file in below("src").into_iter().chain(crates.into_iter().flatten()) {
        if file.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let source = text(&file);
        let quoted = source.split('"').filter(|word| word.starts_with("KUBECLASH_"));
        let names = quoted.map(|word| word.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).next());
        named.extend(names.flatten().map(str::to_owned));
    }
    // The bare prefix, and what a build command of `bisect` gets, which the help of that verb explains.
    named.remove("KUBECLASH_");
    assert!(named.len() > 25, "{named:?}");
    let missing: Vec<&String> = named
        .iter()
        .filter(|name| !shown.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{page}: {missing:?}");
}

/// What the variants of a type are described as, by name.
fn described(schema: &schemars::Schema) -> BTreeMap<String, String> {
    let all = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let pairs = all.filter_map(|one| {
        let name = one["const"].as_str()?.to_owned();
        Some((
            name,
            one["description"].as_str()?.trim_end_matches('.').to_owned(),
        ))
    });
    pairs.collect()
}

#[test]
fn the_book_has_every_property_and_every_kind() {
    let properties = described(&schemars::schema_for!(Property));
    let kinds = described(&schemars::schema_for!(Kind));
    let mut table =
        "| property | it holds when | `as` | how it is violated | counted in |\n|---|---|---|---|---|\n"
            .to_owned();
    for property in Property::ALL {
        let name = property.to_string();
        let mut of_property = format!("`{name}` | {}", properties[&name]);
        for kind in Kind::ALL.into_iter().filter(|kind| kind.property() == property) {
            let what = kinds[&kind.to_string()].trim_start_matches(&format!("`{name}`: "));
            let unit = kind.counted_in().map_or("–".to_owned(), |unit| unit.to_string());
            table += &format!("| {of_property} | `{kind}` | {what} | {unit} |\n");
            of_property = " | ".to_owned();
        }
    }
    holds("docs/reference/properties.md", "properties", &table);
}

/// The inputs of a workflow or an action, whose names are so deep in its YAML: name, description, default.
fn inputs(file: &str, depth: usize) -> Vec<[String; 3]> {
    let shown = text(file);
    let (_, rest) = shown
        .split_once("inputs:\n")
        .unwrap_or_else(|| panic!("{file}: no inputs"));
    let (name, field) = (" ".repeat(depth), " ".repeat(depth + 2));
    let mut found: Vec<[String; 3]> = Vec::new();
    for line in rest.lines().take_while(|line| line.starts_with(&name)) {
        let value = |key: &str| {
            let value = line.strip_prefix(&field)?.strip_prefix(key)?.strip_prefix(": ")?;
            let quoted = ['"', '\'']
                .into_iter()
                .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            Some(quoted.unwrap_or(value).to_owned())
        };
        if let (Some(text), Some(last)) = (value("description"), found.last_mut()) {
            last[1] = text;
        } else if let (Some(text), Some(last)) = (value("default"), found.last_mut()) {
            last[2] = text;
        } else if let Some(input) = line.strip_prefix(&name).filter(|line| !line.starts_with(' ')) {
            found.push([
                input.trim_end_matches(':').to_owned(),
                String::new(),
                String::new(),
            ]);
        }
    }
    assert!(found.len() > 10, "{file}: {found:?}");
    found
}

#[test]
fn the_book_has_the_inputs_of_workflow_and_action() {
    let table = |inputs: &[&[String; 3]]| {
        let mut table = "| input | what it is | default |\n|---|---|---|\n".to_owned();
        for [name, what, default] in inputs {
            let default = if default.is_empty() {
                String::new()
            } else {
                format!("`{default}`")
            };
            table += &format!("| `{name}` | {what} | {default} |\n");
        }
        table
    };
    let page = "docs/how-to/ci.md";
    let workflow = inputs(".github/workflows/regression.yml", 6);
    holds(
        page,
        "regression-inputs",
        &table(&workflow.iter().collect::<Vec<_>>()),
    );
    let action = inputs("action.yml", 2);
    let known: BTreeSet<&String> = workflow.iter().map(|[name, ..]| name).collect();
    let more: Vec<&[String; 3]> = action.iter().filter(|[name, ..]| !known.contains(name)).collect();
    holds(page, "action-inputs", &table(&more));
    let only: BTreeSet<&str> = action.iter().map(|[name, ..]| name.as_str()).collect();
    let without: Vec<&str> = known
        .iter()
        .map(|name| name.as_str())
        .filter(|name| !only.contains(name))
        .collect();
    assert_eq!(
        without,
        ["runner", "shards"],
        "{page} says which inputs the action lacks"
    );
}

#[test]
fn the_readme_shows_the_case_that_is_written_for_a_user() {
    let readme = text("README.md");
    let template = text("src/case/template/case.yaml");
    let (_, shown) = readme
        .split_once("```yaml\nfailure:")
        .expect("it shows a failure");
    let shown = shown.split("```").next().unwrap_or_default();
    for line in shown.lines().skip(1) {
        assert!(
            template.contains(line),
            "README.md: {line:?} is not in the case that \"case new\" writes"
        );
    }
    // They run in tests/it, as the tutorial has them.
    for command in between(&text("docs/tutorial/own-case.md"), "tested")
        .lines()
        .filter(|line| !line.starts_with("```"))
    {
        assert!(readme.contains(&format!("\n{command} ")), "README.md: {command}");
    }
}

#[test]
fn the_readme_is_a_page() {
    let lines = text("README.md").lines().count();
    assert!(lines <= 120, "README.md: {lines} lines; the rest is for docs/");
}

/// `.ci/run` takes the commands out of the README with sed; here that very line is run.
#[test]
fn ci_runs_what_the_quick_start_says() {
    let block = between(&text("README.md"), "quick-start");
    let told: Vec<&str> = block.lines().filter(|line| !line.starts_with("```")).collect();
    assert_eq!(told, ["cargo run --release -- run c7", "cargo test"]);
    let ci = text(".ci/run");
    let sed = ci
        .lines()
        .find_map(|line| {
            line.strip_prefix("mapfile -t quick_start < <(")?
                .strip_suffix(')')
        })
        .expect(".ci/run reads the quick start");
    let output = Command::new("bash")
        .args(["-c", sed])
        .current_dir(root())
        .output()
        .expect("there is bash");
    let taken = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(taken.lines().collect::<Vec<_>>(), told);
    for at in 0..told.len() {
        let runs = format!("bash -c \"${{quick_start[{at}]}}\"");
        assert!(
            ci.lines().any(|line| line.starts_with(&runs)),
            ".ci/run: no {runs}"
        );
    }
}
