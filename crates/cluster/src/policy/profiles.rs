//! Plugins that are enabled where they don't run, or configured and never enabled.
//!
//! As `NewProfile` in the descheduler's `pkg/framework/profile/profile.go` has it from v0.27 to v0.36: there is no profile with
//! a plugin at a point that it does not have, or without an entry in `pluginConfig`. Up to v0.34 `pkg/descheduler/descheduler.go`
//! goes on without that profile, and a line in the log is all that there is of it; from v0.35 on the descheduler ends.
//! Nothing is said of plugins that no descheduler ships: what a fork does with its own is not known.

use serde_json::Value;

use super::fields::NEWEST;
use super::notes::Notebook;
use super::plugins::{Plugin, Point};
use kubeclash_host::yaml::FieldPath;

const LEFT_OUT: &str = "deschedulers up to v0.34 leave the whole profile out, later ones end";

/// A plugin that a profile enables.
struct Enabled<'a> {
    name: &'a str,
    /// The field of `plugins`.
    point: &'a str,
    at: FieldPath,
}

/// Tells of every profile, and says whether one of them evicts anything.
pub(super) fn tell(policy: &Value, notes: &mut Notebook<'_>) -> bool {
    let mut evicts = false;
    for (at, profile) in list(&policy["profiles"]).enumerate() {
        let place = FieldPath::default().field("profiles").item(at);
        let (enabled, configured) = (enabled(profile, &place, notes), configured(profile, &place));
        let left_out = misplaced(&enabled, notes) | without_config(&enabled, &configured, notes);
        never_enabled(&enabled, &configured, notes);
        let acts = |one: &Enabled<'_>| ["deschedule", "balance"].contains(&one.point);
        evicts |= !left_out && enabled.iter().any(acts);
    }
    evicts
}

/// Whether a policy of the first API version enables a strategy.
pub(super) fn any_strategy(policy: &Value) -> bool {
    let strategies = policy["strategies"].as_object().into_iter().flatten();
    strategies
        .into_iter()
        .any(|(_, strategy)| strategy["enabled"] == true)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn enabled<'a>(profile: &'a Value, place: &FieldPath, notes: &mut Notebook<'_>) -> Vec<Enabled<'a>> {
    let plugins = place.field("plugins");
    let mut all = Vec::new();
    for (point, set) in profile["plugins"].as_object().into_iter().flatten() {
        let point_at = plugins.field(point);
        if list(&set["disabled"]).next().is_some() {
            let what =
                format!("disables nothing up to {NEWEST}: what stands under \"enabled\" is all that runs");
            notes.warn(&point_at.field("disabled"), what);
        }
        let names = list(&set["enabled"]).enumerate();
        all.extend(names.filter_map(|(at, name)| {
            Some(Enabled {
                name: name.as_str()?,
                point,
                at: point_at.field("enabled").item(at),
            })
        }));
    }
    all
}

fn configured<'a>(profile: &'a Value, place: &FieldPath) -> Vec<(&'a str, FieldPath)> {
    let entries = list(&profile["pluginConfig"]).enumerate();
    let entry = |(at, entry): (usize, &'a Value)| {
        let name = entry["name"].as_str()?;
        Some((name, place.field("pluginConfig").item(at)))
    };
    entries.filter_map(entry).collect()
}

/// Plugins at a point that they don't have; whether the profile is left out for it.
fn misplaced(enabled: &[Enabled<'_>], notes: &mut Notebook<'_>) -> bool {
    let mut left_out = false;
    for one in enabled {
        let Some(plugin) = Plugin::of(one.name) else {
            continue;
        };
        let known = ["presort", "sort"].contains(&one.point) || Point::of(one.point).is_some();
        if Point::of(one.point) == Some(plugin.point) || !known {
            continue;
        }
        let (name, point, own) = (one.name, one.point, plugin.point.field());
        let is_run = Point::of(point).is_some();
        let end = if is_run {
            format!("; {LEFT_OUT}")
        } else {
            String::new()
        };
        let what = format!("enables {name} where it does not run: up to {NEWEST} it runs at \"{own}\"{end}");
        notes.warn(&one.at, what);
        left_out |= is_run;
    }
    left_out
}

/// Plugins without an entry in `pluginConfig`; whether the profile is left out for it.
fn without_config(
    enabled: &[Enabled<'_>],
    configured: &[(&str, FieldPath)],
    notes: &mut Notebook<'_>,
) -> bool {
    let mut left_out = false;
    for one in enabled {
        let Some(plugin) = Plugin::of(one.name) else {
            continue;
        };
        let runs = Point::of(one.point) == Some(plugin.point);
        if !runs || plugin.is_always_on() || configured.iter().any(|(name, _)| *name == one.name) {
            continue;
        }
        let what = format!(
            "enables {}, which has no entry in \"pluginConfig\"; {LEFT_OUT}",
            one.name
        );
        notes.warn(&one.at, what);
        left_out = true;
    }
    left_out
}

fn never_enabled(enabled: &[Enabled<'_>], configured: &[(&str, FieldPath)], notes: &mut Notebook<'_>) {
    for (name, at) in configured {
        let Some(plugin) = Plugin::of(name) else { continue };
        if plugin.is_always_on() || enabled.iter().any(|one| one.name == *name) {
            continue;
        }
        let point = plugin.point.field();
        let what =
            format!("configures {name}, which is not enabled: it has to stand under plugins.{point}.enabled");
        notes.warn(at, what);
    }
}
