//! Which file of an image is its program.

use std::path::{Path, PathBuf};

/// Where an image's program can be, the likeliest first.
///
/// That is what the image starts, if it has the name that is looked for: Kubernetes' own images start `go-runner`,
/// others a shell or an `init`, and such a thing would be a program, but the wrong one. Then the first that is none
/// of these; then the places where images have their programs.
pub(super) fn programs(config: &serde_json::Value, name: &str) -> Vec<PathBuf> {
    let config = &config["config"];
    let words = |field: &str| {
        let words = config[field].as_array().into_iter().flatten();
        words.filter_map(|word| word.as_str()).collect::<Vec<_>>()
    };
    let started: Vec<_> = [words("Entrypoint"), words("Cmd")].concat();
    let last = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let named = started.iter().filter(|word| last(word) == name);
    let wrapper = |word: &str| WRAPPERS.contains(&last(word).as_str());
    let first = started
        .iter()
        .find(|word| !word.starts_with('-') && !word.contains(' ') && !wrapper(word));
    let environment = words("Env");
    let path = environment
        .iter()
        .find_map(|variable| variable.strip_prefix("PATH="));
    let path = path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let folder = config["WorkingDir"].as_str().unwrap_or("/");
    let place = |word: &&str| {
        if word.contains('/') {
            vec![Path::new("/").join(folder).join(word)]
        } else {
            path.split(':')
                .map(|folder| Path::new("/").join(folder).join(word))
                .collect()
        }
    };
    let usual = ["/bin", "/usr/local/bin", "/usr/bin", "/", "/app", "/ko-app"];
    let mut paths: Vec<_> = named.chain(first).flat_map(place).collect();
    paths.extend(usual.map(|folder| Path::new(folder).join(name)));
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

/// What images start in order to start something else.
const WRAPPERS: [&str; 11] = [
    "sh",
    "bash",
    "ash",
    "dash",
    "busybox",
    "env",
    "exec",
    "tini",
    "dumb-init",
    "catatonit",
    "go-runner",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first(config: serde_json::Value) -> String {
        programs(&json!({ "config": config }), "descheduler")[0]
            .display()
            .to_string()
    }

    #[test]
    fn an_images_program_is_what_it_starts() {
        let path = json!(["A=b", "PATH=/opt/bin:/bin"]);
        assert_eq!(
            first(json!({"Entrypoint": ["/bin/descheduler"]})),
            "/bin/descheduler"
        );
        assert_eq!(
            first(json!({"Cmd": ["/bin/descheduler", "--help"]})),
            "/bin/descheduler"
        );
        assert_eq!(
            first(json!({"Entrypoint": ["descheduler"], "Env": path})),
            "/opt/bin/descheduler"
        );
        assert_eq!(
            first(json!({"Entrypoint": ["./out/mine"], "WorkingDir": "/src"})),
            "/src/./out/mine"
        );
        assert_eq!(
            first(json!({"Entrypoint": ["/tini", "--"], "Cmd": ["/ko-app/mine"]})),
            "/ko-app/mine"
        );
        assert_eq!(
            first(json!({"Entrypoint": ["/manager", "/x/descheduler"]})),
            "/x/descheduler"
        );
    }

    #[test]
    fn what_only_starts_something_else_is_not_it() {
        for config in [
            json!({"Entrypoint": ["/go-runner"]}),
            json!({"Entrypoint": ["/bin/sh", "-c", "exec /descheduler -v 2"]}),
            json!({}),
        ] {
            assert_eq!(first(config), "/bin/descheduler");
        }
        let paths = programs(&json!({"config": null}), "descheduler");
        assert!(paths.contains(&PathBuf::from("/descheduler")), "{paths:?}");
    }
}
