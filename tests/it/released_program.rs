//! The action takes the released program of its own version, and builds where there is none: its steps, a release on
//! loopback, and a gh and a cargo that note what they are asked.

use std::fs;
use std::process::Command;

use crate::cli_sandbox::ended;
use crate::component_site::{Reply, Site};
use crate::release_checkout::{Checkout, VERSION, sum};
use crate::workflow_runner::{Runner, read, shell_steps};

/// What a release is, and what is wrong with it.
struct Release {
    checkout: Checkout,
    /// The archive's name for this machine.
    archive: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Release {
    /// As `pack-program` and `pack-sums` leave it, of a program that says that it is this version.
    fn new() -> Self {
        let checkout = Checkout::new();
        let name = checkout.says(&format!("program_name {VERSION} \"$(own_target)\""));
        let folder = checkout.sandbox.path("release").join(&name);
        fs::create_dir_all(&folder).unwrap();
        checkout.sandbox.program(
            &format!("release/{name}/kubeclash"),
            &format!("#!/bin/sh\necho kubeclash {VERSION}\n"),
        );
        let sources = checkout.run("sources", &[], &[]);
        assert_eq!(sources.stdout.trim().len(), 64, "{sources}");
        fs::write(folder.join("SOURCES"), sources.stdout).unwrap();
        let mut release = Self {
            checkout,
            archive: format!("{name}.tar.gz"),
            files: Vec::new(),
        };
        release.pack();
        release
    }

    /// Packs what is in the folder, and says its checksum.
    fn pack(&mut self) {
        let dir = self.checkout.sandbox.path("release");
        let name = self.archive.strip_suffix(".tar.gz").unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-C")
            .arg(&dir)
            .args(["-czf", &self.archive, name])
            .current_dir(&dir);
        let tar = ended(tar);
        assert_eq!(tar.code, Some(0), "{tar}");
        let packed = dir.join(&self.archive);
        let sums = format!(
            "{}  another.tar.gz\n{}  {}\n",
            "0".repeat(64),
            sum(&packed),
            self.archive
        );
        self.files = vec![
            ("SHA256SUMS".to_owned(), sums.into_bytes()),
            (self.archive.clone(), fs::read(packed).unwrap()),
        ];
    }

    /// Runs the action's steps up to the program, as far as they go, as the action of a repository.
    async fn taken(self, repository: &str) -> Taken {
        let path = |name: &str| format!("/v{VERSION}/{name}");
        let replies = self.files.iter().cloned();
        let site = Site::serve(replies.map(|(name, body)| (path(&name), Reply::Body(body)))).await;
        self.taken_from(repository, &format!("http://{}", site.address))
    }

    fn taken_from(self, repository: &str, releases: &str) -> Taken {
        let checkout = self.checkout;
        // A cargo that builds, where a build is asked for.
        checkout.tool(
            "cargo",
            "mkdir -p \"$CARGO_TARGET_DIR/release\" && echo built > \"$CARGO_TARGET_DIR/release/kubeclash\"",
        );
        let (tree, env) = (checkout.tree(), checkout.env());
        let action = read("action.yml");
        let mut runner = Runner::within(checkout.sandbox, &action["inputs"], &[]);
        runner.action = tree;
        runner.env = env;
        runner
            .env
            .insert("KUBECLASH_RELEASES".to_owned(), releases.into());
        runner
            .context
            .insert("github.action_repository".to_owned(), repository.to_owned());
        let folder = runner.sandbox.path("home");
        let steps = shell_steps(&action["runs"]["steps"]);
        let mut said = String::new();
        let mut code = Some(0);
        for id in ["place", "released", "build"] {
            let step = steps.iter().find(|step| step["id"] == id).unwrap();
            let end = runner.run(step, &folder);
            said += &end.to_string();
            code = end.code;
            if code != Some(0) {
                break;
            }
        }
        Taken { runner, said, code }
    }

    fn tool(&self, name: &str, script: &str) {
        self.checkout.tool(name, script);
    }

    /// What is answered for a file of the release.
    fn file(&mut self, name: &str) -> &mut Vec<u8> {
        let file = self.files.iter_mut().find(|(file, _)| file == name);
        &mut file.unwrap().1
    }
}

/// How the steps ended.
struct Taken {
    runner: Runner,
    said: String,
    code: Option<i32>,
}

impl Taken {
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.runner.sandbox.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn program(&self) -> String {
        fs::read_to_string(self.runner.output("steps.build.outputs.binary")).unwrap_or_default()
    }

    #[track_caller]
    fn assert_said(&self, words: &[&str]) {
        for word in words {
            assert!(self.said.contains(word), "no {word:?} in\n{}", self.said);
        }
    }

    /// That it was built, and why.
    #[track_caller]
    fn assert_built(&self, why: &str) {
        assert_eq!(self.code, Some(0), "{}", self.said);
        self.assert_said(&["::notice title=kubeclash::kubeclash is built from source: ", why]);
        assert_eq!(self.program(), "built\n", "{}", self.said);
        let builds = self
            .calls()
            .iter()
            .filter(|call| call.starts_with("cargo build --release"))
            .count();
        assert_eq!(builds, 1, "{:?}", self.calls());
    }

