use std::fs;
use std::io::Write;

use serde_json::json;

use super::*;

/// A line as API servers from v1.24 to v1.36 write it.
fn line(name: &str) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": "6f2c", "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/default/pods/web-1/eviction?timeout=10s", "verb": "create",
        "user": {"username": "system:serviceaccount:kube-system:descheduler", "groups": ["system:authenticated"]},
        "sourceIPs": ["127.0.0.1"],
        "userAgent": "descheduler/v0.36.0 (linux/amd64) kubernetes/0d1e2f3/descheduler",
        "objectRef": {"resource": "pods", "namespace": "default", "name": name, "apiVersion": "v1", "subresource": "eviction"},
        "responseStatus": {"metadata": {}, "status": "Success", "code": 201},
        "requestObject": {"kind": "Eviction", "metadata": {"name": name, "annotations": {
            "reason": "triggered by default/RemoveDuplicates: ", "requested-by": "sigs.k8s.io/descheduler"}}},
        "requestReceivedTimestamp": "2026-11-22T10:58:13.123456Z", "stageTimestamp": "2026-11-22T10:58:13.130000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
    })
}

fn request(line: &Value) -> RequestSeen {
    parse(line.to_string().as_bytes()).expect("it is a line").request
}

#[test]
fn a_line_says_who_asked_for_what_and_why() {
    let heard = parse(line("web-1").to_string().as_bytes()).unwrap();
    assert_eq!(heard.at.to_string(), "2026-11-22T10:58:13.123456Z");
    let expected = RequestSeen {
        agent: "descheduler/descheduler".to_owned(),
        verb: "create".to_owned(),
        resource: "pods/eviction".to_owned(),
        namespace: "default".to_owned(),
        name: "web-1".to_owned(),
        code: 201,
        why: Some("RemoveDuplicates".to_owned()),
        ..RequestSeen::default()
    };
    assert_eq!(heard.request, expected);
}

#[test]
fn a_generated_name_the_replicas_and_a_closed_node_are_in_the_answer_and_a_node_is_in_a_binding() {
    let mut created = line("");
    created["objectRef"] = json!({"resource": "pods", "namespace": "default", "apiVersion": "v1"});
    created["responseObject"] = json!({"metadata": {"name": "web-7x2fz"}, "spec": {"nodeName": "w1"}});
    assert_eq!(
        (request(&created).name.as_str(), request(&created).why),
        ("web-7x2fz", None)
    );
    let mut scaled = line("web");
    scaled["objectRef"] = json!({"resource": "deployments", "subresource": "scale", "name": "web"});
    // As they are written, none are left out.
    scaled["responseObject"] = json!({"kind": "Scale", "spec": {}, "status": {"replicas": 3}});
    assert_eq!(request(&scaled).replicas, Some(0));
    scaled["responseObject"] = json!({"kind": "Status", "code": 409});
    assert_eq!(request(&scaled).replicas, None);
    scaled["responseObject"] = json!({"kind": "Scale", "spec": {"replicas": 6}, "status": {"replicas": 3}});
    assert_eq!(
        (request(&scaled).replicas, request(&scaled).cordoned),
        (Some(6), None)
    );
    let mut cordoned = line("w1");
    cordoned["objectRef"] = json!({"resource": "nodes", "name": "w1"});
    cordoned["responseObject"] = json!({"spec": {"unschedulable": true}});
    assert_eq!(request(&cordoned).cordoned, Some(true));
    cordoned["responseObject"] = json!({"spec": {}});
    assert_eq!(request(&cordoned).cordoned, Some(false));
    let mut bound = line("web-1");
    bound["objectRef"]["subresource"] = json!("binding");
    bound["requestObject"] = json!({"target": {"kind": "Node", "name": "w1"}});
    assert_eq!(
        (request(&bound).node.as_deref(), request(&bound).why),
        (Some("w1"), None)
    );
    // A JSON patch is a list.
    bound["requestObject"] = json!([{"op": "replace"}]);
    assert_eq!(request(&bound).node, None);
}

