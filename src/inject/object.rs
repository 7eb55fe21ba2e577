//! Which object is meant, and the changes that any object takes: patch, label, delete.

use std::fmt;
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, GetParams, Patch as KubePatch, PatchParams, PostParams, ValidationDirective};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Request};
use kube::discovery::{self, Scope};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};

use super::{InjectError, status};

/// An object of a cluster, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// Group and version, such as `apps/v1`; `v1` for the core group.
    pub api_version: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// The namespace; `None` for an object of the whole cluster, or for the client's default namespace.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// An object by its four coordinates.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// A node.
    #[must_use]
    pub fn node(name: &str) -> Self {
        Self::new("v1", "Node", None, name)
    }

    /// A pod.
    #[must_use]
    pub fn pod(namespace: &str, name: &str) -> Self {
        Self::new("v1", "Pod", Some(namespace), name)
    }

    /// The object that a manifest describes.
    ///
    /// # Errors
    ///
    /// [`InjectError::Manifest`] if `apiVersion`, `kind` or `metadata.name` is missing. `generateName` is
    /// no name: an object that gets a new name each time can't be applied.
    pub fn from_manifest(manifest: &Value) -> Result<Self, InjectError> {
        let text = |pointer: &str| {
            manifest
                .pointer(pointer)?
                .as_str()
                .filter(|text| !text.is_empty())
        };
        let required = |pointer: &str, missing| {
            text(pointer).ok_or_else(|| InjectError::Manifest {
                missing,
                manifest: manifest.to_string().chars().take(120).collect(),
            })
        };
        Ok(Self::new(
            required("/apiVersion", "apiVersion")?,
            required("/kind", "kind")?,
            text("/metadata/namespace"),
            required("/metadata/name", "metadata.name")?,
        ))
    }

    fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    fn gvk(&self) -> GroupVersionKind {
        let version = self.api_version.rsplit('/').next().unwrap_or_default();
        GroupVersionKind::gvk(self.group(), version, &self.kind)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectRef {
            kind,
            namespace,
            name,
            ..
        } = self;
        match namespace {
            Some(namespace) => write!(f, "{kind} \"{namespace}/{name}\""),
            None => write!(f, "{kind} \"{name}\""),
        }
    }
}

/// Group, kind, plural, and whether it lives in a namespace, of the kinds that cases use.
///
/// Discovery would answer the same, with two more requests per object. The names are those of
/// `kubectl api-resources`.
const KINDS: &[(&str, &str, &str, bool)] = &[
    ("", "ConfigMap", "configmaps", true),
    ("", "Namespace", "namespaces", false),
    ("", "Node", "nodes", false),
    ("", "PersistentVolume", "persistentvolumes", false),
    ("", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("", "Pod", "pods", true),
    ("", "ResourceQuota", "resourcequotas", true),
    ("", "Secret", "secrets", true),
    ("", "Service", "services", true),
    ("", "ServiceAccount", "serviceaccounts", true),
    ("apiregistration.k8s.io", "APIService", "apiservices", false),
    ("apps", "DaemonSet", "daemonsets", true),
    ("apps", "Deployment", "deployments", true),
    ("apps", "ReplicaSet", "replicasets", true),
    ("apps", "StatefulSet", "statefulsets", true),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
    ),
    ("batch", "CronJob", "cronjobs", true),
    ("batch", "Job", "jobs", true),
    ("coordination.k8s.io", "Lease", "leases", true),
    ("policy", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        "clusterrolebindings",
        false,
    ),
    ("rbac.authorization.k8s.io", "Role", "roles", true),
    ("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true),
    ("scheduling.k8s.io", "PriorityClass", "priorityclasses", false),
];

/// An object and where the API server keeps it.
pub(super) struct Located<'a> {
    client: &'a Client,
    /// With its namespace, if it lives in one.
    pub(super) object: ObjectRef,
    pub(super) resource: ApiResource,
}

/// Finds out where `object` is kept, from the table or else from the API server.
pub(super) async fn locate<'a>(client: &'a Client, object: &ObjectRef) -> Result<Located<'a>, InjectError> {
    let gvk = object.gvk();
    let known = KINDS
        .iter()
        .find(|(group, kind, ..)| *group == gvk.group && *kind == gvk.kind);
    let (resource, namespaced) = match known {
        Some((_, _, plural, namespaced)) => (ApiResource::from_gvk_with_plural(&gvk, plural), *namespaced),
        None => {
            let (resource, capabilities) =
                discovery::pinned_kind(client, &gvk)
                    .await
                    .map_err(|cause| InjectError::UnknownKind {
                        object: object.to_string(),
                        cause: Box::new(cause),
                    })?;
            (resource, capabilities.scope == Scope::Namespaced)
        }
    };
    let mut object = object.clone();
    object.namespace = namespaced.then(|| {
        object
            .namespace
            .unwrap_or_else(|| client.default_namespace().to_owned())
    });
    Ok(Located {
        client,
        object,
        resource,
    })
}

