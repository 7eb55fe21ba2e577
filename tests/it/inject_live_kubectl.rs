//! The same manifests, applied by us and by `kubectl apply`: the objects must be the same.

#![expect(clippy::unwrap_used, reason = "part of a test, where a panic is the report")]

use std::path::Path;
use std::process::Stdio;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use kubeclash::inject::{Applied, DeleteOptions, ObjectRef, Patch, client_side_apply, delete, patch};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::inject_live::{fresh, live, namespace, remove_namespace};
use super::inject_live_sequences::Step::{Apply, Others};
use super::inject_live_sequences::sequences;

/// After each step of each sequence the two objects, the annotation and the owners of the fields are equal,
/// and so is the word for what happened. Without `kubectl` on the path it says so, and compares nothing.
pub(crate) async fn applying_gives_what_kubectl_gives(client: &Client, kubeconfig: &Path) {
    let version = Command::new("kubectl")
        .args(["version", "--client"])
        .stdout(Stdio::null())
        .status()
        .await;
    if !version.is_ok_and(|status| status.success()) {
        eprintln!("NOT COMPARED WITH KUBECTL: there is no `kubectl` on the path");
        return;
    }
    let ours = namespace(client, "ours").await;
    let theirs = namespace(client, "kubectl").await;
    let group = format!("{}.example.com", fresh("crd"));
    let definition = define_custom_resource(client, &group).await;
    let kubectl = Kubectl {
        kubeconfig,
        namespace: &theirs,
    };
    for (name, steps) in sequences(&group) {
        let mut last = None;
        for (at, step) in steps.into_iter().enumerate() {
            let context = format!("{name}, step {at}");
            match step {
                Apply(manifest) => {
                    let (mine, other) = (named(&manifest, &ours, true), named(&manifest, &theirs, false));
                    let did = client_side_apply(client, &mine)
                        .await
                        .unwrap_or_else(|e| panic!("{context}: {e}"));
                    let word = kubectl.apply(&other).await;
                    // kubectl sends the selector of a budget each time (see `inject::merge`).
                    let same = word_of(did) == word || (name == "budget" && did == Applied::Unchanged);
                    assert!(same, "{context}: ours {did:?}, kubectl's {word}");
                    let reference = |manifest: &Value, namespace: &str| ObjectRef {
                        namespace: Some(namespace.to_owned()),
                        ..ObjectRef::from_manifest(manifest).unwrap()
                    };
                    last = Some((reference(&mine, &ours), reference(&other, &theirs), mine));
                }
                Others(change) => {
                    let (mine, other, _) = last.as_ref().expect("something was applied");
                    for object in [mine, other] {
                        patch(client, object, &Patch::Merge(change.clone()))
                            .await
                            .unwrap();
                    }
                }
            }
            let (mine, other, _) = last.as_ref().expect("a sequence starts with an apply");
            let (mine, other) = (live(client, mine).await, live(client, other).await);
            let difference = difference("", &comparable(mine, &ours), &comparable(other, &theirs));
            assert_eq!(difference, None, "{context}");
        }
        let (mine, other, manifest) = last.expect("a sequence is not empty");
        // The two understand each other's annotations.
        let unchanged = Kubectl {
            kubeconfig,
            namespace: &ours,
        }
        .apply(&manifest)
        .await;
        let did = client_side_apply(client, &manifest).await.unwrap();
        assert!(
            unchanged == word_of(did) || name == "budget",
            "{name}: ours {did:?}, kubectl's {unchanged}"
        );
        for object in [mine, other] {
            delete(client, &object, &DeleteOptions::default()).await.unwrap();
        }
    }
    delete(client, &definition, &DeleteOptions::default())
        .await
        .unwrap();
    remove_namespace(client, &ours).await;
    remove_namespace(client, &theirs).await;
}

struct Kubectl<'a> {
    kubeconfig: &'a Path,
    namespace: &'a str,
}

impl Kubectl<'_> {
    /// Applies `manifest` and returns the last word that kubectl says.
    async fn apply(&self, manifest: &Value) -> String {
        let mut child = Command::new("kubectl")
            .args([
                "apply",
                "--namespace",
                self.namespace,
                "--filename",
                "-",
                "--kubeconfig",
            ])
            .arg(self.kubeconfig)
            // The user's own cache and preferences are none of this test's business.
            .arg("--cache-dir")
            .arg(self.kubeconfig.with_file_name("kubectl-cache"))
            .env("KUBERC", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin
            .write_all(manifest.to_string().as_bytes())
            .await
            .expect("kubectl reads");
        drop(stdin);
        let output = child.wait_with_output().await.expect("kubectl ends");
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "kubectl: {err}");
        out.split_whitespace().last().unwrap_or_default().to_owned()
    }
}

fn word_of(applied: Applied) -> &'static str {
    match applied {
        Applied::Created => "created",
        Applied::Configured => "configured",
        Applied::Unchanged => "unchanged",
    }
}

/// `manifest` for one of the two; ours has its namespace written out, kubectl's comes from its flag.
fn named(manifest: &Value, namespace: &str, write_out: bool) -> Value {
    let text = manifest.to_string().replace("NAME", namespace);
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    let cluster_wide = manifest["kind"] == "PriorityClass";
    if write_out && !cluster_wide {
        manifest["metadata"]["namespace"] = namespace.into();
    }
    manifest
}

/// An object without what differs by nature: identities, times, addresses, and what controllers add.
fn comparable(mut object: Value, namespace: &str) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    let controllers = ["kube-controller-manager", "kube-scheduler", "kwok"];
    let managers = metadata["managedFields"].as_array_mut().unwrap();
    managers.retain(|entry| !controllers.contains(&entry["manager"].as_str().unwrap_or_default()));
    // Sorted by time, which has seconds.
    managers.sort_by_key(|entry| entry["manager"].to_string());
    for entry in managers {
        entry.as_object_mut().unwrap().remove("time");
    }
    let object = object.as_object_mut().unwrap();
    object.remove("status");
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|field, _| !field.starts_with("clusterIP"));
    }
    serde_json::from_str(&json!(object).to_string().replace(namespace, "NAME")).unwrap()
}

/// Where two values differ first, with ours and theirs.
fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let fields = a.keys().chain(b.keys().filter(|field| !a.contains_key(*field)));
            fields
                .filter_map(|field| difference(&format!("{path}/{field}"), &ours[field], &theirs[field]))
                .next()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .filter_map(|(at, (a, b))| difference(&format!("{path}/{at}"), a, b))
            .next(),
        _ => (ours != theirs).then(|| format!("{path}: ours {ours}, kubectl's {theirs}")),
    }
}

async fn define_custom_resource(client: &Client, group: &str) -> ObjectRef {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("wotsits.{group}") },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": { "kind": "Wotsit", "plural": "wotsits" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true
                } }
            }]
        }
    });
    assert_eq!(
        client_side_apply(client, &definition).await.unwrap(),
        Applied::Created
    );
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let name = format!("wotsits.{group}");
    await_condition(api, &name, conditions::is_crd_established())
        .await
        .expect("it is established");
    assert_eq!(
        client_side_apply(client, &definition).await.unwrap(),
        Applied::Unchanged
    );
    ObjectRef::from_manifest(&definition).unwrap()
}
