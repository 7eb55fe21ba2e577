//! Checkouts and modules, built with the Go that is here.
//!
//! They say `NOT RUN` where there is none.

use std::path::Path;
use std::process::Command;

use kubeclash_components::{
    Binary, Builder, ComponentError, ComponentName, Origin, Resolver, Selection, Spec, State,
};
use miette::Diagnostic;
use tempfile::{TempDir, tempdir};

use crate::cli_sandbox::not_run;
use crate::component_site::{Lines, resolver};

const NAME: ComponentName = ComponentName::Descheduler;

/// Whether there is a Go; says so where there is none.
fn no_go() -> bool {
    let none = !Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|output| output.status.success());
    if none {
        not_run(
            "builds of checkouts and modules",
            "there is no Go",
            "KUBECLASH_REQUIRE_GO",
        );
    }
    none
}

fn write(dir: &Path, file: &str, content: &str) {
    let path = dir.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// A module of a program that prints what a library of another module says. Where that module comes from is what the
/// tests differ in.
fn checkout() -> TempDir {
    let dir = tempdir().unwrap();
    write(
        dir.path(),
        "go.mod",
        "module example.org/fork\n\ngo 1.21\n\nrequire example.org/words v1.0.0\n",
    );
    let main = "package main\n\nimport \"example.org/words\"\n\nfunc main() { println(words.Word); print(words.Word) }\n";
    write(dir.path(), "cmd/descheduler/main.go", main);
    write(
        dir.path(),
        "cmd/scheduler/main.go",
        "package main\n\nfunc main() {}\n",
    );
    write(dir.path(), "lib/lib.go", "package lib\n");
    dir
}

fn words(dir: &Path, word: &str) {
    write(
        dir,
        "words.go",
        &format!("package words\n\nconst Word = \"{word}\"\n"),
    );
}

struct Bench {
    cache: TempDir,
    resolver: Resolver,
}

fn bench() -> Bench {
    let cache = tempdir().unwrap();
    let resolver = resolver(cache.path(), "127.0.0.1:9", &Lines::default()).with_builder(Builder::default());
    Bench { cache, resolver }
}

impl Bench {
    async fn build(&self, spec: &str) -> Result<Binary, ComponentError> {
        let selection = Selection::default().with(NAME, spec.parse().unwrap());
        Ok(self
            .resolver
            .resolve(&selection, &[NAME])
            .await?
            .remove(&NAME)
            .unwrap())
    }

    async fn of(&self, dir: &Path) -> Binary {
        self.build(&format!("src:{}", dir.display())).await.unwrap()
    }
}

fn says(binary: &Binary, word: &str) {
    let output = Command::new(binary.file().unwrap()).output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains(word),
        "{output:?}"
    );
}

/// All files of a folder with their content.
fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(content(&path));
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_checkout_is_built_by_its_own_go_mod_and_again_when_it_changed() {
    if no_go() {
        return;
    }
    let (dir, bench) = (checkout(), bench());
    write(
        dir.path(),
        "words/go.mod",
        "module example.org/words\n\ngo 1.21\n",
    );
    words(&dir.path().join("words"), "first");
    let go_mod = std::fs::read_to_string(dir.path().join("go.mod")).unwrap();
    write(
        dir.path(),
        "go.mod",
        &format!("{go_mod}\nreplace example.org/words => ./words\n"),
    );
    let before = content(dir.path());

    let first = bench.of(dir.path()).await;
    says(&first, "first");
    assert_eq!(
        content(dir.path()),
        before,
        "something was written into the checkout"
    );
    assert_eq!(first.version, "unknown");
    let Origin::Checkout { package, commit, .. } = &first.origin else {
        panic!("{:?}", first.origin)
    };
    assert_eq!((package.as_str(), commit), ("./cmd/descheduler", &None));
    let log = std::fs::read_to_string(first.build_log.as_ref().unwrap()).unwrap();
    assert!(log.contains("go build -v -trimpath"), "{log}");

    let again = bench.of(dir.path()).await;
    assert_eq!(again, first, "nothing has changed");
    words(&dir.path().join("words"), "second");
    let second = bench.of(dir.path()).await;
    assert_ne!(
        (&second.sha256, second.file().unwrap()),
        (&first.sha256, first.file().unwrap())
    );
    says(&second, "second");
    says(&first, "first");
    assert_eq!(bench.resolver.cache().list().len(), 2);
}