impl Located<'_> {
    fn collection(&self) -> Request {
        Request::new(DynamicObject::url_path(
            &self.resource,
            self.object.namespace.as_deref(),
        ))
    }

    fn api(&self) -> Api<DynamicObject> {
        match &self.object.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &self.resource),
            None => Api::all_with(self.client.clone(), &self.resource),
        }
    }

    /// The live object as the API server writes it, which a typed client would not keep.
    pub(super) async fn get(&self) -> Result<Option<Value>, InjectError> {
        let fail = |cause| InjectError::request("read", &self.object, cause);
        let request = self.collection().get(&self.object.name, &GetParams::default());
        let request = request.map_err(kube::Error::BuildRequest).map_err(fail)?;
        match self.client.request(request).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if status(&error).is_some_and(|status| status.code == 404) => Ok(None),
            Err(error) => Err(fail(error)),
        }
    }

    /// Creates the object, and has unknown fields refused as kubectl does (`--validate=strict`).
    pub(super) async fn create(&self, content: &Value, manager: &str) -> Result<Value, InjectError> {
        let fail = |cause| InjectError::request("create", &self.object, cause);
        let options = PostParams {
            field_manager: Some(manager.to_owned()),
            ..PostParams::default()
        };
        let mut request = self
            .collection()
            .create(&options, content.to_string().into_bytes())
            .map_err(kube::Error::BuildRequest)
            .map_err(fail)?;
        // `PostParams` has no such field, `PatchParams` has.
        *request.uri_mut() = format!("{}&fieldValidation=Strict", request.uri())
            .parse()
            .expect("a URI with one more query parameter is a URI");
        self.client.request(request).await.map_err(fail)
    }

    /// Sends `patch` to a subresource; `step` is the verb for messages.
    pub(super) async fn patch_subresource(
        &self,
        subresource: &str,
        step: &'static str,
        patch: &KubePatch<&Value>,
        options: &PatchParams,
    ) -> Result<Value, InjectError> {
        let fail = |cause| InjectError::request(step, &self.object, cause);
        let request = self
            .collection()
            .patch_subresource(subresource, &self.object.name, options, patch);
        let request = request.map_err(kube::Error::BuildRequest).map_err(fail)?;
        self.client.request(request).await.map_err(fail)
    }

    /// Sends `patch`; `step` is the verb for messages.
    pub(super) async fn patch(
        &self,
        step: &'static str,
        patch: &KubePatch<&Value>,
        options: &PatchParams,
    ) -> Result<Value, InjectError> {
        let fail = |cause| InjectError::request(step, &self.object, cause);
        let request = self.collection().patch(&self.object.name, options, patch);
        let request = request.map_err(kube::Error::BuildRequest).map_err(fail)?;
        self.client.request(request).await.map_err(fail)
    }
}

