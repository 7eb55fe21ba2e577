//! What a release is made of: whether it may be made, the names of its files, and what is packed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::cli_sandbox::ended;
use crate::release_checkout::{Checkout, VERSION, static_program, sum};
use crate::workflow_runner::{read, root};

/// The names in a folder, in order.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Unpacks an archive of a folder beside it.
fn unpacked(archive: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(to);
    let tar = ended(tar);
    assert_eq!(tar.code, Some(0), "{tar}");
}

/// The `include` lists of a job's matrix, by one of their keys.
fn matrix(workflow: &Value, job: &str, key: &str) -> Vec<String> {
    let include = workflow["jobs"][job]["strategy"]["matrix"]["include"]
        .as_array()
        .unwrap();
    include
        .iter()
        .map(|entry| entry[key].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_workflow_the_scripts_and_binstall_name_a_program_alike() {
    let checkout = Checkout::new();
    let targets = checkout.says("echo ${program_targets[@]}");
    let targets: Vec<&str> = targets.split(' ').collect();
    let workflow = read(".github/workflows/release.yml");
    assert_eq!(matrix(&workflow, "program", "target"), targets);
    // A machine that the action runs on finds its own among them.
    assert!(targets.contains(&&*checkout.says("own_target")));
    // Components are those of the programs for Linux, under Go's names.
    let linux: Vec<String> = matrix(&workflow, "components", "target")
        .iter()
        .map(|target| target.replace("x86_64-unknown-linux-musl", "linux-amd64"))
        .map(|target| target.replace("aarch64-unknown-linux-musl", "linux-arm64"))
        .collect();
    assert_eq!(checkout.says("echo ${component_platforms[@]}"), linux.join(" "));

    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let setting = |name: &str| {
        let (_, binstall) = manifest.split_once("[package.metadata.binstall]\n").unwrap();
        let line = binstall
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} = \"")));
        line.unwrap().trim_end_matches('"').to_owned()
    };
    for target in targets {
        let name = checkout.says(&format!("program_name {VERSION} {target}"));
        let filled = |template: &str| {
            let values = [
                ("repo", "R"),
                ("name", "kubeclash"),
                ("bin", "kubeclash"),
                ("version", VERSION),
                ("target", target),
                ("binary-ext", ""),
            ];
            let fill = |text: String, (key, value)| text.replace(&format!("{{ {key} }}"), value);
            values.into_iter().fold(template.to_owned(), fill)
        };
        assert_eq!(
            filled(&setting("pkg-url")),
            format!("R/releases/download/v{VERSION}/{name}.tar.gz")
        );
        assert_eq!(filled(&setting("bin-dir")), format!("{name}/kubeclash"));
    }
    assert_eq!(setting("pkg-fmt"), "tgz");
}

#[test]
fn the_version_is_the_packages_own_or_the_workspaces() {
    let checkout = Checkout::new();
    assert_eq!(checkout.says("own_version ."), VERSION);
    let workspace = "[package]\nversion.workspace = true\n\n[workspace.package]\nversion = \"3.2.1-rc.1\"\n";
    checkout.write("Cargo.toml", workspace);
    assert_eq!(checkout.says("own_version ."), "3.2.1-rc.1");
    let mut here = Command::new("bash");
    here.args(["-c", "source .github/scripts/parts; own_version ."])
        .current_dir(root());
    assert_eq!(ended(here).stdout.trim(), env!("CARGO_PKG_VERSION"));
}

/// A cargo that knows a repository.
fn cargo_of(checkout: &Checkout, repository: &str) {
    let metadata = json!({"packages": [{"name": "other"}, {"name": "kubeclash", "repository": repository}]});
    checkout.tool("cargo", &format!("echo '{metadata}'"));
}

