//! A small checkout with the scripts of a release in it, and a machine that has no more tools than it is given.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli_sandbox::{Ended, Sandbox, ended};
use crate::workflow_runner::root;

/// What every runner has. No gh, no docker, no cargo and no go: these are for a test to give.
const TOOLS: [&str; 31] = [
    "awk",
    "bash",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "dirname",
    "env",
    "find",
    "grep",
    "gzip",
    "install",
    "jq",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "readelf",
    "realpath",
    "rm",
    "sed",
    "sha256sum",
    "sh",
    "sort",
    "tail",
    "tar",
    "touch",
    "tr",
    "uname",
    "xargs",
];

/// A version that no kubeclash has.
pub(crate) const VERSION: &str = "9.8.7";

pub(crate) struct Checkout {
    pub(crate) sandbox: Sandbox,
}

impl Checkout {
    pub(crate) fn new() -> Self {
        let checkout = Self {
            sandbox: Sandbox::without_components(),
        };
        let scripts = checkout.tree().join(".github/scripts");
        fs::create_dir_all(&scripts).unwrap();
        for entry in fs::read_dir(root().join(".github/scripts")).unwrap() {
            let script = entry.unwrap();
            // With its mode.
            fs::copy(script.path(), scripts.join(script.file_name())).unwrap();
        }
        checkout.write(
            "Cargo.toml",
            &format!(
                "[dependencies.other]\nversion = \"1.0.0\"\n\n[package]\nname = \"kubeclash\"\nversion = \"{VERSION}\"\n"
            ),
        );
        checkout.write(
            "CHANGELOG.md",
            &format!("# Changelog\n\n## Unreleased\n\n- Not yet.\n\n## {VERSION}\n\n- It is new.\n\n## 9\n\n- Old.\n"),
        );
        for file in ["README.md", "LICENSE", "src/lib.rs"] {
            checkout.write(file, file);
        }
        let bin = checkout.sandbox.path("bin");
        fs::create_dir(&bin).unwrap();
        for tool in TOOLS {
            let dirs = std::env::var_os("PATH").unwrap();
            let found = std::env::split_paths(&dirs)
                .map(|dir| dir.join(tool))
                .find(|path| path.is_file());
            symlink(
                found.unwrap_or_else(|| panic!("there is no {tool}")),
                bin.join(tool),
            )
            .unwrap();
        }
        checkout
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.sandbox.path("home/kubeclash")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let file = self.tree().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Gives its machine a tool that notes how it was called, and then does as a script says.
    pub(crate) fn tool(&self, name: &str, script: &str) {
        let noted = format!("#!/bin/bash\necho \"{name} $*\" >> \"$CALLS\"\n{script}\n");
        self.sandbox.program(&format!("bin/{name}"), &noted);
    }

    /// What tools were called, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.sandbox.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// What its machine has set.
    pub(crate) fn env(&self) -> BTreeMap<String, OsString> {
        let path = |name: &str| self.sandbox.path(name).into_os_string();
        [
            ("PATH", path("bin")),
            ("CALLS", path("calls")),
            ("RUNNER_TEMP", path("tmp")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// Runs one of the scripts, in the checkout.
    pub(crate) fn run(&self, script: &str, args: &[&str], env: &[(&str, &str)]) -> Ended {
        let script = self.tree().join(".github/scripts").join(script);
        let mut command = self.sandbox.with(Command::new(script), args);
        command
            .current_dir(self.tree())
            .envs(self.env())
            .envs(env.iter().copied());
        ended(command)
    }

    /// What a script that is only sourced says.
    pub(crate) fn says(&self, words: &str) -> String {
        let script = format!("source .github/scripts/parts; {words}");
        let mut command = self.sandbox.with(Command::new("bash"), &["-c", &script]);
        command.current_dir(self.tree()).envs(self.env());
        let ended = ended(command);
        assert_eq!(ended.code, Some(0), "{ended}");
        ended.stdout.trim_end().to_owned()
    }
}

/// The SHA-256 of a file, as a checksum file has it.
pub(crate) fn sum(file: &Path) -> String {
    let digest = crate::component_site::digest(&fs::read(file).unwrap());
    digest.trim_start_matches("sha256:").to_owned()
}

/// A program that needs no other file, and says this.
pub(crate) fn static_program(dir: &Path, name: &str, says: &str) -> PathBuf {
    let (source, program) = (dir.join(format!("{name}.c")), dir.join(name));
    fs::write(
        &source,
        format!("#include <stdio.h>\nint main(void) {{ puts(\"{says}\"); return 0; }}\n"),
    )
    .unwrap();
    let mut cc = Command::new("cc");
    cc.arg("-static").arg(&source).arg("-o").arg(&program);
    let cc = ended(cc);
    assert_eq!(cc.code, Some(0), "{cc}");
    program
}
