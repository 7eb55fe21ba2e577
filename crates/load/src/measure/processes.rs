//! What processes take of CPU and memory, sampled; over their restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::measured::{ProcessCurve, ProcessUse, StepUse};

/// Samples processes by name.
#[derive(Debug)]
pub(super) struct Processes {
    system: System,
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    name: String,
    /// Which process it is now, if there is one.
    pid: Option<Pid>,
    /// When that one started, as the system has it: its id may be given to another.
    start_time: Option<u64>,
    /// Of that one: CPU time and when it was looked at.
    last: Option<(u64, Duration)>,
    starts: u64,
    cpu_ms: u64,
    curve: ProcessCurve,
}

impl Processes {
    pub(super) fn new() -> Self {
        Self {
            system: System::new(),
            watched: Vec::new(),
        }
    }

    /// Watches these from now on. A name that is known goes on under its new id; one that is not named any more keeps
    /// what was seen.
    pub(super) fn watch(&mut self, processes: &[(String, u32)]) {
        for one in &mut self.watched {
            if !processes.iter().any(|(name, _)| *name == one.name) {
                one.pid = None;
            }
        }
        for (name, pid) in processes {
            let pid = Pid::from_u32(*pid);
            let known = self.watched.iter().position(|one| one.name == *name);
            let at = known.unwrap_or_else(|| {
                self.watched.push(Watched::new(name));
                self.watched.len() - 1
            });
            let one = &mut self.watched[at];
            if one.pid != Some(pid) {
                one.pid = Some(pid);
                one.start_time = None;
                one.last = None;
                one.starts += 1;
            }
        }
    }

    /// Looks at all of them.
    pub(super) fn sample(&mut self, t: Duration) {
        let pids: Vec<Pid> = self.watched.iter().filter_map(|one| one.pid).collect();
        let what = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .without_tasks();
        // Those that have ended are forgotten, so that none is seen as it was.
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, what);
        for one in &mut self.watched {
            let process = one.pid.and_then(|pid| self.system.process(pid));
            if let Some(process) = process {
                let start_time = *one.start_time.get_or_insert(process.start_time());
                if start_time == process.start_time() {
                    one.see(t, process.accumulated_cpu_time(), process.memory());
                }
            }
        }
    }

    /// What each took, and in each of some spans.
    pub(super) fn uses(self) -> Vec<ProcessUse> {
        self.watched.into_iter().map(Watched::used).collect()
    }
}

impl Watched {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            pid: None,
            start_time: None,
            last: None,
            starts: 0,
            cpu_ms: 0,
            curve: ProcessCurve::default(),
        }
    }

    /// Takes a look in: CPU time of this process so far, and memory.
    fn see(&mut self, t: Duration, cpu_ms: u64, bytes: u64) {
        // The first look at the first process is what there was before; a restarted one began while we watched.
        let (before, since) = match (self.last, self.curve.t_ms.last()) {
            (Some((before, since)), _) => (before, Some(since)),
            (None, Some(&last)) => (0, Some(Duration::from_millis(last))),
            (None, None) => (cpu_ms, None),
        };
        let spent = cpu_ms.saturating_sub(before);
        let elapsed = since.map_or(0.0, |since| t.saturating_sub(since).as_secs_f64());
        self.cpu_ms += spent;
        self.last = Some((cpu_ms, t));
        let cores = if elapsed > 0.0 {
            Duration::from_millis(spent).as_secs_f64() / elapsed
        } else {
            0.0
        };
        self.curve.t_ms.push(super::ms(t));
        self.curve.cores.push(rounded(cores));
        self.curve.bytes.push(bytes);
    }

    fn used(self) -> ProcessUse {
        let all = step_use(&self.curve, 0, u64::MAX);
        let samples = self.curve.bytes.len().max(1) as u64;
        ProcessUse {
            name: self.name,
            starts: self.starts,
            cpu_s: Duration::from_millis(self.cpu_ms).as_secs_f64(),
            mean_cores: all.mean_cores,
            peak_cores: all.peak_cores,
            mean_bytes: self.curve.bytes.iter().sum::<u64>() / samples,
            peak_bytes: all.peak_bytes,
            curve: self.curve,
        }
    }
}

