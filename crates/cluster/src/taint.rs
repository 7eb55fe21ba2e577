//! Taints as kubectl writes them: `key=value:Effect`, and with a final `-` where they are taken away.

use k8s_openapi::api::core::v1::Taint;

/// The effects that there are.
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// What is done to a node's taints.
#[derive(Debug, Clone, PartialEq)]
pub enum TaintChange {
    /// It gets one.
    Add(Taint),
    /// It loses those of a key, and of an effect where one is named.
    Remove {
        /// The key.
        key: String,
        /// The effect.
        effect: Option<String>,
    },
}

/// Reads `key=value:Effect`, `key:Effect`, `key:Effect-` or `key-`.
///
/// # Errors
/// What it should look like, in words.
pub fn taint_change(text: &str) -> Result<TaintChange, String> {
    let unreadable =
        || format!("\"{text}\" is no taint: write key=value:Effect, and key:Effect- to take it away");
    let (what, away) = text.strip_suffix('-').map_or((text, false), |what| (what, true));
    let (pair, effect) = match what.split_once(':') {
        Some((pair, effect)) => (pair, Some(effect)),
        None => (what, None),
    };
    if let Some(effect) = effect.filter(|effect| !EFFECTS.contains(effect)) {
        return Err(format!(
            "\"{text}\": \"{effect}\" is no effect of a taint: they are {}",
            EFFECTS.join(", ")
        ));
    }
    let (key, value) = match pair.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (pair, None),
    };
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(unreadable());
    }
    match (away, effect) {
        (true, effect) => Ok(TaintChange::Remove {
            key: key.to_owned(),
            effect: effect.map(str::to_owned),
        }),
        (false, Some(effect)) => Ok(TaintChange::Add(Taint {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            effect: effect.to_owned(),
            time_added: None,
        })),
        (false, None) => Err(unreadable()),
    }
}

/// Reads a taint that a node has from the beginning.
///
/// # Errors
/// What it should look like, in words.
pub fn taint(text: &str) -> Result<Taint, String> {
    match taint_change(text)? {
        TaintChange::Add(taint) => Ok(taint),
        TaintChange::Remove { .. } => Err(format!("\"{text}\" takes a taint away, and there is none yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taint_is_read_as_kubectl_reads_it() {
        let full = taint("key1=value1:NoExecute").unwrap();
        assert_eq!(
            (&*full.key, full.value.as_deref(), &*full.effect),
            ("key1", Some("value1"), "NoExecute")
        );
        assert_eq!(taint("key1:NoSchedule").unwrap().value, None);
        let away = |key: &str, effect: Option<&str>| TaintChange::Remove {
            key: key.to_owned(),
            effect: effect.map(str::to_owned),
        };
        assert_eq!(
            taint_change("key1:NoExecute-"),
            Ok(away("key1", Some("NoExecute")))
        );
        assert_eq!(
            taint_change("key1=value1:NoExecute-"),
            Ok(away("key1", Some("NoExecute")))
        );
        assert_eq!(taint_change("key1-"), Ok(away("key1", None)));
        for text in [
            "",
            "key1",
            "key1=value1",
            "=v:NoExecute",
            "key1:Never",
            "a b:NoExecute",
        ] {
            assert!(taint_change(text).is_err(), "{text}");
        }
        assert!(taint("key1-").is_err());
    }
}