/// Waits until the API server serves what a CustomResourceDefinition defines.
///
/// # Errors
///
/// [`InjectError::NotEstablished`] when the time is over; [`InjectError::Request`] if there is no answer.
pub async fn established(
    client: &Client,
    definition: &ObjectRef,
    within: Duration,
) -> Result<(), InjectError> {
    let located = locate(client, definition).await?;
    let late = |last: &str| InjectError::NotEstablished {
        object: located.object.to_string(),
        waited: within,
        last: last.to_owned(),
    };
    let deadline = tokio::time::Instant::now() + within;
    let is = |object: Option<&DynamicObject>| {
        let conditions = object.and_then(|object| object.data.pointer("/status/conditions")?.as_array());
        let established =
            |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
        conditions.is_some_and(|conditions| conditions.iter().any(established))
    };
    let seen = await_condition(located.api(), &located.object.name, is);
    match tokio::time::timeout_at(deadline, seen).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(late(&error.to_string())),
        Err(_) => return Err(late("it is not Established")),
    }
    let live = located.get().await?.unwrap_or_default();
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
    let versions = live.pointer("/spec/versions").and_then(Value::as_array);
    let served = versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true);
    for version in served.filter_map(|version| version["name"].as_str()) {
        let gvk = GroupVersionKind::gvk(group, version, kind);
        // The list of kinds follows a moment later, and nobody tells when.
        while let Err(error) = discovery::pinned_kind(client, &gvk).await {
            if tokio::time::Instant::now() > deadline {
                return Err(late(&super::said(&error)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Options of a patch by `manager`, with unknown fields refused.
pub(super) fn patch_options(manager: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(manager.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    }
}

/// A patch, and how the API server is to read it.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// Strategic merge patch: lists of built-in types merge by their keys. What `kubectl patch` sends by
    /// default. Custom resources don't take it.
    Strategic(Value),
    /// JSON merge patch (RFC 7386): lists are replaced.
    Merge(Value),
    /// JSON patch (RFC 6902): a list of operations.
    Json(Value),
}

/// Patches an object, as `kubectl patch`, and returns what it is now.
///
/// # Errors
///
/// [`InjectError::Request`] if the API server refuses; [`InjectError::UnknownKind`].
pub async fn patch(client: &Client, object: &ObjectRef, patch: &Patch) -> Result<Value, InjectError> {
    let located = locate(client, object).await?;
    let options = patch_options("kubectl-patch");
    match patch {
        Patch::Strategic(value) => {
            located
                .patch("patch", &KubePatch::Strategic(value), &options)
                .await
        }
        Patch::Merge(value) => located.patch("patch", &KubePatch::Merge(value), &options).await,
        Patch::Json(operations) => {
            let fail = |cause| InjectError::request("patch", &located.object, cause);
            let request =
                located
                    .collection()
                    .patch(&located.object.name, &options, &KubePatch::Merge(operations));
            let mut request = request.map_err(kube::Error::BuildRequest).map_err(fail)?;
            // kube knows this kind of patch too, behind a feature that brings a parser for it.
            let kind = "application/json-patch+json"
                .parse()
                .expect("a media type is a header value");
            request.headers_mut().insert("content-type", kind);
            client.request(request).await.map_err(fail)
        }
    }
}

/// Sets a label, or removes it with `None`, as `kubectl label --overwrite`.
///
/// # Errors
///
/// [`InjectError::Request`] if the API server refuses; [`InjectError::UnknownKind`].
pub async fn label(
    client: &Client,
    object: &ObjectRef,
    key: &str,
    value: Option<&str>,
) -> Result<(), InjectError> {
    let located = locate(client, object).await?;
    let labels = json!({ "metadata": { "labels": { key: value } } });
    located
        .patch(
            "label",
            &KubePatch::Merge(&labels),
            &patch_options("kubectl-label"),
        )
        .await?;
    Ok(())
}

/// What becomes of what a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// The garbage collector deletes it afterwards. kubectl's default.
    #[default]
    Background,
    /// It is deleted first; until then the object stays, with a deletion timestamp.
    Foreground,
    /// It stays.
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeleteOptions {
    /// Grace period in place of the pod's own, rounded up to whole seconds. Zero removes a pod from the
    /// API at once, whatever its kubelet does.
    pub grace: Option<Duration>,
    /// What becomes of what the object owns.
    pub propagation: Propagation,
    /// How long to wait until the object is gone; `None` returns as soon as the deletion is accepted.
    /// (`kubectl delete` waits, without end.)
    pub wait: Option<Duration>,
}

/// Deletes an object, as `kubectl delete`.
///
/// # Errors
///
/// [`InjectError::Request`] if the API server refuses, also when there is no such object;
/// [`InjectError::StillThere`] if `options.wait` runs out; [`InjectError::UnknownKind`].
pub async fn delete(client: &Client, object: &ObjectRef, options: &DeleteOptions) -> Result<(), InjectError> {
    let located = locate(client, object).await?;
    let fail = |cause| InjectError::request("delete", &located.object, cause);
    let mut params = match options.propagation {
        Propagation::Background => DeleteParams::background(),
        Propagation::Foreground => DeleteParams::foreground(),
        Propagation::Orphan => DeleteParams::orphan(),
    };
    params.grace_period_seconds = options
        .grace
        .map(|grace| u32::try_from(whole_seconds(grace)).unwrap_or(u32::MAX));
    let started = Instant::now();
    let (api, name) = (located.api(), located.object.name.as_str());
    let uid = match options.wait {
        // An object that gets the same name meanwhile is another one.
        Some(_) => api
            .get_metadata(name)
            .await
            .map_err(fail)?
            .metadata
            .uid
            .unwrap_or_default(),
        None => String::new(),
    };
    api.delete(name, &params).await.map_err(fail)?;
    let Some(wait) = options.wait else { return Ok(()) };
    let gone = await_condition(api.clone(), name, conditions::is_deleted(&uid));
    let last = match tokio::time::timeout(wait, gone).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => match api.get_metadata_opt(name).await {
            Ok(Some(object)) if object.metadata.uid.as_deref() == Some(uid.as_str()) => {
                format!("finalizers {:?}", object.metadata.finalizers.unwrap_or_default())
            }
            Ok(_) => return Ok(()),
            Err(error) => super::said(&error),
        },
    };
    Err(InjectError::StillThere {
        object: located.object.to_string(),
        waited: started.elapsed(),
        last,
    })
}

/// A grace period as the API counts it. Rounded up: half a second must not become a kill at once.
pub(super) fn whole_seconds(grace: Duration) -> u64 {
    grace.as_secs() + u64::from(grace.subsec_nanos() > 0)
}