#[test]
fn a_tag_is_refused_that_does_not_fit_and_a_dry_run_is_told() {
    let checkout = Checkout::new();
    let notes = checkout.sandbox.path("notes.md");
    let check = |tag: &str| {
        let env = [
            ("GITHUB_REPOSITORY", "Mine/kubeclash"),
            ("GITHUB_REF_TYPE", if tag.is_empty() { "branch" } else { "tag" }),
            ("GITHUB_REF_NAME", if tag.is_empty() { "main" } else { tag }),
        ];
        checkout.run("check-release", &[notes.to_str().unwrap()], &env)
    };
    cargo_of(&checkout, "https://github.com/Mine/kubeclash");
    let end = check(&format!("v{VERSION}"));
    end.assert(0, &[]);
    let sources = checkout.run("sources", &[], &[]).stdout;
    let outputs = format!("version={VERSION}\nsources={sources}image=ghcr.io/mine/kubeclash\n");
    assert_eq!(end.stdout, outputs);
    assert_eq!(fs::read_to_string(&notes).unwrap().trim(), "- It is new.");

    check("v1.0.0").assert(1, &["the tag is v1.0.0, and Cargo.toml has 9.8.7"]);
    let end = check("");
    end.assert(0, &[]);
    assert!(!end.stdout.contains("::warning"), "{end}");

    cargo_of(&checkout, "");
    let wanted = "Cargo.toml needs repository = \"https://github.com/Mine/kubeclash\"";
    check(&format!("v{VERSION}")).assert(1, &[wanted]);
    let end = check("");
    end.assert(0, &[]);
    assert!(
        end.stdout.contains(wanted) && end.stdout.contains("::warning"),
        "{end}"
    );

    cargo_of(&checkout, "https://github.com/Mine/kubeclash");
    checkout.write(
        "CHANGELOG.md",
        "# Changelog\n\n## Unreleased (9.8.7)\n\n- Not yet.\n",
    );
    check(&format!("v{VERSION}")).assert(1, &["CHANGELOG.md has nothing below \"## 9.8.7\""]);
    check("").assert(0, &[]);
    assert_eq!(fs::read_to_string(&notes).unwrap().trim(), "- Not yet.");
}

#[test]
fn a_program_is_packed_where_it_is_static_and_of_this_version() {
    let checkout = Checkout::new();
    let dir = checkout.sandbox.path("out");
    let release = dir.join("release");
    let pack = |program: &Path, sources: &str| {
        let args = [
            "x86_64-unknown-linux-musl",
            program.to_str().unwrap(),
            release.to_str().unwrap(),
        ];
        checkout.run("pack-program", &args, &[("SOURCES", sources)])
    };
    let program = static_program(&dir, "static", &format!("kubeclash {VERSION}"));
    pack(&program, "abc").assert(0, &[]);
    let name = format!("kubeclash-v{VERSION}-x86_64-unknown-linux-musl");
    let archive = release.join(format!("{name}.tar.gz"));
    let first = sum(&archive);
    unpacked(&archive, &dir.join("unpacked"));
    let folder = dir.join("unpacked").join(&name);
    assert_eq!(
        names(&folder),
        ["CHANGELOG.md", "LICENSE", "README.md", "SOURCES", "kubeclash"]
    );
    assert_eq!(fs::read_to_string(folder.join("SOURCES")).unwrap(), "abc\n");
    assert_eq!(sum(&folder.join("kubeclash")), sum(&program));
    let says = Command::new(folder.join("kubeclash")).output().unwrap();
    assert_eq!(says.stdout, format!("kubeclash {VERSION}\n").into_bytes());
    // The same content is the same archive, whenever it is packed.
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    checkout.write("LICENSE", "LICENSE");
    pack(&program, "abc").assert(0, &[]);
    assert_eq!(sum(&archive), first);

    let older = static_program(&dir, "older", "kubeclash 1.0.0");
    pack(&older, "abc").assert(1, &["calls itself kubeclash 1.0.0, and Cargo.toml has 9.8.7"]);
    let here = Path::new(env!("CARGO_BIN_EXE_kubeclash"));
    checkout.write(
        "Cargo.toml",
        &format!("[package]\nversion = \"{}\"\n", env!("CARGO_PKG_VERSION")),
    );
    pack(here, "abc").assert(1, &["is not static", "NEEDED"]);
}

/// A kubeclash that has built one component, in the cache that it is told of, and whose images are lists of what is there.
fn builds(checkout: &Checkout, component: &Path, kind: &str) -> PathBuf {
    let recorded = json!({"sha256": sum(component), "size": 1, "mtime_ns": 12});
    let script = format!(
        "#!/bin/bash\n\
         echo \"kubeclash $*\" >> \"$CALLS\"\n\
         entry=$KUBECLASH_CACHE/components/etcd/3.6-linux-amd64\n\
         case $1 in\n\
         components) [[ $2 != fetch ]] || {{\n\
         env | grep _MIRROR= | sort >> \"$CALLS\"; mkdir -p \"$entry\"; cp {component} \"$entry/etcd\"\n\
         echo '{recorded}' > \"$entry/entry.json\"; echo said > \"$entry/build.log\"; }}\n\
         [[ $2 != list ]] || echo '{{\"name\":\"etcd\",\"path\":\"'$entry'/etcd\",\"sha256\":\"{sum}\",\
         \"origin\":{{\"kind\":\"{kind}\"}}}}' ;;\n\
         image) find \"$KUBECLASH_CACHE\" -type f -printf '%P %T@\\n' | sort > \"$5\" ;;\n\
         esac\n",
        component = component.display(),
        sum = sum(component),
    );
    checkout.sandbox.program("kubeclash-program", &script);
    checkout.tool(
        "go",
        "case $1-$2 in env-GOOS) echo linux ;; env-GOARCH) echo amd64 ;; run-*) echo '{}' > \"$6\" ;; esac",
    );
    checkout.sandbox.path("kubeclash-program")
}

