//! Pods as bars: what each shows from when on, and in which lane of which node it lies.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bar, Clock, Eviction, NodeRow, Stage};
use kubeclash_timeline::{Change, NodeSeen, PodSeen, Timeline, What};

/// How many bars are drawn at most: a browser is slow with more, and a reader sees none of them.
const PODS: usize = 2_000;

/// Up to how many nodes those without any pod have a row as well: that they are empty is worth seeing.
const NODES: usize = 12;

/// A bar takes at least this share of the length, so that the shortest can be seen and does not touch the next.
const LEAST: f64 = 1.0 / 300.0;

/// The bars of a timeline, and the rows that they lie in.
pub(super) struct Bars {
    pub(super) nodes: Vec<NodeRow>,
    pub(super) pods: Vec<Bar>,
    pub(super) evictions: Vec<Eviction>,
    pub(super) pods_left_out: usize,
    pub(super) nodes_left_out: usize,
}

/// A pod as it is seen entry by entry.
#[derive(Default)]
struct Life {
    name: String,
    node: Option<String>,
    stages: Vec<(f64, Stage)>,
    gone: Option<f64>,
    reasons: Vec<String>,
    evicted: Option<(f64, String)>,
}

pub(super) fn of(timeline: &Timeline, clock: Clock) -> Bars {
    let (lives, pods_left_out) = lives(timeline, clock);
    let homes: BTreeSet<&str> = lives.iter().filter_map(|life| life.node.as_deref()).collect();
    let known = closures(timeline, clock);
    let mut names: BTreeSet<&str> = homes.clone();
    let mut nodes_left_out = 0;
    if known.len() <= NODES {
        names.extend(known.keys().map(String::as_str));
    } else {
        nodes_left_out = known.keys().filter(|name| !homes.contains(name.as_str())).count();
    }
    let mut names: Vec<&str> = names.into_iter().collect();
    // worker2 before worker10.
    names.sort_by_key(|name| (name.len(), *name));
    let mut nodes: Vec<NodeRow> = names
        .iter()
        .map(|name| NodeRow {
            name: Some((*name).to_owned()),
            lanes: 0,
            closed: known.get(*name).cloned().unwrap_or_default(),
        })
        .collect();
    if lives.iter().any(|life| life.node.is_none()) {
        nodes.push(NodeRow {
            name: None,
            lanes: 0,
            closed: Vec::new(),
        });
    }
    let places: Vec<usize> = lives
        .iter()
        .map(|life| {
            let home = life.node.as_deref();
            names
                .iter()
                .position(|name| Some(*name) == home)
                .unwrap_or(names.len())
        })
        .collect();
    let evictions = lives.iter().enumerate().filter_map(|(pod, life)| {
        let (t, reason) = life.evicted.clone()?;
        Some(Eviction { t, pod, reason })
    });
    let mut evictions: Vec<Eviction> = evictions.collect();
    evictions.sort_by(|a, b| a.t.total_cmp(&b.t));
    Bars {
        pods: packed(lives, &places, &mut nodes, clock.end()),
        nodes,
        evictions,
        pods_left_out,
        nodes_left_out,
    }
}

/// The first pods of a timeline, in order of creation, and how many more there are.
fn lives(timeline: &Timeline, clock: Clock) -> (Vec<Life>, usize) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left_out: BTreeSet<&str> = BTreeSet::new();
    let mut lives: Vec<Life> = Vec::new();
    for entry in &timeline.entries {
        let What::Pod(sighting) = &entry.what else {
            continue;
        };
        let pod = &sighting.state;
        if lives.len() == PODS && !places.contains_key(pod.uid.as_str()) {
            left_out.insert(&pod.uid);
            continue;
        }
        let place = *places.entry(&pod.uid).or_insert_with(|| {
            lives.push(Life {
                name: pod.name.clone(),
                ..Life::default()
            });
            lives.len() - 1
        });
        lives[place].see(clock.ms(entry.t), pod, sighting.change);
    }
    (lives, left_out.len())
}

