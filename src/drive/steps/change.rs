//! Steps that change one object with one request: delete, patch, scale, set an image, label, taint.

use std::time::Duration;

use kube::Client;

use super::unfit;
use crate::case::format::Step;
use crate::drive::DriveError;
use crate::inject::{self, DeleteOptions, InjectError, ObjectRef, Patch, named};
use kubeclash_cluster::{TaintChange, taint_change};
use kubeclash_timeline::words::OneOrMany;
use kubeclash_timeline::{Pace, WorkloadRef};

/// How long a deletion may take: kubectl waits for its end.
const GONE: Duration = Duration::from_secs(60);

/// Carries such a step out; of any other nothing is done.
pub(super) async fn change(client: &Client, step: &Step, pace: Pace) -> Result<(), DriveError> {
    let failed = |source: InjectError| DriveError::Step {
        step: step.to_string(),
        source: Box::new(source),
    };
    let name = |text: &str| text.parse::<WorkloadRef>().map_err(|why| unfit(step, why));
    match step {
        Step::Delete(delete) => {
            let options = DeleteOptions {
                wait: Some(pace.deadline(GONE)),
                ..DeleteOptions::default()
            };
            for name in delete.delete.as_slice() {
                let object = named(client, name).await.map_err(failed)?;
                inject::delete(client, &object, &options).await.map_err(failed)?;
            }
        }
        Step::Patch(patch) => {
            let object = named(client, &patch.patch).await.map_err(failed)?;
            let merge = Patch::Merge(patch.with.clone());
            inject::patch(client, &object, &merge).await.map_err(failed)?;
        }
        Step::Scale(scale) => {
            for (text, replicas) in &scale.scale {
                let object = named(client, &name(text)?).await.map_err(failed)?;
                inject::scale(client, &object, *replicas).await.map_err(failed)?;
            }
        }
        Step::SetImage(set) => {
            for (text, image) in &set.set_image {
                let object = named(client, &name(text)?).await.map_err(failed)?;
                inject::set_image(client, &object, image).await.map_err(failed)?;
            }
        }
        Step::Label(label) => {
            for (text, labels) in &label.label {
                let object = if text.contains('/') {
                    named(client, &name(text)?).await.map_err(failed)?
                } else {
                    ObjectRef::node(text)
                };
                for (key, value) in labels_of(labels).map_err(|why| unfit(step, why))? {
                    inject::label(client, &object, key, value).await.map_err(failed)?;
                }
            }
        }
        Step::Taint(taint) => {
            for (node, taints) in &taint.taint {
                for text in taints.as_slice() {
                    match taint_change(text).map_err(|why| unfit(step, why))? {
                        TaintChange::Add(taint) => inject::taint(client, node, &taint).await,
                        TaintChange::Remove { key, effect } => {
                            inject::untaint(client, node, &key, effect.as_deref()).await
                        }
                    }
                    .map_err(failed)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Keys and values; without a value where a label is taken away.
pub(super) fn labels_of(texts: &OneOrMany<String>) -> Result<Vec<(&str, Option<&str>)>, String> {
    texts.as_slice().iter().map(|text| label_of(text)).collect()
}

fn label_of(text: &str) -> Result<(&str, Option<&str>), String> {
    match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) if !key.is_empty() => Ok((key, Some(value))),
        (None, Some(key)) if !key.is_empty() => Ok((key, None)),
        _ => Err(format!(
            "\"{text}\" is no label: write key=value, and key- to take it away"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_set_or_taken_away() {
        assert_eq!(label_of("a.b/c=d-"), Ok(("a.b/c", Some("d-"))));
        assert_eq!(label_of("a="), Ok(("a", Some(""))));
        assert_eq!(label_of("a-"), Ok(("a", None)));
        for text in ["a", "=b", "-", ""] {
            assert!(label_of(text).is_err(), "{text}");
        }
    }
}
