//! Timelines of format 1, which knew deployments and replica sets by name and pods by their `app` label.
//!
//! What format 1 did not keep is read off names: a replica set `web-5d4f` is one of deployment `web`, and an autoscaler scales
//! the deployment of its own name. Both were so in every case that was recorded in it.

use serde_json::{Map, Value, json};

/// Puts an entry of format 1 into the form of format 2.
pub(super) fn upgrade(entry: &mut Value) {
    let Some(entry) = entry.as_object_mut() else {
        return;
    };
    if let Some(mut deployment) = taken(entry, "deployment") {
        deployment.insert("kind".to_owned(), json!("deployment"));
        entry.insert("workload".to_owned(), Value::Object(deployment));
    }
    if let Some(mut set) = taken(entry, "replica_set") {
        set.insert("kind".to_owned(), json!("replicaset"));
        let owner = set
            .get("name")
            .and_then(Value::as_str)
            .and_then(|name| name.rsplit_once('-'));
        if let Some((owner, _)) = owner {
            set.insert(
                "owner".to_owned(),
                json!({"kind": "Deployment", "name": owner, "uid": ""}),
            );
        }
        entry.insert("workload".to_owned(), Value::Object(set));
    }
    if let Some(Value::Object(pod)) = entry.get_mut("pod")
        && let Some(app) = pod.remove("app")
    {
        pod.insert("labels".to_owned(), json!({"app": app}));
    }
    if let Some(Value::Object(hpa)) = entry.get_mut("hpa")
        && let Some(name) = hpa.get("name").and_then(Value::as_str)
    {
        let target = format!("deployment/{name}");
        hpa.insert("target".to_owned(), json!(target));
    }
}

fn taken(entry: &mut Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    match entry.remove(key) {
        Some(Value::Object(map)) => Some(map),
        Some(other) => {
            entry.insert(key.to_owned(), other);
            None
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_replica_sets_pods_and_autoscalers_are_put_into_the_new_form() {
        let upgraded = |mut entry: Value| {
            upgrade(&mut entry);
            entry
        };
        assert_eq!(
            upgraded(json!({"t_ms": 1.0, "deployment": {"change": "seen", "name": "web", "wanted": 3}})),
            json!({"t_ms": 1.0, "workload": {"change": "seen", "name": "web", "wanted": 3, "kind": "deployment"}})
        );
        assert_eq!(
            upgraded(json!({"replica_set": {"name": "web-app-5d4f"}}))["workload"]["owner"]["name"],
            "web-app"
        );
        assert_eq!(
            upgraded(json!({"pod": {"uid": "u", "app": "web"}})),
            json!({"pod": {"uid": "u", "labels": {"app": "web"}}})
        );
        assert_eq!(
            upgraded(json!({"hpa": {"name": "web"}}))["hpa"]["target"],
            "deployment/web"
        );
        assert_eq!(upgraded(json!({"mark": "m"})), json!({"mark": "m"}));
    }
}
