//! What publishes a release: its scripts, with a gh, a docker and a cargo that note what they are told.

use std::fs;

use serde_json::json;

use crate::release_checkout::{Checkout, VERSION};

/// A folder with all that a release has to have.
pub(crate) fn whole(checkout: &Checkout) -> Vec<String> {
    let targets = checkout.says("echo ${program_targets[@]}");
    let platforms = checkout.says("echo ${component_platforms[@]}");
    let mut files = Vec::new();
    for target in targets.split(' ') {
        let name = checkout.says(&format!("program_name {VERSION} {target}"));
        files.extend([format!("{name}.tar.gz"), format!("{name}.cdx.json")]);
    }
    for platform in platforms.split(' ') {
        let name = checkout.says(&format!("components_name {VERSION} {platform}"));
        files.extend([format!("{name}.tar.gz"), format!("{name}.etcd.cdx.json")]);
        files.push(checkout.says(&format!("image_name {VERSION} {platform}")) + ".tar.gz");
    }
    for file in &files {
        checkout.write(&format!("release/{file}"), file);
    }
    files
}

/// The same with its checksums.
fn summed(checkout: &Checkout) -> Vec<String> {
    let mut files = whole(checkout);
    checkout.run("pack-sums", &["release"], &[]).assert(0, &[]);
    files.push("SHA256SUMS".to_owned());
    files.sort();
    files
}

#[test]
fn checksums_are_of_all_files_and_of_a_whole_release() {
    let checkout = Checkout::new();
    let files = whole(&checkout);
    checkout.run("pack-sums", &["release"], &[]).assert(0, &[]);
    let sums = fs::read_to_string(checkout.tree().join("release/SHA256SUMS")).unwrap();
    for file in &files {
        let sum = crate::release_checkout::sum(&checkout.tree().join("release").join(file));
        assert!(sums.contains(&format!("{sum}  {file}\n")), "{file}: {sums}");
    }
    assert_eq!(sums.lines().count(), files.len());
    // A second time it is the same: the list is none of its own lines.
    checkout.run("pack-sums", &["release"], &[]).assert(0, &[]);
    assert_eq!(
        fs::read_to_string(checkout.tree().join("release/SHA256SUMS")).unwrap(),
        sums
    );

    for file in files {
        let path = checkout.tree().join("release").join(&file);
        fs::remove_file(&path).unwrap();
        let part = file.replace(".etcd.", ".*.");
        checkout
            .run("pack-sums", &["release"], &[])
            .assert(1, &[&format!("there is no {part}")]);
        fs::write(path, &file).unwrap();
    }
}

