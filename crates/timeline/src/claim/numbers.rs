//! Numbers of objects over time, by the names that case files have for them.

use std::time::Duration;

use crate::property::schedules::running;
use crate::words::Condition;
use crate::{History, Object, Series};

/// A number of an object over time; `None` while there is none.
pub(super) fn of(history: &History<'_>, object: &Object, number: &str) -> Series<Option<i64>> {
    match (object, number) {
        (Object::Workload(workload), "wanted") => history.number(workload, |seen| seen.wanted),
        (Object::Workload(workload), "replicas") => history.number(workload, |seen| seen.replicas),
        (Object::Workload(workload), "updated") => history.number(workload, |seen| seen.updated),
        (Object::Workload(workload), "ready") => history.number(workload, |seen| seen.ready),
        (Object::Workload(workload), "available") => history.number(workload, |seen| seen.available),
        (Object::Workload(workload), "running") => {
            let running = running(history, workload);
            running.with(&running, |running, _| Some(*running as i64))
        }
        // The rest is asked once, at the end.
        _ => history.timeline.series(|world| object.read(number, world)),
    }
}

/// Whether all of a condition holds, over time.
///
/// # Errors
/// Of an object whose name names none.
pub(super) fn condition(history: &History<'_>, condition: &Condition) -> Result<Series<bool>, String> {
    let mut all = Series::starting(Duration::ZERO, true).lasting(history.end());
    for (name, ranges) in condition {
        let object = Object::named(name)?;
        for (number, range) in ranges {
            if !object.numbers().contains(&number.as_str()) {
                return Err(format!("{name} has no \"{number}\""));
            }
            let series = of(history, &object, number);
            all = all.with(&series, |all, now| {
                *all && now.is_some_and(|now| range.contains(now))
            });
        }
    }
    Ok(all)
}
