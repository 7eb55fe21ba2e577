//! A timeline, sorted by what it is about: each pod with its states and its workload, each workload with its pods, and who did
//! what. Made in one pass, so that a judge can be asked again and again while a timeline grows.
//!
//! A pod's workload is the one at the top of its owners over the whole recording: a deployment's pod stays its pod after the
//! replica set has gone, and before it was first seen.

mod acts;
pub(crate) mod names;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use self::acts::acts;
pub use self::acts::{Act, Does};
pub(crate) use self::acts::{NODE, POD};
pub use self::names::controller_of;
use super::world::place;
use super::{
    BudgetSeen, Change, DEFAULT_NAMESPACE, HpaSeen, NodeSeen, PodSeen, Series, Sighting, Timeline, What,
    WorkloadRef, WorkloadSeen,
};

/// What was seen of one object, in order of time; `None` where it had gone.
pub type States<'a, T> = Vec<(Duration, Option<&'a T>)>;

/// One pod, by UID: its workload, its states, and the times of its life. Times that never came are `None`.
#[derive(Debug, Clone)]
pub struct PodHistory<'a> {
    /// The workload at the top of its owners; the pod itself where nobody owns it.
    pub workload: WorkloadRef,
    /// When it was first seen.
    pub created: Duration,
    /// When it was bound to a node.
    pub bound: Option<Duration>,
    /// When it first was ready.
    pub ready: Option<Duration>,
    /// When its phase became `Failed`.
    pub failed: Option<Duration>,
    /// When the scheduler first said that no node fits.
    pub unschedulable: Option<Duration>,
    /// When its deletion began, or when it vanished without one being seen.
    pub terminating: Option<Duration>,
    /// When it was gone.
    pub gone: Option<Duration>,
    /// Its states, each with its place among the timeline's entries; `None` where it had gone.
    states: Vec<(usize, Option<&'a PodSeen>)>,
    /// Its last state.
    last: &'a PodSeen,
}

impl<'a> PodHistory<'a> {
    /// Its last state, also after it has gone.
    #[must_use]
    pub fn last(&self) -> &'a PodSeen {
        self.last
    }
}

/// A timeline, sorted by what it is about.
#[derive(Debug)]
pub struct History<'a> {
    /// The timeline.
    pub timeline: &'a Timeline,
    /// Whether requests are on it. Where there is an audit log, a scenario's own steps are in it: without any request there is none.
    pub audited: bool,
    /// All pods that were seen, in order of creation.
    pub pods: Vec<PodHistory<'a>>,
    /// Who did what, in order of time.
    pub acts: Vec<Act>,
    /// The acts on each pod, by their place in `acts`.
    acts_on_pods: Vec<Vec<usize>>,
    by_name: HashMap<(&'a str, &'a str), Vec<usize>>,
    tops: HashMap<WorkloadRef, WorkloadRef>,
    workloads: BTreeMap<WorkloadRef, States<'a, WorkloadSeen>>,
    members: BTreeMap<WorkloadRef, Vec<usize>>,
    nodes: BTreeMap<&'a str, States<'a, NodeSeen>>,
    hpas: BTreeMap<String, States<'a, HpaSeen>>,
    budgets: BTreeMap<String, States<'a, BudgetSeen>>,
    /// Which plugins a descheduler says it evicted a pod for, and when, by the pod's name: names are used again.
    plugins: HashMap<&'a str, Vec<(Duration, &'a str)>>,
}