#[test]
fn a_release_is_a_draft_until_all_of_it_is_there() {
    let checkout = Checkout::new();
    let files = summed(&checkout);
    checkout.write("notes.md", "- It is new.");
    let publish = || checkout.run("publish-release", &["release", "notes.md"], &[("LC_ALL", "C")]);
    checkout.tool("gh", "[[ $2 != view ]] || exit 1");
    publish().assert(0, &[]);
    let calls = checkout.calls();
    let created = format!(
        "gh release create v{VERSION} --draft --verify-tag --title v{VERSION} --notes-file notes.md "
    );
    let given = calls[1]
        .strip_prefix(&created)
        .unwrap_or_else(|| panic!("{calls:?}"));
    let given: Vec<&str> = given
        .split(' ')
        .map(|file| file.strip_prefix("release/").unwrap())
        .collect();
    assert_eq!(given, files);
    assert_eq!(calls[2..], [format!("gh release edit v{VERSION} --draft=false")]);

    // A draft is what an attempt before has left.
    fs::remove_file(checkout.sandbox.path("calls")).unwrap();
    checkout.tool("gh", "[[ $2 != view ]] || echo true");
    publish().assert(0, &[]);
    let verbs: Vec<String> = checkout
        .calls()
        .iter()
        .map(|call| call.split(' ').nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(verbs, ["view", "delete", "create", "edit"]);

    // What was published is not touched, nor is anything made of files that are not what they were.
    fs::remove_file(checkout.sandbox.path("calls")).unwrap();
    checkout.tool("gh", "[[ $2 != view ]] || echo false");
    publish().assert(1, &["is there already"]);
    assert_eq!(checkout.calls().len(), 1, "{:?}", checkout.calls());
    checkout.tool("gh", "[[ $2 != view ]] || exit 1");
    checkout.write(&format!("release/{}", files[1]), "another");
    publish().assert(1, &["not what SHA256SUMS says"]);
    assert_eq!(checkout.calls().len(), 1, "{:?}", checkout.calls());
}

#[test]
fn a_pre_release_is_not_the_latest() {
    let checkout = Checkout::new();
    checkout.write("Cargo.toml", "[package]\nversion = \"2.0.0-rc.1\"\n");
    checkout.write("release/one", "");
    checkout.write(
        "release/SHA256SUMS",
        &format!(
            "{}  one\n",
            crate::release_checkout::sum(&checkout.tree().join("release/one"))
        ),
    );
    checkout.tool("gh", "[[ $2 != view ]] || exit 1");
    checkout
        .run("publish-release", &["release", "notes.md"], &[])
        .assert(0, &[]);
    assert!(
        checkout.calls()[1].contains(" --prerelease "),
        "{:?}",
        checkout.calls()
    );
}

#[test]
fn images_of_all_platforms_stand_under_one_name() {
    let checkout = Checkout::new();
    whole(&checkout);
    let platforms = ["linux-amd64", "linux-arm64"];
    for platform in platforms {
        let archive = format!("kubeclash-v{VERSION}-image-{platform}.tar");
        checkout.write(&format!("release/{archive}"), platform);
        let archive = checkout.tree().join("release").join(archive);
        let gzip = std::process::Command::new("gzip").arg("-f").arg(archive).status();
        assert!(gzip.unwrap().success());
    }
    checkout.tool(
        "docker",
        "case $1 in login) echo \"password $(cat)\" >> \"$CALLS\" ;; load) cat \"$3\" >> \"$CALLS\"; echo >> \"$CALLS\" ;;\n\
         buildx) [[ $3 != inspect ]] || echo '{\"digest\":\"sha256:77\"}' ;; esac",
    );
    let name = "ghcr.io/mine/kubeclash";
    let env = [("USER", "me"), ("PASSWORD", "secret")];
    let end = checkout.run("publish-image", &[name, "release"], &env);
    end.assert(0, &[]);
    assert!(end.stdout.contains("digest=sha256:77\n"), "{end}");
    let of = |platform: &str| {
        let part = format!("{name}:{VERSION}-{}", platform.trim_start_matches("linux-"));
        [
            "docker load --input image.tar".to_owned(),
            platform.to_owned(),
            format!("docker tag {name}:{VERSION} {part}"),
            format!("docker push {part}"),
        ]
    };
    let mut wanted = vec![
        "docker login ghcr.io --username me --password-stdin".to_owned(),
        "password secret".to_owned(),
    ];
    wanted.extend(platforms.iter().flat_map(|platform| of(platform)));
    wanted.push(format!(
        "docker buildx imagetools create --tag {name}:{VERSION} --tag {name}:latest {name}:{VERSION}-amd64 {name}:{VERSION}-arm64"
    ));
    wanted.push(format!(
        "docker buildx imagetools inspect {name}:{VERSION} --format {{{{json .Manifest}}}}"
    ));
    assert_eq!(checkout.calls(), wanted);

    checkout.tool("docker", "[[ $3 != inspect ]] || echo '{}'");
    checkout
        .run("publish-image", &[name, "release"], &env)
        .assert(1, &["has no digest"]);
}

#[test]
fn crates_are_published_but_for_those_that_are() {
    let checkout = Checkout::new();
    let packages = json!({"packages": [
        {"name": "kubeclash", "version": VERSION, "publish": null},
        {"name": "kubeclash-timeline", "version": "0.2.0", "publish": null},
        {"name": "xtask", "version": "0.0.0", "publish": []},
    ]});
    let cargo = |there: &str| {
        let script = format!(
            "case $1 in metadata) echo '{packages}' ;; info) [[ ! -e Cargo.toml && $3 == {there} ]] ;; esac"
        );
        checkout.tool("cargo", &script);
    };
    let published = || {
        let calls = checkout.calls();
        let published = calls.into_iter().filter(|call| call.starts_with("cargo publish"));
        published.collect::<Vec<_>>()
    };
    cargo("kubeclash-timeline@0.2.0");
    checkout.run("publish-crates", &[], &[]).assert(0, &[]);
    assert_eq!(
        published(),
        [format!("cargo publish --locked --package kubeclash@{VERSION}")]
    );
    fs::remove_file(checkout.sandbox.path("calls")).unwrap();
    cargo("nothing");
    checkout.run("publish-crates", &[], &[]).assert(0, &[]);
    let all =
        format!("cargo publish --locked --package kubeclash@{VERSION} --package kubeclash-timeline@0.2.0");
    assert_eq!(published(), [all]);
    fs::remove_file(checkout.sandbox.path("calls")).unwrap();
    cargo("*");
    checkout.run("publish-crates", &[], &[]).assert(0, &[]);
    assert_eq!(published(), [""; 0]);
}