/// As an API server answers an eviction that a budget forbids, and a change that came too late.
#[test]
fn a_refusal_says_why() {
    let mut refused = line("web-1");
    refused["responseStatus"] = json!({"metadata": {}, "status": "Failure", "reason": "TooManyRequests", "code": 429,
        "message": "Cannot evict pod as it would violate the pod's disruption budget.",
        "details": {"causes": [{"reason": "DisruptionBudget",
            "message": "The disruption budget web needs 3 healthy pods and has 3 currently"}]}});
    assert_eq!(
        request(&refused).refusal.as_deref(),
        Some(
            "TooManyRequests: Cannot evict pod as it would violate the pod's disruption budget. \
             (The disruption budget web needs 3 healthy pods and has 3 currently)"
        )
    );
    refused["responseStatus"] = json!({"reason": "Invalid", "code": 422, "message": "spec: too long\n",
        "details": {"causes": [{"message": "too long"}]}});
    assert_eq!(
        request(&refused).refusal.as_deref(),
        Some("Invalid: spec: too long?")
    );
    refused["responseStatus"] = json!({"code": 409, "reason": "x".repeat(1_000)});
    assert_eq!(request(&refused).refusal.unwrap().chars().count(), 254);
    refused["responseStatus"] = json!({"code": 403});
    assert_eq!((request(&refused).refusal, request(&refused).code), (None, 403));
    refused["responseStatus"] = json!({"code": 201, "message": "made"});
    assert_eq!(request(&refused).refusal, None);
}

#[test]
fn an_agent_is_its_program_and_the_client_that_it_names() {
    let go =
        |program: &str, client: &str| format!("{program}/v1.24.17 (linux/amd64) kubernetes/22a9682{client}");
    for (agent_text, user, expected) in [
        (
            go("kube-controller-manager", "/replicaset-controller"),
            "",
            "kube-controller-manager/replicaset-controller",
        ),
        (
            go(
                "kube-controller-manager",
                "/system:serviceaccount:kube-system:replicaset-controller",
            ),
            "",
            "kube-controller-manager/replicaset-controller",
        ),
        (go("kube-scheduler", "/scheduler"), "", "kube-scheduler/scheduler"),
        (go("descheduler", ""), "", "descheduler"),
        (
            "kubectl/kubeclash-0.1.0".to_owned(),
            "kubeclash",
            "kubectl/kubeclash",
        ),
        ("Mozilla/5.0 (X11)".to_owned(), "", "Mozilla"),
        (String::new(), "system:admin", "system:admin"),
        (String::new(), "", "unknown"),
        ("\u{1b}[31mred/1".to_owned(), "", "?[31mred"),
        (go("a", "/"), "", "a"),
    ] {
        assert_eq!(agent(&agent_text, user), expected, "{agent_text:?}");
    }
    assert_eq!(agent(&"x".repeat(10_000), "").chars().count(), 64);
    assert_eq!(
        agent(
            "kube-scheduler/v0.32.7 (linux/amd64) kubernetes/x/scheduler",
            "system:second-scheduler"
        ),
        "second-scheduler/scheduler"
    );
}

#[test]
fn a_manager_is_in_the_query() {
    let uri = "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=kubectl-client-side-apply&fieldValidation=Strict";
    assert_eq!(manager(uri).as_deref(), Some("kubectl-client-side-apply"));
    assert_eq!(manager("/apis/apps/v1?notFieldManager=x"), None);
    assert_eq!(manager("/apis/apps/v1"), None);
}

#[test]
fn what_could_disturb_a_reader_is_replaced() {
    let mut hostile = line("web\n\u{1b}[2J\u{202e}evil");
    hostile["requestObject"]["metadata"]["annotations"]["reason"] = json!("x\r".repeat(1_000));
    let request = request(&hostile);
    assert_eq!(request.name, "web??[2J?evil");
    assert!(
        request
            .why
            .is_some_and(|why| why.starts_with("x?x?") && why.chars().count() == 254)
    );
}