impl<'a> History<'a> {
    /// The history of a timeline.
    #[must_use]
    pub fn of(timeline: &'a Timeline) -> Self {
        let mut history = Self {
            timeline,
            audited: false,
            pods: Vec::new(),
            acts: Vec::new(),
            acts_on_pods: Vec::new(),
            by_name: HashMap::new(),
            tops: HashMap::new(),
            workloads: BTreeMap::new(),
            members: BTreeMap::new(),
            nodes: BTreeMap::new(),
            hpas: BTreeMap::new(),
            budgets: BTreeMap::new(),
            plugins: HashMap::new(),
        };
        let mut by_uid: HashMap<&str, usize> = HashMap::new();
        for (at, entry) in timeline.entries.iter().enumerate() {
            let t = entry.t;
            match &entry.what {
                What::Pod(pod) => history.see_pod(at, t, pod, &mut by_uid),
                What::Workload(seen) => {
                    let name = seen.state.reference();
                    if let Some(owner) = &seen.state.owner {
                        let above = WorkloadRef::new(&owner.kind, &name.namespace, &owner.name);
                        history.tops.insert(name.clone(), above);
                    }
                    history.workloads.entry(name).or_default().push((t, there(seen)));
                }
                What::Node(seen) => history
                    .nodes
                    .entry(&seen.state.name)
                    .or_default()
                    .push((t, there(seen))),
                What::Hpa(seen) => {
                    let name = place(&seen.state.namespace, &seen.state.name);
                    history.hpas.entry(name).or_default().push((t, there(seen)));
                }
                What::Budget(seen) => {
                    let name = place(&seen.state.namespace, &seen.state.name);
                    history.budgets.entry(name).or_default().push((t, there(seen)));
                }
                What::Event(event) if event.source.contains("descheduler") => {
                    if let Some(pod) = event.about.strip_prefix("Pod/") {
                        history.plugins.entry(pod).or_default().push((t, &event.reason));
                    }
                }
                What::Request(_) => history.audited = true,
                _ => {}
            }
        }
        for index in 0..history.pods.len() {
            let top = history.top(&history.pods[index].workload);
            history.members.entry(top.clone()).or_default().push(index);
            history.pods[index].workload = top;
        }
        history.acts = acts(&history);
        history.acts_on_pods = vec![Vec::new(); history.pods.len()];
        for (at, act) in history.acts.iter().enumerate() {
            if let Some(pod) = act.pod {
                history.acts_on_pods[pod].push(at);
            }
        }
        history
    }

    fn see_pod(
        &mut self,
        at: usize,
        t: Duration,
        seen: &'a Sighting<PodSeen>,
        by_uid: &mut HashMap<&'a str, usize>,
    ) {
        let pod = &seen.state;
        let index = *by_uid.entry(&pod.uid).or_insert_with(|| {
            self.by_name
                .entry((pod.namespace.as_str(), pod.name.as_str()))
                .or_default()
                .push(self.pods.len());
            self.pods.push(PodHistory {
                workload: owner_of(pod),
                created: t,
                bound: None,
                ready: None,
                failed: None,
                unschedulable: None,
                terminating: None,
                gone: None,
                states: Vec::new(),
                last: pod,
            });
            self.pods.len() - 1
        });
        let known = &mut self.pods[index];
        let first = |time: &mut Option<Duration>, now: bool| {
            if now && time.is_none() {
                *time = Some(t);
            }
        };
        let gone = seen.change == Change::Gone;
        first(&mut known.bound, pod.node.is_some());
        first(&mut known.ready, pod.ready);
        first(&mut known.failed, pod.phase == "Failed");
        first(
            &mut known.unschedulable,
            pod.unschedulable.is_some() && pod.node.is_none(),
        );
        first(&mut known.terminating, pod.terminating || gone);
        first(&mut known.gone, gone);
        known.states.push((at, there(seen)));
        known.last = pod;
    }

