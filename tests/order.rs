//! The order of the house: a module knows those before it, as its `lib.rs` lists them, and none after it.
//!
//! Between crates the compiler sees to that. Within one it does not, so the imports are read here. At the top of a crate the
//! order of the `mod` lines counts; further down no two modules may know each other. Tests may know everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use once_cell::sync::Lazy;
use regex::Regex;

static MODS: Lazy<Regex> =
    Lazy::new(|| Regex::new(r"(?m)^(?:pub(?:\([a-z: ]+\))? )?mod (\w+);").expect("a regular expression"));
static USES: Lazy<Regex> = Lazy::new(|| {
    Regex::new(r"(?s)\buse (?:self::)?(\w+)::(\{.*?\}|\w+)(?: as (\w+))?;").expect("a regular expression")
});
static PATHS: Lazy<Regex> = Lazy::new(|| {
    Regex::new(r"(?s)\b(crate|super(?:::super)*)::(\{.*?\};|[\w:]+(?:::\{.*?\})?)")
        .expect("a regular expression")
});
static COMMENTS: Lazy<Regex> = Lazy::new(|| Regex::new(r"(?m)//.*$").expect("a regular expression"));
static LISTED: Lazy<Regex> = Lazy::new(|| {
    Regex::new(r"#\[cfg\(test\)\]\n(?:#\[path[^\n]*\n)?\s*(?:pub(?:\([a-z]+\))? )?mod \w+;")
        .expect("a regular expression")
});
static CRATES: Lazy<Regex> = Lazy::new(|| {
    Regex::new(r#"(?m)^(kubeclash-\w+) = \{ path = "crates/(\w+)""#).expect("a regular expression")
});
static WORD: Lazy<Regex> = Lazy::new(|| Regex::new(r"\w+").expect("a regular expression"));

/// The path of a module in its crate: `["deeds", "names"]`.
type Module = Vec<String>;

/// What a crate's sources say of its modules.
#[derive(Default)]
struct House {
    /// The children of each module, in the order of their `mod` lines.
    children: BTreeMap<Module, Vec<String>>,
    /// By module and name: the child that a `use` in it takes the name from.
    exports: BTreeMap<(Module, String), String>,
    /// Which paths are named where: (module, path, file).
    names: Vec<(Module, Module, PathBuf)>,
}

impl House {
    fn read(root: &Path) -> Self {
        let mut house = Self::default();
        house.module(Vec::new(), &root.join("lib.rs"));
        assert!(house.children[&Vec::new()].len() > 3, "{}", root.display());
        house
    }

    fn module(&mut self, path: Module, file: &Path) {
        let whole = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let text = without_tests(&whole);
        let children: Vec<String> = MODS
            .captures_iter(&text)
            .map(|found| found[1].to_owned())
            .collect();
        for found in USES.captures_iter(&text) {
            for name in words(found.get(3).map_or(&found[2], |alias| alias.as_str())) {
                if children.contains(&found[1].to_owned()) {
                    self.exports.insert((path.clone(), name), found[1].to_owned());
                }
            }
        }
        self.refer(&path, &text, file);
        let folder = match file.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib" | "mod") => file.with_file_name(""),
            _ => file.with_extension(""),
        };
        for child in &children {
            let alone = folder.join(format!("{child}.rs"));
            let file = if alone.exists() {
                alone
            } else {
                folder.join(child).join("mod.rs")
            };
            let mut inner = path.clone();
            inner.push(child.clone());
            self.module(inner, &file);
        }
        self.children.insert(path, children);
    }

    /// Takes in what a module names by `crate::` and `super::`.
    fn refer(&mut self, module: &Module, text: &str, file: &Path) {
        for found in PATHS.captures_iter(text) {
            let from: Module = match &found[1] {
                "crate" => Vec::new(),
                supers => {
                    let up = supers.matches("super").count();
                    module[..module.len().saturating_sub(up)].to_vec()
                }
            };
            for path in flattened(&found[2]) {
                let mut to = from.clone();
                to.extend(path);
                self.names.push((module.clone(), to, file.to_owned()));
            }
        }
    }

    /// Which children of a module know which of their siblings, and where.
    fn edges(&self, parent: &Module) -> BTreeMap<(String, String), PathBuf> {
        let mut edges = BTreeMap::new();
        let depth = parent.len();
        for (from, to, file) in &self.names {
            let (Some(mine), Some(name)) = (from.get(depth), to.get(depth)) else {
                continue;
            };
            if from[..depth] != parent[..] || to[..depth] != parent[..] {
                continue;
            }
            let theirs = match self.children[parent].contains(name) {
                true => name,
                false => match self.exports.get(&(parent.clone(), name.clone())) {
                    Some(child) => child,
                    None => continue,
                },
            };
            if theirs != mine {
                edges
                    .entry((mine.clone(), theirs.clone()))
                    .or_insert_with(|| file.clone());
            }
        }
        edges
    }

    /// What is against the order.
    fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (parent, children) in &self.children {
            let edges = self.edges(parent);
            let place = |name: &String| children.iter().position(|child| child == name);
            for ((from, to), file) in &edges {
                let file = file.display();
                if parent.is_empty() && place(to) > place(from) {
                    mistakes.push(format!("{file}: {from} knows {to}, which comes after it"));
                }
                if !parent.is_empty() && from < to && edges.contains_key(&(to.clone(), from.clone())) {
                    mistakes.push(format!("{file}: {from} and {to} know each other"));
                }
            }
        }
        mistakes
    }
}