    /// That it ended there, and nothing was built in its place.
    #[track_caller]
    fn assert_refused(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.said);
        self.assert_said(&["::error title=kubeclash::"]);
        self.assert_said(words);
        assert_eq!(self.program(), "");
        assert!(
            !self.calls().iter().any(|call| call.starts_with("cargo")),
            "{:?}",
            self.calls()
        );
    }

    /// That the released one was taken, and nothing was built.
    #[track_caller]
    fn assert_released(&self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
        self.assert_said(&[&format!("kubeclash is the program of release v{VERSION}")]);
        assert!(self.program().contains(VERSION), "{}", self.said);
        assert!(
            !self.calls().iter().any(|call| call.starts_with("cargo")),
            "{:?}",
            self.calls()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_program_is_taken_where_checksum_attestation_and_sources_fit() {
    let release = Release::new();
    let archive = release.archive.clone();
    release.tool("gh", "test \"$GH_TOKEN\" = '' && test -f \"$3\"");
    let taken = release.taken("mine/kubeclash").await;
    taken.assert_released();
    let asked = format!(
        "gh attestation verify {archive} --repo mine/kubeclash --source-ref refs/tags/v{VERSION} --signer-workflow \
         mine/kubeclash/.github/workflows/release.yml"
    );
    assert_eq!(taken.calls(), [asked]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_another_checksum_is_an_error_and_nothing_is_built_instead() {
    let mut release = Release::new();
    release.tool("gh", "");
    let archive = release.archive.clone();
    release.file(&archive).push(0);
    let taken = release.taken("mine/kubeclash").await;
    taken.assert_refused(&["SHA-256", "SHA256SUMS of release", &archive]);
    assert_eq!(taken.calls(), [""; 0], "nothing else is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_nobody_attests_is_an_error_and_nothing_is_built_instead() {
    let release = Release::new();
    release.tool("gh", "echo 'no attestations found' >&2; exit 1");
    let taken = release.taken("mine/kubeclash").await;
    taken.assert_refused(&["has no attestation that holds: no attestations found"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_another_version_is_an_error_and_nothing_is_built_instead() {
    let mut release = Release::new();
    release.tool("gh", "");
    let name = release.archive.strip_suffix(".tar.gz").unwrap().to_owned();
    let program = format!("release/{name}/kubeclash");
    release
        .checkout
        .sandbox
        .program(&program, "#!/bin/sh\necho kubeclash 1.0.0\n");
    release.pack();
    release
        .taken("mine/kubeclash")
        .await
        .assert_refused(&["calls itself kubeclash 1.0.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_attest_is_taken_by_its_checksum_and_that_is_said() {
    let taken = Release::new().taken("mine/kubeclash").await;
    taken.assert_released();
    taken.assert_said(&[
        "::warning title=kubeclash::nobody can vouch for",
        "there is no gh",
    ]);

    let release = Release::new();
    release.tool("gh", "exit 1");
    let taken = release.taken("").await;
    taken.assert_released();
    taken.assert_said(&[
        "::warning title=kubeclash::nobody can vouch for",
        "no repository on github.com",
    ]);
    assert_eq!(taken.calls(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_builds_where_there_is_no_release() {
    let mut release = Release::new();
    release.files.clear();
    release
        .taken("mine/kubeclash")
        .await
        .assert_built("there is no http://127.0.0.1:");

    // The list, but not the file.
    let mut release = Release::new();
    release.files.truncate(1);
    release
        .taken("mine/kubeclash")
        .await
        .assert_built("there is no http://127.0.0.1:");

    // None for this machine.
    let mut release = Release::new();
    *release.file("SHA256SUMS") = format!("{}  another.tar.gz\n", "0".repeat(64)).into_bytes();
    release
        .taken("mine/kubeclash")
        .await
        .assert_built(&format!("release v{VERSION} has no kubeclash-v"));

    // Nobody answers.
    let taken = Release::new().taken_from("mine/kubeclash", "http://127.0.0.1:9");
    taken.assert_built("can't be had (curl: (7) ");

    // It is an action in somebody's own repository.
    Release::new()
        .taken_from("", "")
        .assert_built("this is no action of a repository");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_builds_what_is_not_what_was_released() {
    let release = Release::new();
    release.tool("gh", "");
    release.checkout.write("crates/new/src/lib.rs", "// a change");
    release
        .taken("mine/kubeclash")
        .await
        .assert_built(&format!("release v{VERSION} is of other sources than these"));

    // What no build reads changes nothing.
    let release = Release::new();
    release.tool("gh", "");
    release.checkout.write("docs/new.md", "a change");
    release.taken("mine/kubeclash").await.assert_released();
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_those_of_the_actions_repository() {
    let release = Release::new();
    fs::remove_file(release.checkout.sandbox.path("bin/curl")).unwrap();
    release.tool("curl", "echo 'curl: (6) no such host' >&2; exit 6");
    let taken = release.taken_from("mine/kubeclash", "");
    let url = format!("https://github.com/mine/kubeclash/releases/download/v{VERSION}/SHA256SUMS");
    taken.assert_built(&format!("{url} can't be had (curl: (6) no such host)"));
}