    /// When the last entry was seen.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.timeline.end()
    }

    /// The workload at the top of a workload's owners, itself where it has none.
    #[must_use]
    pub fn top(&self, workload: &WorkloadRef) -> WorkloadRef {
        let mut top = workload;
        // An owner of an owner of an owner is more than Kubernetes itself has; a circle ends here, too.
        for _ in 0..4 {
            match self.tops.get(top) {
                Some(above) => top = above,
                None => break,
            }
        }
        top.clone()
    }

    /// All workloads that nobody owns: those that were seen, and those that pods name as their owners.
    #[must_use]
    pub fn tops(&self) -> Vec<WorkloadRef> {
        let seen = self.workloads.keys().filter(|name| !self.tops.contains_key(name));
        let mut all: Vec<WorkloadRef> = seen.chain(self.members.keys()).cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// The workloads that belong to one, as a deployment's replica sets.
    #[must_use]
    pub fn owned_by(&self, owner: &WorkloadRef) -> Vec<&WorkloadRef> {
        let of = |name: &&WorkloadRef| self.tops.get(*name) == Some(owner);
        self.workloads.keys().filter(of).collect()
    }

    /// The pods of a workload, in order of creation: their places among [`History::pods`].
    #[must_use]
    pub fn members(&self, workload: &WorkloadRef) -> &[usize] {
        self.members.get(workload).map_or(&[][..], Vec::as_slice)
    }

    /// The pods of a workload, in order of creation.
    pub fn pods_of(&self, workload: &WorkloadRef) -> impl Iterator<Item = &PodHistory<'a>> {
        self.members(workload).iter().map(|&index| &self.pods[index])
    }

    /// The acts on a pod, by its place among [`History::pods`], in order of time.
    pub fn acts_on_pod(&self, pod: usize) -> impl Iterator<Item = &Act> + Clone {
        self.acts_on_pods[pod].iter().map(|&at| &self.acts[at])
    }

    /// The state of a pod at a time; its last one where it had gone.
    #[must_use]
    pub fn state_at(&self, pod: &PodHistory<'a>, t: Duration) -> Option<&'a PodSeen> {
        if pod.gone.is_some_and(|gone| gone <= t) {
            return Some(pod.last);
        }
        let until = self.states(pod).take_while(|(at, _)| *at <= t);
        until.filter_map(|(_, state)| state).last()
    }

    /// The pod of a name, as it was at a time: a name may be used again.
    #[must_use]
    pub fn pod_named(&self, namespace: &str, name: &str, t: Duration) -> Option<usize> {
        let namespace = if namespace.is_empty() {
            DEFAULT_NAMESPACE
        } else {
            namespace
        };
        let all = self.by_name.get(&(namespace, name))?;
        // A request may be written down before the pod that it makes is seen.
        let current = all
            .iter()
            .find(|&&index| self.pods[index].gone.is_none_or(|gone| gone >= t));
        current.or(all.last()).copied()
    }

    /// What was seen of a workload.
    #[must_use]
    pub fn workload(&self, workload: &WorkloadRef) -> &[(Duration, Option<&'a WorkloadSeen>)] {
        self.workloads.get(workload).map_or(&[], Vec::as_slice)
    }

    /// A workload as it was last seen.
    #[must_use]
    pub fn last_seen(&self, workload: &WorkloadRef) -> Option<&'a WorkloadSeen> {
        self.workload(workload).iter().rev().find_map(|(_, seen)| *seen)
    }

    /// A number of a workload over time; `None` while it is not there.
    #[must_use]
    pub fn number<T: PartialEq>(
        &self,
        workload: &WorkloadRef,
        read: impl Fn(&WorkloadSeen) -> T,
    ) -> Series<Option<T>> {
        self.series(self.workload(workload), read)
    }

    /// What was seen of each node.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<&'a str, States<'a, NodeSeen>> {
        &self.nodes
    }

    /// What was seen of the autoscalers of a workload, by name.
    pub fn hpas_of(&self, workload: &WorkloadRef) -> impl Iterator<Item = (&str, &States<'a, HpaSeen>)> {
        let scales = |hpa: &HpaSeen| {
            let (kind, name) = hpa.target.split_once('/').unwrap_or(("deployment", &hpa.name));
            WorkloadRef::new(kind, &hpa.namespace, name) == *workload
        };
        self.hpas
            .iter()
            .filter(move |(_, states)| states.iter().filter_map(|(_, seen)| *seen).any(scales))
            .map(|(name, states)| (name.as_str(), states))
    }

    /// What was seen of the disruption budgets that find a pod of a workload by its labels.
    pub fn budgets_of(
        &self,
        workload: &WorkloadRef,
    ) -> impl Iterator<Item = (&str, &States<'a, BudgetSeen>)> {
        self.budgets
            .iter()
            .filter(move |(_, states)| {
                let last = states.iter().rev().find_map(|(_, seen)| *seen);
                last.is_some_and(|budget| {
                    let its = |pod: &PodHistory<'_>| {
                        pod.last.namespace == budget.namespace
                            && !budget.selector.is_empty()
                            && budget
                                .selector
                                .iter()
                                .all(|label| pod.last.labels.get_key_value(label.0) == Some(label))
                    };
                    self.pods_of(workload).any(its)
                })
            })
            .map(|(name, states)| (name.as_str(), states))
    }

    /// A number of an object over time; `None` while it is not there.
    #[must_use]
    pub fn series<S, T: PartialEq>(
        &self,
        states: &[(Duration, Option<&S>)],
        read: impl Fn(&S) -> T,
    ) -> Series<Option<T>> {
        let mut series = Series::starting(Duration::ZERO, None);
        for (t, seen) in states {
            series.push(*t, seen.map(&read));
        }
        series.lasting(self.end())
    }

    /// What is read from the pods of some, over time. Only pods that are there are shown to `read`.
    #[must_use]
    pub fn over_time<'h, T: PartialEq>(
        &'h self,
        pods: impl Iterator<Item = &'h PodHistory<'a>>,
        read: impl Fn(&BTreeMap<usize, &'a PodSeen>) -> T,
    ) -> Series<T>
    where
        'a: 'h,
    {
        let mut changes: Vec<(usize, usize, Option<&'a PodSeen>)> = Vec::new();
        for (number, pod) in pods.enumerate() {
            changes.extend(pod.states.iter().map(|(at, state)| (*at, number, *state)));
        }
        changes.sort_unstable_by_key(|(at, ..)| *at);
        let mut there: BTreeMap<usize, &'a PodSeen> = BTreeMap::new();
        let mut series = Series::starting(Duration::ZERO, read(&there));
        for (at, number, state) in changes {
            set(&mut there, number, state);
            series.push(self.timeline.entries[at].t, read(&there));
        }
        series.lasting(self.end())
    }

    /// The states of a pod with their times; `None` where it had gone.
    pub fn states<'h>(
        &'h self,
        pod: &'h PodHistory<'a>,
    ) -> impl Iterator<Item = (Duration, Option<&'a PodSeen>)> + 'h {
        pod.states
            .iter()
            .map(|(at, state)| (self.timeline.entries[*at].t, *state))
    }

    /// The plugin that evicted a pod, as a descheduler's Event says it that does not say it in the eviction itself.
    /// A name is used again: what was said before the pod was there was said of another one.
    pub(super) fn plugin(&self, pod: &PodHistory<'_>) -> Option<String> {
        let said = self.plugins.get(pod.last.name.as_str())?;
        let first = said.iter().find(|(t, _)| *t >= pod.created)?;
        Some(first.1.to_owned())
    }

    /// The acts that concern a workload: on itself, and on its pods.
    pub fn acts_on<'h>(&'h self, workload: &'h WorkloadRef) -> impl Iterator<Item = &'h Act> + Clone + 'h {
        self.acts
            .iter()
            .filter(move |act| act.workload.as_ref() == Some(workload))
    }
}

/// The direct owner of a pod; the pod itself where nobody owns it.
fn owner_of(pod: &PodSeen) -> WorkloadRef {
    match &pod.owner {
        Some(owner) => WorkloadRef::new(&owner.kind, &pod.namespace, &owner.name),
        None => WorkloadRef::new("pod", &pod.namespace, &pod.name),
    }
}

/// An object's state, where it is there.
pub(crate) fn there<T>(seen: &Sighting<T>) -> Option<&T> {
    (seen.change == Change::Seen).then_some(&seen.state)
}

/// Puts what is there in its place, and takes away what is not.
pub(crate) fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}
