//! Arguments that a user adds to a component's own, and those that kubeclash itself needs.

/// A flag that kubeclash sets, and what to do instead.
type Taken = (&'static str, &'static str);

/// Where it talks to, where it listens, and as whom: what makes a cluster one of its own.
const OF_ALL: [Taken; 9] = [
    ("kubeconfig", ISOLATION),
    ("client-connection-kubeconfig", ISOLATION),
    ("master", ISOLATION),
    ("secure-port", ISOLATION),
    ("bind-address", ISOLATION),
    ("cert-dir", ISOLATION),
    ("tls-cert-file", ISOLATION),
    ("tls-private-key-file", ISOLATION),
    (
        "leader-elect",
        "there is one of each component, and none is elected",
    ),
];

const ISOLATION: &str = "a cluster has ports, certificates and kubeconfigs of its own";

const OF_SCHEDULERS: [Taken; 2] = [
    ("config", "--scheduler-config names the file"),
    (
        "write-config-to",
        "a scheduler that writes its configuration does not run",
    ),
];

const OF_DESCHEDULERS: [Taken; 2] = [
    ("policy-config-file", "--descheduler-policy names the file"),
    ("descheduling-interval", "--pace sets it"),
];

const OF_CONTROLLER_MANAGERS: [Taken; 2] = [
    (
        "controllers",
        "cluster.controller-manager.controllers names more of them",
    ),
    ("root-ca-file", ISOLATION),
];

/// Besides what every server has, where it keeps things and whom it believes.
const OF_APISERVERS: [Taken; 11] = [
    ("etcd-servers", ISOLATION),
    ("advertise-address", ISOLATION),
    ("client-ca-file", ISOLATION),
    ("anonymous-auth", ISOLATION),
    ("service-account-key-file", ISOLATION),
    ("service-account-signing-key-file", ISOLATION),
    ("requestheader-client-ca-file", ISOLATION),
    ("proxy-client-cert-file", ISOLATION),
    ("proxy-client-key-file", ISOLATION),
    ("audit-log-path", "verdicts are made of the audit log"),
    ("audit-policy-file", "verdicts are made of the audit log"),
];

/// Takes one more argument of the controller-manager.
///
/// # Errors
/// When it would take one of kubeclash's own away; in words.
pub fn controller_manager_arg(text: &str) -> Result<String, String> {
    let all = OF_ALL.iter().chain(&OF_CONTROLLER_MANAGERS);
    refused(text, all).map_or_else(|| Ok(text.to_owned()), Err)
}

/// Takes one more argument of the API server.
///
/// # Errors
/// When it would take one of kubeclash's own away; in words.
pub fn apiserver_arg(text: &str) -> Result<String, String> {
    let all = OF_ALL.iter().chain(&OF_APISERVERS);
    refused(text, all).map_or_else(|| Ok(text.to_owned()), Err)
}

/// Takes one more argument of the scheduler.
///
/// # Errors
/// When it would take one of kubeclash's own away; in words.
pub fn scheduler_arg(text: &str) -> Result<String, String> {
    let all = OF_ALL.iter().chain(&OF_SCHEDULERS);
    refused(text, all).map_or_else(|| Ok(text.to_owned()), Err)
}

/// Takes one more argument of the descheduler.
///
/// # Errors
/// When it would take one of kubeclash's own away; in words.
pub fn descheduler_arg(text: &str) -> Result<String, String> {
    if ["--v=0", "-v=0", "-v0"].contains(&text) {
        return Err("its cycles are counted by what it says at --v=1".to_owned());
    }
    if is_dry_run(text) {
        return Err("who evicts nothing on purpose cures nothing, whatever it would evict".to_owned());
    }
    let all = OF_ALL.iter().chain(&OF_DESCHEDULERS);
    refused(text, all).map_or_else(|| Ok(text.to_owned()), Err)
}

/// Whether it asks for a dry run; a value that is neither true nor false is for the descheduler to refuse.
fn is_dry_run(text: &str) -> bool {
    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
    flag(name).is_some_and(|name| name == "dry-run")
        && ["1", "t", "T", "TRUE", "true", "True"].contains(&value)
}

/// The name of a flag, as it is told; components take _ for - in it.
fn flag(text: &str) -> Option<String> {
    let name = text.strip_prefix('-')?.trim_start_matches('-');
    Some(name.replace('_', "-"))
}

fn refused<'a>(text: &str, mut taken: impl Iterator<Item = &'a Taken>) -> Option<String> {
    let name = flag(text.split('=').next().unwrap_or_default())?;
    let (flag, instead) =
        taken.find(|(flag, _)| name == *flag || (*flag == "leader-elect" && name.starts_with(flag)))?;
    Some(format!("--{flag} is kubeclash's own: {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubeclash_needs_is_refused_by_name_and_the_rest_is_taken() {
        for taken in [
            "--kubeconfig=/etc/x",
            "--secure-port",
            "--secure_port=1",
            "-kubeconfig=x",
            "--leader-elect=true",
            "--leader-elect-lease-duration=1s",
            "--config=x",
        ] {
            let refusal = scheduler_arg(taken).unwrap_err();
            assert!(refusal.contains("is kubeclash's own"), "{taken}: {refusal}");
        }
        assert!(
            scheduler_arg("--config=x")
                .unwrap_err()
                .contains("--scheduler-config")
        );
        for free in [
            "--v=5",
            "--feature-gates=A=true",
            "5",
            "--configure=x",
            "--kube-api-qps=1",
        ] {
            assert_eq!(scheduler_arg(free).as_deref(), Ok(free));
        }
        let refusal = descheduler_arg("--policy-config-file=x").unwrap_err();
        assert!(refusal.contains("--descheduler-policy"), "{refusal}");
        assert!(
            descheduler_arg("--descheduling-interval=1s")
                .unwrap_err()
                .contains("--pace")
        );
        for dry in ["--dry-run", "--dry-run=true", "--dry_run=1", "-dry-run=T"] {
            let refusal = descheduler_arg(dry).unwrap_err();
            assert!(refusal.contains("cures nothing"), "{dry}: {refusal}");
        }
        for wet in ["--dry-run=false", "--dry-run=0", "--dry-runner", "dry-run"] {
            assert_eq!(descheduler_arg(wet).as_deref(), Ok(wet));
        }
        assert!(scheduler_arg("--dry-run").is_ok(), "it is the descheduler's");
        assert!(descheduler_arg("--v=0").is_err());
        assert_eq!(descheduler_arg("--v=5").as_deref(), Ok("--v=5"));
        assert_eq!(
            descheduler_arg("--config=x").as_deref(),
            Ok("--config=x"),
            "it has no such flag to lose"
        );
    }
}
