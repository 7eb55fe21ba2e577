//! What is kept of an object of the API.

mod foreign;
mod node;
mod pod;
mod quantity;
mod scaling;
mod workload;

use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;

use kubeclash_timeline::{Change, EventSeen, OwnerRef, What};

pub(super) use foreign::sight as foreign;

/// An object that the recorder watches.
pub(super) trait Sight {
    /// What is kept of it.
    fn sight(&self, change: Change) -> What;
}

/// The controller that an object belongs to.
fn owner(object: &impl ResourceExt) -> Option<OwnerRef> {
    let owners = object.owner_references();
    let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
    Some(OwnerRef {
        kind: owner.kind.clone(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
    })
}

impl Sight for Event {
    fn sight(&self, _: Change) -> What {
        let about = &self.involved_object;
        let source = self.reporting_component.clone().filter(|s| !s.is_empty());
        What::Event(EventSeen {
            about: format!(
                "{}/{}",
                about.kind.as_deref().unwrap_or("?"),
                about.name.as_deref().unwrap_or("?")
            ),
            reason: self.reason.clone().unwrap_or_default(),
            source: source
                .or_else(|| self.source.as_ref().and_then(|s| s.component.clone()))
                .unwrap_or_default(),
            message: self.message.clone().unwrap_or_default(),
            count: self
                .series
                .as_ref()
                .and_then(|s| s.count)
                .or(self.count)
                .unwrap_or(1)
                .into(),
        })
    }
}

/// An object of the API as its YAML says, for tests.
#[cfg(test)]
fn object<K: serde::de::DeserializeOwned>(json: serde_json::Value) -> K {
    serde_json::from_value(json).unwrap()
}