/// A source without comments and without the modules that are compiled for tests only.
fn without_tests(text: &str) -> String {
    let text = COMMENTS.replace_all(text, "");
    let text = LISTED.replace_all(&text, "").into_owned();
    match text.find("#[cfg(test)]\nmod ") {
        Some(tests) => text[..tests].to_owned(),
        None => text,
    }
}

fn words(text: &str) -> BTreeSet<String> {
    WORD.find_iter(text)
        .map(|word| word.as_str().to_owned())
        .collect()
}

/// The paths of one that may end in braces: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn flattened(path: &str) -> Vec<Module> {
    let segments = |path: &str| -> Module {
        let parts = path
            .split("::")
            .map(str::trim)
            .filter(|part| !part.is_empty() && *part != "self");
        parts
            .map(|part| part.split(' ').next().unwrap_or_default().to_owned())
            .collect()
    };
    let path = path.trim().trim_end_matches(';');
    let Some((head, inner)) = path.split_once('{') else {
        return vec![segments(path)];
    };
    let inner = inner.trim_end().trim_end_matches('}');
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for sign in inner.chars() {
        match sign {
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            sign => {
                depth += i32::from(sign == '{') - i32::from(sign == '}');
                part.push(sign);
            }
        }
    }
    parts.push(part);
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    let inner = parts.flat_map(|part| flattened(part));
    inner
        .map(|inner| segments(head).into_iter().chain(inner).collect())
        .collect()
}

fn crates() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inner = fs::read_dir(root.join("crates")).expect("there are crates");
    let mut all: Vec<PathBuf> = inner
        .map(|entry| entry.expect("an entry of it").path().join("src"))
        .collect();
    all.push(root.join("src"));
    all.sort();
    all
}

#[test]
fn no_module_knows_one_that_comes_after_it() {
    let mistakes: Vec<String> = crates()
        .iter()
        .flat_map(|root| House::read(root).mistakes())
        .collect();
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn the_crates_are_listed_in_the_order_of_the_flow() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let order: Vec<(String, String)> = CRATES
        .captures_iter(&manifest)
        .map(|found| (found[1].to_owned(), found[2].to_owned()))
        .collect();
    assert_eq!(order.len() + 1, crates().len(), "{order:?}");
    for (at, (name, folder)) in order.iter().enumerate() {
        let file = format!("crates/{folder}/Cargo.toml");
        let own = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
        for (later, _) in &order[at..] {
            assert!(
                !own.contains(&format!("\n{later}.workspace")),
                "{file}: {later} comes after {name}"
            );
        }
        let pure = ["\ntokio", "\nkube.", "\nkube ", "\nk8s-openapi"];
        let knows = pure.iter().any(|name| own.contains(name));
        assert!(folder != "timeline" || !knows, "{file}: a judge waits for nobody");
    }
}

#[test]
fn an_import_against_the_order_is_found() {
    let house = |files: &[(&str, &str)]| {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        House::read(dir.path()).mistakes().join("\n")
    };
    let lib = "mod a;\nmod b;\npub mod c;\nmod d;\npub use d::{Deep, Thing};\n";
    let clean = [
        ("lib.rs", lib),
        (
            "a.rs",
            "pub fn a() {}\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}\n",
        ),
        ("b.rs", "// crate::c is not named by a comment\nuse super::a;\n"),
        ("c/mod.rs", "mod inner;\nmod outer;\nuse crate::{a, b::x};\n"),
        ("c/inner.rs", "use super::super::a;\n"),
        ("c/outer.rs", "use super::inner;\n"),
        ("d.rs", "use crate::c;\n"),
    ];
    assert_eq!(house(&clean), "");
    let with = |name: &'static str, text: &'static str| {
        let mut files = clean.to_vec();
        for file in &mut files {
            if file.0 == name {
                file.1 = text;
            }
        }
        house(&files)
    };
    assert!(with("a.rs", "use crate::{b::{self, x}};\n").contains("a knows b, which comes after it"));
    assert!(with("a.rs", "use super::Thing;\n").contains("a knows d"));
    assert!(with("a.rs", "fn a() -> crate::Deep { todo() }\n").contains("a knows d"));
    assert!(
        with("c/inner.rs", "use super::outer::x;\nuse crate::d::x;\n")
            .contains("inner and outer know each other")
    );
    assert!(with("c/inner.rs", "use crate::d::x;\n").contains("c knows d"));
}