impl Life {
    fn see(&mut self, t: f64, pod: &PodSeen, change: Change) {
        let stage = stage(pod);
        match self.stages.last_mut() {
            None => self.stages.push((t, stage)),
            // What is gone is shown by its bar's end.
            Some((_, last)) if *last == stage || change == Change::Gone => {}
            // Of what was before the beginning, only the last counts.
            Some(last) if last.0 == t => last.1 = stage,
            Some(_) => self.stages.push((t, stage)),
        }
        if self.node.is_none() {
            self.node.clone_from(&pod.node);
        }
        for reason in [&pod.reason, &pod.unschedulable, &pod.disruption]
            .into_iter()
            .flatten()
        {
            if !self.reasons.contains(reason) {
                self.reasons.push(reason.clone());
            }
        }
        let going = pod.terminating || change == Change::Gone;
        if let Some(reason) = pod
            .disruption
            .as_ref()
            .filter(|_| going && self.evicted.is_none())
        {
            self.evicted = Some((t, reason.clone()));
        }
        if change == Change::Gone {
            self.gone.get_or_insert(t);
        }
    }

    fn ends(&self, end: f64) -> f64 {
        self.gone.unwrap_or(end)
    }
}

fn stage(pod: &PodSeen) -> Stage {
    match pod.phase.as_str() {
        _ if pod.terminating => Stage::Terminating,
        "Failed" => Stage::Failed,
        "Succeeded" => Stage::Succeeded,
        _ if pod.node.is_none() => Stage::Pending,
        "Running" if pod.ready => Stage::Running,
        _ => Stage::Bound,
    }
}

/// Lays each bar into the first lane of its row that is free: a pod that comes back lies where its forerunner lay.
fn packed(lives: Vec<Life>, places: &[usize], nodes: &mut [NodeRow], end: f64) -> Vec<Bar> {
    let mut free: Vec<Vec<f64>> = vec![Vec::new(); nodes.len()];
    let mut bars = Vec::new();
    for (life, &node) in lives.into_iter().zip(places) {
        let begins = life.stages.first().map_or(0.0, |(t, _)| *t);
        let until = life.ends(end).max(begins + end * LEAST);
        let lanes = &mut free[node];
        let lane = lanes
            .iter()
            .position(|free| *free <= begins)
            .unwrap_or(lanes.len());
        match lanes.get_mut(lane) {
            Some(free) => *free = until,
            None => lanes.push(until),
        }
        nodes[node].lanes = lanes.len();
        bars.push(Bar {
            name: life.name,
            node,
            lane,
            stages: life.stages,
            gone: life.gone,
            reasons: life.reasons,
        });
    }
    bars
}

type Closures = BTreeMap<String, Vec<(f64, f64, String)>>;

/// When each node took no pods, or not all.
fn closures(timeline: &Timeline, clock: Clock) -> Closures {
    let mut all = Closures::new();
    let mut open: BTreeMap<&str, (f64, String)> = BTreeMap::new();
    for entry in &timeline.entries {
        let What::Node(node) = &entry.what else { continue };
        let spans = all.entry(node.state.name.clone()).or_default();
        let (t, why) = (clock.ms(entry.t), why_closed(&node.state, node.change));
        let name = node.state.name.as_str();
        if open
            .get(name)
            .is_some_and(|(_, since)| Some(since) == why.as_ref())
        {
            continue;
        }
        if let Some((from, why)) = open.remove(name) {
            spans.push((from, t, why));
        }
        if let Some(why) = why {
            open.insert(name, (t, why));
        }
    }
    for (name, (from, why)) in open {
        let spans = all.entry(name.to_owned()).or_default();
        spans.push((from, clock.end(), why));
    }
    for spans in all.values_mut() {
        // What was over before the beginning is of no width.
        spans.retain(|(from, to, _)| to > from);
    }
    all
}

fn why_closed(node: &NodeSeen, change: Change) -> Option<String> {
    let mut why = Vec::new();
    if change == Change::Gone {
        why.push("gone".to_owned());
    } else {
        if !node.ready {
            why.push("not ready".to_owned());
        }
        if node.cordoned {
            why.push("cordoned".to_owned());
        }
        // What cordoning puts there by itself says the same again.
        let cordon =
            |taint: &&String| !(node.cordoned && taint.starts_with("node.kubernetes.io/unschedulable"));
        why.extend(
            node.taints
                .iter()
                .filter(cordon)
                .map(|taint| format!("tainted {taint}")),
        );
    }
    (!why.is_empty()).then(|| why.join(", "))
}