#[tokio::test]
async fn a_vendor_directory_and_a_workspace_are_respected() {
    if no_go() {
        return;
    }
    let bench = bench();
    let vendored = checkout();
    let modules = "# example.org/words v1.0.0\n## explicit; go 1.21\nexample.org/words\n";
    write(vendored.path(), "vendor/modules.txt", modules);
    words(&vendored.path().join("vendor/example.org/words"), "vendored");
    says(&bench.of(vendored.path()).await, "vendored");

    let workspace = tempdir().unwrap();
    let inner = checkout();
    let fork = workspace.path().join("fork");
    std::fs::rename(inner.path(), &fork).unwrap();
    write(
        &workspace.path().join("words"),
        "go.mod",
        "module example.org/words\n\ngo 1.21\n",
    );
    words(&workspace.path().join("words"), "of the workspace");
    write(
        workspace.path(),
        "go.work",
        "go 1.21\n\nuse (\n\t./fork\n\t./words\n)\n",
    );
    says(&bench.of(&fork).await, "of the workspace");
}

#[tokio::test]
async fn git_says_which_commit_it_was_and_whether_it_had_changed() {
    if no_go() {
        return;
    }
    let (dir, bench) = (tempdir().unwrap(), bench());
    write(dir.path(), "go.mod", "module example.org/fork\n\ngo 1.21\n");
    write(
        dir.path(),
        "cmd/descheduler/main.go",
        "package main\n\nfunc main() {}\n",
    );
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=me", "-c", "user.email=me@example.org", "-C"])
            .arg(dir.path());
        let output = command.args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    let hash = git(&["rev-parse", "HEAD"]);

    let untagged = bench.of(dir.path()).await;
    assert_eq!(untagged.version, hash[..12]);
    git(&["tag", "v0.35.1"]);
    assert_eq!(bench.of(dir.path()).await.version, "v0.35.1");
    write(dir.path(), "cmd/descheduler/more.go", "package main\n");
    let changed = bench.of(dir.path()).await;
    assert_eq!(changed.version, "v0.35.1-dirty");
    let said = changed.origin.to_string();
    assert!(
        said.contains(&format!(
            "at {} with changes not committed, with go1.",
            &hash[..12]
        )),
        "{said}"
    );
    let Origin::Checkout { dirty, commit, .. } = changed.origin else {
        panic!("{said}")
    };
    assert_eq!((dirty, commit), (true, Some(hash)));

    let spec: Spec = format!("src:{}", dir.path().display()).parse().unwrap();
    let found = bench
        .resolver
        .probe(&Selection::default().with(NAME, spec), &[NAME])
        .await;
    assert_eq!(found[0].version, "v0.35.1-dirty");
    let State::Source { plan, .. } = &found[0].state else {
        panic!("{:?}", found[0])
    };
    assert!(plan[0].starts_with("build ./cmd/descheduler in "), "{plan:?}");
    assert!(found[0].took_ms.is_some());
}

