//! Objects by the names that kubectl takes: `deployment/web`, `hpa/web`, `rollout/shop/web`.

use kube::Client;
use kube::discovery::{Discovery, Scope};

use super::{InjectError, ObjectRef};
use kubeclash_timeline::WorkloadRef;

/// Kinds that cases name, in small letters and as they are short, with their API version and kind. The names are those of
/// `kubectl api-resources`; each API version is in every release since v1.24.
const KNOWN: [(&[&str], &str, &str, bool); 21] = [
    (&["configmap", "cm"], "v1", "ConfigMap", true),
    (&["limitrange", "limits"], "v1", "LimitRange", true),
    (&["namespace", "ns"], "v1", "Namespace", false),
    (&["node"], "v1", "Node", false),
    (
        &["persistentvolumeclaim", "pvc"],
        "v1",
        "PersistentVolumeClaim",
        true,
    ),
    (&["pod"], "v1", "Pod", true),
    (&["replicationcontroller"], "v1", "ReplicationController", true),
    (&["resourcequota", "quota"], "v1", "ResourceQuota", true),
    (&["secret"], "v1", "Secret", true),
    (&["service", "svc"], "v1", "Service", true),
    (&["serviceaccount", "sa"], "v1", "ServiceAccount", true),
    (&["daemonset"], "apps/v1", "DaemonSet", true),
    (&["deployment"], "apps/v1", "Deployment", true),
    (&["replicaset"], "apps/v1", "ReplicaSet", true),
    (&["statefulset"], "apps/v1", "StatefulSet", true),
    (
        &["horizontalpodautoscaler", "hpa"],
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        true,
    ),
    (&["cronjob"], "batch/v1", "CronJob", true),
    (&["job"], "batch/v1", "Job", true),
    (&["lease"], "coordination.k8s.io/v1", "Lease", true),
    (
        &["poddisruptionbudget", "pdb"],
        "policy/v1",
        "PodDisruptionBudget",
        true,
    ),
    (
        &["priorityclass", "pc"],
        "scheduling.k8s.io/v1",
        "PriorityClass",
        false,
    ),
];

/// The object of a name.
///
/// # Errors
/// [`InjectError::NoSuchKind`] if the API server knows no kind of that name.
pub async fn named(client: &Client, name: &WorkloadRef) -> Result<ObjectRef, InjectError> {
    let object = |api_version: &str, kind: &str, namespaced: bool| {
        let namespace = namespaced.then_some(&*name.namespace);
        ObjectRef::new(api_version, kind, namespace, &name.name)
    };
    let is_it = |kind: &str| kind == name.kind || name.kind.strip_suffix('s') == Some(kind);
    if let Some((_, api_version, kind, namespaced)) = KNOWN
        .iter()
        .find(|(names, ..)| names.iter().any(|name| is_it(name)))
    {
        return Ok(object(api_version, kind, *namespaced));
    }
    let unknown = |cause: Option<kube::Error>| InjectError::NoSuchKind {
        kind: name.kind.clone(),
        cause: cause.map(Box::new),
    };
    let discovery = Discovery::new(client.clone())
        .run()
        .await
        .map_err(|cause| unknown(Some(cause)))?;
    let mut all = discovery
        .groups()
        .flat_map(kube::discovery::ApiGroup::recommended_resources);
    let found = all
        .find(|(resource, _)| resource.kind.eq_ignore_ascii_case(&name.kind) || resource.plural == name.kind);
    let (resource, capabilities) = found.ok_or_else(|| unknown(None))?;
    let namespaced = capabilities.scope == Scope::Namespaced;
    Ok(object(&resource.api_version, &resource.kind, namespaced))
}