#[test]
fn what_is_no_answered_request_is_passed_over() {
    for missing in ["verb", "objectRef", "responseStatus", "requestReceivedTimestamp"] {
        let mut line = line("web-1");
        line.as_object_mut().unwrap().remove(missing);
        assert_eq!(parse(line.to_string().as_bytes()), None, "{missing}");
    }
    let mut date = line("web-1");
    date["requestReceivedTimestamp"] = json!("yesterday");
    assert_eq!(parse(date.to_string().as_bytes()), None);
    assert_eq!(parse(b"not json"), None);
    assert_eq!(parse(&[0xff, 0xfe]), None);
}

struct Log {
    dir: tempfile::TempDir,
    tail: Tail,
}

impl Log {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tail = Tail::of(&dir.path().join("audit.log"));
        Self { dir, tail }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    fn append(&self, bytes: &[u8]) {
        let file = fs::OpenOptions::new().create(true).append(true).open(self.path());
        file.unwrap().write_all(bytes).unwrap();
    }

    fn lines(&self, names: &[&str]) {
        for name in names {
            self.append(format!("{}\n", line(name)).as_bytes());
        }
    }

    fn names(&mut self) -> Vec<String> {
        let heard = self.tail.read().unwrap();
        heard.into_iter().map(|one| one.request.name).collect()
    }
}

#[test]
fn a_log_is_read_as_it_grows_and_a_line_when_it_is_whole() {
    let mut log = Log::new();
    assert_eq!(log.names(), [""; 0], "it is not there yet");
    log.lines(&["a", "b"]);
    assert_eq!(log.names(), ["a", "b"]);
    let text = format!("{}\n", line("c"));
    let (begins, ends) = text.split_at(100);
    log.append(begins.as_bytes());
    assert_eq!(log.names(), [""; 0]);
    log.append(ends.as_bytes());
    assert_eq!(log.names(), ["c"]);
    assert_eq!(log.tail.passed_over, 0);
}

#[test]
fn what_only_reads_and_is_of_no_object_is_none_that_was_passed_over() {
    let mut log = Log::new();
    let mut asked = line("");
    for verb in ["get", "create"] {
        asked["verb"] = json!(verb);
        asked["requestURI"] = json!("/version");
        asked.as_object_mut().unwrap().remove("objectRef");
        log.append(format!("{asked}\n").as_bytes());
    }
    assert_eq!(log.names(), [""; 0]);
    assert_eq!(log.tail.passed_over, 1, "only that which may have done something");
}

#[test]
fn bad_and_huge_lines_are_passed_over_and_those_after_them_are_not() {
    let mut log = Log::new();
    log.append(b"garbage\n");
    log.lines(&["a"]);
    let mut huge = line("huge");
    huge["requestObject"]["padding"] = json!("x".repeat(LINE));
    log.append(format!("{huge}\n").as_bytes());
    log.lines(&["b"]);
    assert_eq!(log.names(), ["a", "b"]);
    assert_eq!(log.tail.passed_over, 2);
    // However long a line gets, no more than the bound is kept of it.
    log.append(&vec![b'x'; 3 * LINE]);
    assert_eq!(log.names(), [""; 0]);
    assert!(log.tail.part.len() <= LINE);
    log.append(b"\n");
    log.lines(&["c"]);
    assert_eq!(log.names(), ["c"]);
}

#[test]
fn a_log_that_is_rotated_or_cut_is_read_on() {
    let mut log = Log::new();
    log.lines(&["a"]);
    assert_eq!(log.names(), ["a"]);
    log.lines(&["b"]);
    fs::rename(log.path(), log.dir.path().join("audit-2026.log")).unwrap();
    assert_eq!(
        log.names(),
        ["b"],
        "the end of the old one, while there is no new one"
    );
    log.lines(&["c"]);
    assert_eq!(log.names(), ["c"]);
    log.append(b"half a line");
    assert_eq!(log.names(), [""; 0]);
    fs::write(log.path(), "").unwrap();
    log.lines(&[]);
    assert_eq!(log.names(), [""; 0]);
    log.lines(&["d"]);
    assert_eq!(log.names(), ["d"]);
    assert_eq!(log.tail.passed_over, 1);
}