#[test]
fn components_are_built_here_and_packed_as_the_cache_has_them() {
    let checkout = Checkout::new();
    let dir = checkout.sandbox.path("out");
    let component = static_program(&dir, "etcd", "etcd");
    let pack = |kind: &str| {
        let program = builds(&checkout, &component, kind);
        let args = [program.to_str().unwrap(), "ghcr.io/mine/kubeclash:9", "release"];
        checkout.run("pack-components", &args, &[])
    };
    pack("built").assert(0, &[]);
    let release = checkout.tree().join("release");
    let name = format!("kubeclash-v{VERSION}-components-linux-amd64");
    let image = format!("kubeclash-v{VERSION}-image-linux-amd64.tar.gz");
    assert_eq!(
        names(&release),
        [
            format!("{name}.etcd.cdx.json"),
            format!("{name}.tar.gz"),
            image.clone()
        ]
    );
    unpacked(&release.join(format!("{name}.tar.gz")), &dir.join("cache"));
    let entry = dir.join("cache/components/etcd/3.6-linux-amd64");
    assert_eq!(names(&entry), ["entry.json", "etcd"]);
    assert_eq!(sum(&entry.join("etcd")), sum(&component));
    let recorded: Value = serde_json::from_slice(&fs::read(entry.join("entry.json")).unwrap()).unwrap();
    assert_eq!(recorded["mtime_ns"], 0);
    // The image is of what a user unpacks.
    let mut gzip = Command::new("gzip");
    gzip.arg("-dc").arg(release.join(image));
    let listed = ended(gzip).stdout;
    let files =
        ["entry.json", "etcd"].map(|file| format!("components/etcd/3.6-linux-amd64/{file} 0.0000000000\n"));
    assert_eq!(listed, files.concat());

    let calls = checkout.calls();
    let mirrors: BTreeSet<&str> = calls
        .iter()
        .filter_map(|call| call.split_once("_MIRROR="))
        .map(|(_, at)| at)
        .collect();
    assert_eq!(mirrors, ["127.0.0.1:9", "http://127.0.0.1:9"].into());
    let sbom = calls.iter().find(|call| call.starts_with("go run")).unwrap();
    assert!(
        sbom.contains("/cyclonedx-gomod@v") && sbom.contains(" bin -json "),
        "{sbom}"
    );

    pack("downloaded").assert(1, &["etcd was not built here, but is downloaded"]);
    let component = PathBuf::from(env!("CARGO_BIN_EXE_kubeclash"));
    let program = builds(&checkout, &component, "built");
    let args = [program.to_str().unwrap(), "ghcr.io/mine/kubeclash:9", "release"];
    checkout
        .run("pack-components", &args, &[])
        .assert(1, &["/etcd is not static"]);
}

#[test]
fn crates_are_listed_for_each_target_once() {
    let checkout = Checkout::new();
    // As cargo-cyclonedx writes one beside each Cargo.toml.
    checkout.tool(
        "cargo",
        "mkdir -p crates/logs; for dir in . crates/logs; do echo \"$dir $5\" > \"$dir/${@: -1}.json\"; done",
    );
    checkout.run("pack-sboms", &["release"], &[]).assert(0, &[]);
    let targets = checkout.says("echo ${program_targets[@]}");
    let mut wanted: Vec<String> = targets
        .split(' ')
        .map(|target| format!("kubeclash-v{VERSION}-{target}.cdx.json"))
        .collect();
    wanted.sort();
    assert_eq!(names(&checkout.tree().join("release")), wanted);
    let text = fs::read_to_string(checkout.tree().join("release").join(&wanted[2])).unwrap();
    assert_eq!(text, ". x86_64-unknown-linux-musl\n");
    assert_eq!(names(&checkout.tree().join("crates/logs")), [""; 0]);
    assert_eq!(
        names(&checkout.tree())
            .iter()
            .filter(|name| name.ends_with("json"))
            .count(),
        0
    );
}