#[tokio::test]
async fn what_cannot_be_built_is_told_with_the_end_of_the_log() {
    if no_go() {
        return;
    }
    let (dir, bench) = (tempdir().unwrap(), bench());
    let spec = |package: &str| format!("src:{}{package}", dir.path().display());
    let said = |error: &ComponentError| {
        format!(
            "{error} {}",
            error.help().map_or(String::new(), |help| help.to_string())
        )
    };
    write(dir.path(), "go.mod", "module example.org/fork\n\ngo 1.21\n");
    write(
        dir.path(),
        "cmd/descheduler/main.go",
        "package main\n\nfunc main() { nothing() }\n",
    );
    write(dir.path(), "cmd/lib/lib.go", "package lib\n");

    let error = bench.build(&spec("")).await.unwrap_err();
    assert!(matches!(error, ComponentError::Unavailable { .. }), "{error:?}");
    let text = said(&error);
    assert!(
        text.contains("undefined: nothing") && text.contains("all of it is in"),
        "{text}"
    );
    let log = text
        .split("all of it is in \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        std::fs::read_to_string(log)
            .unwrap()
            .contains("undefined: nothing")
    );
    bench
        .resolver
        .cache()
        .clean(&Lines::default().progress())
        .await
        .unwrap();
    assert!(!Path::new(log).exists(), "clean leaves it");

    let text = said(&bench.build(&spec("#./cmd/lib")).await.unwrap_err());
    assert!(
        text.contains("is package lib, and a program is package main"),
        "{text}"
    );
    let error = bench.build(&spec("#./cmd/other")).await.unwrap_err();
    assert!(matches!(error, ComponentError::Given { .. }), "{error:?}");
    let text = said(&error);
    assert!(
        text.contains("--descheduler (or KUBECLASH_DESCHEDULER)")
            && text.contains("has no ./cmd/other")
            && text.contains("./cmd/descheduler, ./cmd/lib"),
        "{text}"
    );
    let text = said(&bench.build("src:/there/is/nothing").await.unwrap_err());
    assert!(text.contains("\"/there/is/nothing\" does not exist"), "{text}");
}

#[tokio::test]
async fn a_second_scheduler_out_of_a_checkout_is_found_in_cmd_scheduler() {
    if no_go() {
        return;
    }
    let (dir, bench) = (checkout(), bench());
    write(dir.path(), "go.mod", "module example.org/fork\n\ngo 1.21\n");
    let spec: Spec = format!("src:{}", dir.path().display()).parse().unwrap();
    let names = [ComponentName::Scheduler, ComponentName::SecondScheduler];
    let selection = Selection::default()
        .with(ComponentName::Scheduler, spec.clone())
        .with(ComponentName::SecondScheduler, spec);
    let binaries = bench.resolver.resolve(&selection, &names).await.unwrap();
    let [first, second] = names.map(|name| &binaries[&name]);
    assert_eq!(second.name, ComponentName::SecondScheduler);
    assert_eq!(first.file().unwrap(), second.file().unwrap());
    assert!(
        first
            .file()
            .unwrap()
            .starts_with(bench.cache.path().join("components/kube-scheduler"))
    );
    let Origin::Checkout { package, .. } = &first.origin else {
        panic!("{first:?}")
    };
    assert_eq!(package, "./cmd/scheduler");
}

#[tokio::test]
async fn a_program_of_a_public_module_is_built_and_a_query_is_recorded_as_what_it_meant() {
    if no_go() {
        return;
    }
    let bench = bench();
    // A module of its own inside of another: the longer path is the one.
    let module = "golang.org/x/example/hello";
    let version = "v0.0.0-20250915201037-7f05d217867b";
    let built = bench.build(&format!("go:{module}@{version}")).await.unwrap();
    assert_eq!(built.version, version);
    let Origin::Built {
        module: of,
        package,
        go,
    } = &built.origin
    else {
        panic!("{built:?}")
    };
    assert_eq!(of, &format!("{module}@{version}"));
    assert_eq!(package.as_deref(), Some(module));
    assert!(go.starts_with("go1."));
    let output = Command::new(built.file().unwrap()).output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("Hello, world!"),
        "{output:?}"
    );
    assert!(
        std::fs::read_to_string(built.build_log.as_ref().unwrap())
            .unwrap()
            .contains("go build")
    );

    let latest = bench.build(&format!("go:{module}@latest")).await.unwrap();
    assert!(latest.version.starts_with("v0."), "{}", latest.version);
    let kept = bench.resolver.cache().list();
    assert!(kept.iter().any(|kept| kept.binary == latest), "{kept:?}");

    let error = bench
        .build(&format!("go:{module}/cmd/none@{version}"))
        .await
        .unwrap_err();
    assert!(matches!(error, ComponentError::Unavailable { .. }), "{error:?}");
    assert!(
        error.to_string().contains(&format!("{module}/cmd/none")),
        "{error}"
    );
    let error = bench.build(&format!("go:{module}@v99.0.0")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("there is no {module}@v99.0.0")),
        "{error}"
    );
}