/// What each process took from one moment to another.
pub(super) fn in_step(uses: &[ProcessUse], from_ms: u64, to_ms: u64) -> BTreeMap<String, StepUse> {
    let seen = uses.iter().filter(|one| !one.curve.t_ms.is_empty());
    seen.map(|one| (one.name.clone(), step_use(&one.curve, from_ms, to_ms)))
        .collect()
}

/// A sample says what was since the last one: it counts for the span in which most of that lies, as nearly as its own time
/// tells. A span that is too short for a sample has the one after it.
fn step_use(curve: &ProcessCurve, from_ms: u64, to_ms: u64) -> StepUse {
    let first = curve.t_ms.partition_point(|&t| t <= from_ms);
    let last = curve.t_ms.partition_point(|&t| t <= to_ms);
    let end = curve.t_ms.len();
    let span = if first < last {
        first..last
    } else {
        first.min(end.saturating_sub(1))..(first + 1).min(end)
    };
    let mut used = StepUse::default();
    let (mut spent, mut elapsed) = (0.0, 0.0);
    for at in span {
        let before = at
            .checked_sub(1)
            .map_or(curve.t_ms[at], |before| curve.t_ms[before]);
        let seconds = Duration::from_millis(curve.t_ms[at] - before).as_secs_f64();
        spent += curve.cores[at] * seconds;
        elapsed += seconds;
        used.peak_cores = used.peak_cores.max(curve.cores[at]);
        used.peak_bytes = used.peak_bytes.max(curve.bytes[at]);
    }
    if elapsed > 0.0 {
        used.mean_cores = rounded(spent / elapsed);
    }
    used
}

/// Thousandths of a core are noise.
fn rounded(cores: f64) -> f64 {
    (cores * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn cores_are_cpu_time_by_time_and_go_on_over_a_restart() {
        let mut one = Watched::new("kube-apiserver");
        // What it took before anybody looked is not counted.
        one.see(SECOND, 10_000, 100);
        one.see(SECOND * 2, 11_500, 300);
        // Another process: its time counts from nothing.
        one.last = None;
        one.see(SECOND * 4, 1_000, 200);
        let used = one.used();
        assert_eq!(used.curve.t_ms, [1_000, 2_000, 4_000]);
        assert_eq!(used.curve.cores, [0.0, 1.5, 0.5]);
        assert_eq!((used.cpu_s, used.peak_cores, used.mean_cores), (2.5, 1.5, 0.833));
        assert_eq!((used.mean_bytes, used.peak_bytes), (200, 300));
    }

    #[test]
    fn a_step_has_the_samples_in_it_or_the_next_one() {
        let curve = ProcessCurve {
            t_ms: vec![1_000, 2_000, 3_000, 4_000],
            cores: vec![0.0, 1.0, 2.0, 0.5],
            bytes: vec![1, 2, 3, 4],
        };
        let used = step_use(&curve, 1_000, 3_000);
        assert_eq!((used.mean_cores, used.peak_cores, used.peak_bytes), (1.5, 2.0, 3));
        let short = step_use(&curve, 3_100, 3_200);
        assert_eq!((short.mean_cores, short.peak_bytes), (0.5, 4));
        let late = step_use(&curve, 4_100, 5_000);
        assert_eq!(late.peak_bytes, 4);
        assert_eq!(step_use(&ProcessCurve::default(), 0, 9), StepUse::default());
    }

    #[test]
    fn a_real_process_is_seen_and_a_second_one_follows_it() {
        let spawn = || std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let (mut first, mut second) = (spawn(), spawn());
        let watched = |pid: u32| [("it".to_owned(), std::process::id()), ("sleep".to_owned(), pid)];
        let mut processes = Processes::new();
        processes.watch(&watched(first.id()));
        processes.sample(Duration::ZERO);
        first.kill().unwrap();
        first.wait().unwrap();
        processes.sample(SECOND);
        processes.watch(&watched(second.id()));
        processes.sample(SECOND * 2);
        processes.watch(&watched(second.id()));
        second.kill().unwrap();
        second.wait().unwrap();
        let uses = processes.uses();
        let of = |name: &str| uses.iter().find(|one| one.name == name).unwrap();
        assert_eq!((of("it").starts, of("it").curve.t_ms.len()), (1, 3));
        assert!(of("it").peak_bytes > 1_000_000);
        assert_eq!(of("sleep").starts, 2);
        assert_eq!(
            of("sleep").curve.t_ms,
            [0, 2_000],
            "nothing is seen of what has ended"
        );
    }
}
