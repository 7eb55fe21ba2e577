//! What a cluster is made to be: its nodes, its schedulers, and what the control plane is started with.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use k8s_openapi::api::core::v1::Taint;

use super::tuning::{self, DEFAULT_SCHEDULER, SchedulerConfig, Tuning};
use crate::file::{ClusterFile, ComponentFile, NodeGroup, Quantity};
use crate::{taint, thousandths};
use kubeclash_components::{Binary, ComponentName};
use kubeclash_timeline::{Pace, Shape, worker};

/// CPU of a node that says nothing of it, in millicores: the study's.
const CPU_M: u64 = 8_000;

/// Memory of a node that says nothing of it.
const MEMORY: &str = "32Gi";

/// How many pods a node takes that says nothing of it: a kubelet's default.
const PODS: u32 = 110;

/// How many nodes a case may ask for at most.
const MOST_NODES: usize = 5_000;

/// For how long a pod stays on a node that is lost, where it does not say (`DefaultTolerationSeconds`).
const TOLERATION: Duration = Duration::from_secs(300);

/// What a cluster is made to be. The default is the study's three workers.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSpec {
    /// The worker nodes, in order.
    pub nodes: Vec<NodeSpec>,
    /// How the default scheduler is started.
    pub scheduler: SchedulerSpec,
    /// A scheduler beside it, and the name that pods have for it.
    pub second_scheduler: Option<(String, SchedulerSpec)>,
    /// More arguments of the controller-manager.
    pub controller_manager_args: Vec<String>,
    /// Controllers of the controller-manager that run although they are left out by default.
    pub more_controllers: Vec<String>,
    /// The names of the programs that take part as controllers.
    pub programs: Vec<String>,
    /// More arguments of the API server.
    pub apiserver_args: Vec<String>,
    /// Feature gates of API server, controller-manager and schedulers.
    pub feature_gates: BTreeMap<String, bool>,
    /// Whether somebody is to look at what pods use: the metrics API is there then.
    pub metrics: bool,
    /// Whether nodes are to stop: how fast that is noticed, and their pods are given up, follows the pace then.
    pub nodes_stop: bool,
}

/// A worker node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Its CPU in millicores.
    pub cpu_m: u64,
    /// Its memory, as Kubernetes writes quantities; `None` where nothing is said of it.
    pub memory: Option<String>,
    /// How many pods it takes; `None` where nothing is said of it.
    pub pods: Option<u32>,
    /// Its labels, besides those that every node has.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Above which share of its CPU it stops, in percent.
    pub dies_above: Option<u32>,
}

/// How a scheduler is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchedulerSpec {
    /// Its configuration.
    pub config: Option<SchedulerConfig>,
    /// More arguments.
    pub args: Vec<String>,
}

/// Everything that is wrong with what a case asks of its cluster; each mistake names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ClusterSpecError(pub Vec<String>);

impl Default for ClusterSpec {
    fn default() -> Self {
        Self::from(Shape {
            workers: 3,
            worker_cpu: 8,
        })
    }
}

impl From<Shape> for ClusterSpec {
    fn from(shape: Shape) -> Self {
        let node = |name| NodeSpec {
            cpu_m: u64::from(shape.worker_cpu) * 1000,
            ..NodeSpec::named(name)
        };
        Self {
            nodes: shape.worker_names().map(node).collect(),
            scheduler: SchedulerSpec::default(),
            second_scheduler: None,
            controller_manager_args: Vec::new(),
            more_controllers: Vec::new(),
            programs: Vec::new(),
            apiserver_args: Vec::new(),
            feature_gates: BTreeMap::new(),
            metrics: false,
            nodes_stop: false,
        }
    }
}

impl NodeSpec {
    /// A node of which nothing is said but its name.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self {
            name,
            cpu_m: CPU_M,
            memory: None,
            pods: None,
            labels: BTreeMap::new(),
            taints: Vec::new(),
            dies_above: None,
        }
    }

    /// Its memory, as Kubernetes writes quantities.
    #[must_use]
    pub fn memory(&self) -> &str {
        self.memory.as_deref().unwrap_or(MEMORY)
    }

    /// How many pods it takes.
    #[must_use]
    pub fn pods(&self) -> u32 {
        self.pods.unwrap_or(PODS)
    }

    /// The nodes of a group, whose first is the n-th worker, counted from 1.
    ///
    /// # Errors
    /// All that is wrong with the group; each mistake begins with `field`.
    pub fn of_group(group: &NodeGroup, first: usize, field: &str) -> Result<Vec<Self>, ClusterSpecError> {
        let mut mistakes = Vec::new();
        let cpu = group.cpu.as_ref().map(text_of);
        let cpu_m = cpu.as_deref().map_or(Some(CPU_M), thousandths).filter(|m| *m > 0);
        if cpu_m.is_none() {
            let cpu = cpu.unwrap_or_default();
            mistakes.push(format!(
                "{field}.cpu: \"{cpu}\" is no amount of CPU: write 8 or 500m"
            ));
        }
        let memory = group.memory.as_ref().map(text_of);
        if let Some(memory) = memory.as_ref().filter(|m| thousandths(m).is_none_or(|m| m == 0)) {
            mistakes.push(format!(
                "{field}.memory: \"{memory}\" is no amount of memory: write 32Gi"
            ));
        }
        if !(1..=MOST_NODES).contains(&group.count) {
            mistakes.push(format!(
                "{field}.count: {} nodes are not 1..{MOST_NODES}",
                group.count
            ));
        }
        if group.dies_above == Some(0) {
            mistakes.push(format!(
                "{field}.dies-above: a node that dies above 0 % bears nothing"
            ));
        }
        let mut taints = Vec::new();
        for text in &group.taints {
            match taint(text) {
                Ok(taint) => taints.push(taint),
                Err(why) => mistakes.push(format!("{field}.taints: {why}")),
            }
        }
        if !mistakes.is_empty() {
            return Err(ClusterSpecError(mistakes));
        }
        let labels: BTreeMap<_, _> = group
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect();
        let node = |n| Self {
            name: worker(n),
            cpu_m: cpu_m.unwrap_or(CPU_M),
            memory: memory.clone(),
            pods: group.pods,
            labels: labels.clone(),
            taints: taints.clone(),
            dies_above: group.dies_above,
        };
        Ok((first..first + group.count).map(node).collect())
    }
}

impl ClusterSpec {
    /// The cluster of a case, with the files that it names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn of(file: &ClusterFile, configs: &BTreeMap<String, String>) -> Result<Self, ClusterSpecError> {
        let mut mistakes = Vec::new();
        let mut spec = Self::default();
        if !file.nodes.is_empty() {
            spec.nodes.clear();
        }
        for (at, group) in file.nodes.iter().enumerate() {
            match NodeSpec::of_group(group, spec.nodes.len() + 1, &format!("cluster.nodes[{at}]")) {
                Ok(nodes) => spec.nodes.extend(nodes),
                Err(error) => mistakes.extend(error.0),
            }
        }
        if spec.nodes.len() > MOST_NODES {
            let many = spec.nodes.len();
            mistakes.push(format!("cluster.nodes: {many} nodes are more than {MOST_NODES}"));
        }
        let mut config = |field: &str, file: Option<&String>| {
            let file = file?;
            let parsed = match configs.get(file) {
                Some(text) => SchedulerConfig::parse(file.into(), text).map_err(|error| error.mistakes),
                None => Err(vec![format!(
                    "cluster.{field}.config: there is no file \"{file}\""
                )]),
            };
            parsed.map_err(|more| mistakes.extend(more)).ok()
        };
        if let Some(ComponentFile {
            config: file, args, ..
        }) = &file.scheduler
        {
            spec.scheduler.config = config("scheduler", file.as_ref());
            spec.scheduler.args.clone_from(args);
        }
        spec.second_scheduler = file.second_scheduler.as_ref().map(|second| {
            let started = SchedulerSpec {
                config: config("second-scheduler", second.config.as_ref()),
                args: second.args.clone(),
            };
            (second.name.clone(), started)
        });
        if let Some(ComponentFile {
            args, controllers, ..
        }) = &file.controller_manager
        {
            spec.controller_manager_args.clone_from(args);
            spec.more_controllers.clone_from(controllers);
        }
        if let Some(ComponentFile { args, .. }) = &file.apiserver {
            spec.apiserver_args.clone_from(args);
        }
        spec.feature_gates = gates(&file.feature_gates);
        mistakes.extend(spec.mistakes(file));
        if mistakes.is_empty() {
            Ok(spec)
        } else {
            Err(ClusterSpecError(mistakes))
        }
    }

    /// What is wrong besides that a part can't be read.
    fn mistakes(&self, file: &ClusterFile) -> Vec<String> {
        let mut mistakes = Vec::new();
        type Take = fn(&str) -> Result<String, String>;
        let second = self.second_scheduler.as_ref().map_or(&[][..], |(_, s)| &s.args);
        for (field, args, take) in [
            (
                "scheduler",
                &self.scheduler.args[..],
                tuning::scheduler_arg as Take,
            ),
            ("second-scheduler", second, tuning::scheduler_arg),
            (
                "controller-manager",
                &self.controller_manager_args,
                tuning::controller_manager_arg,
            ),
            ("apiserver", &self.apiserver_args, tuning::apiserver_arg),
        ] {
            let refused = args.iter().filter_map(|arg| take(arg).err());
            mistakes.extend(refused.map(|why| format!("cluster.{field}.args: {why}")));
        }
        for (field, component) in [
            ("controller-manager", &file.controller_manager),
            ("apiserver", &file.apiserver),
        ] {
            if component
                .as_ref()
                .is_some_and(|component| component.config.is_some())
            {
                mistakes.push(format!(
                    "cluster.{field}.config: only a scheduler takes a configuration"
                ));
            }
        }
        for (field, component) in [("scheduler", &file.scheduler), ("apiserver", &file.apiserver)] {
            if component
                .as_ref()
                .is_some_and(|component| !component.controllers.is_empty())
            {
                mistakes.push(format!(
                    "cluster.{field}.controllers: only the controller-manager has some"
                ));
            }
        }
        if let Some((name, second)) = &self.second_scheduler {
            let names = second.config.as_ref().map(SchedulerConfig::profiles);
            if name == DEFAULT_SCHEDULER {
                let what = "that is the default one's name; cluster.scheduler is its own";
                mistakes.push(format!("cluster.second-scheduler.name: {what}"));
            } else if let Some(names) = names.filter(|names| !names.contains(&name.as_str())) {
                mistakes.push(format!(
                    "cluster.second-scheduler.config: it has no profile with schedulerName \"{name}\"; it has \"{}\"",
                    names.join("\", \"")
                ));
            }
        }
        mistakes
    }

    /// Workers and the CPU of the first, as a timeline's header has them.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let cpu = self.nodes.first().map_or(0, |node| node.cpu_m / 1000);
        Shape {
            workers: self.nodes.len(),
            worker_cpu: u32::try_from(cpu).unwrap_or(u32::MAX),
        }
    }

    /// What takes part, with the second scheduler of a case: it is the default one's program, unless there is one for it.
    #[must_use]
    pub fn binaries(&self, binaries: &BTreeMap<ComponentName, Binary>) -> BTreeMap<ComponentName, Binary> {
        let mut all = binaries.clone();
        let scheduler = binaries.get(&ComponentName::Scheduler);
        if let (Some(_), Some(scheduler)) = (&self.second_scheduler, scheduler) {
            let name = ComponentName::SecondScheduler;
            all.entry(name).or_insert_with(|| Binary {
                name,
                ..scheduler.clone()
            });
        }
        all
    }

    /// What of a case's the user's own flags take the place of, each in words.
    #[must_use]
    pub fn overruled_by(&self, tuning: &Tuning) -> Vec<String> {
        let mut told = Vec::new();
        let named = tuning.scheduler_name.as_ref();
        if let (Some(name), Some((case, _))) = (named, &self.second_scheduler) {
            told.push(format!(
                "--scheduler-name {name} takes the place of the case's second scheduler \"{case}\""
            ));
        }
        if named.is_some() {
            return told;
        }
        if let (Some(user), Some(case)) = (&tuning.scheduler_config, &self.scheduler.config) {
            told.push(format!(
                "--scheduler-config {} takes the place of the case's \"{}\"",
                user.file.display(),
                case.file.display()
            ));
        }
        let flag = |arg: &str| arg.split('=').next().unwrap_or_default().to_owned();
        for user in &tuning.scheduler_args {
            let same = self.scheduler.args.iter().find(|case| flag(case) == flag(user));
            told.extend(
                same.map(|case| format!("--scheduler-arg {user} takes the place of the case's {case}")),
            );
        }
        told
    }

    /// The arguments of the API server. Where nodes are to stop, for how long pods are left on them follows the pace; it is admission
    /// that writes it into each pod.
    pub(super) fn apiserver_flags(&self, pace: Pace) -> Vec<String> {
        let mut flags: Vec<String> = self.gates_flag().into_iter().collect();
        if self.nodes_stop && pace != Pace::Recorded {
            let seconds = pace.scale(TOLERATION).as_secs();
            for condition in ["not-ready", "unreachable"] {
                flags.push(format!("--default-{condition}-toleration-seconds={seconds}"));
            }
        }
        flags.extend(self.apiserver_args.iter().cloned());
        flags
    }

    /// `--feature-gates`, where there are any.
    pub(super) fn gates_flag(&self) -> Option<String> {
        let gates: Vec<String> = self
            .feature_gates
            .iter()
            .map(|(gate, on)| format!("{gate}={on}"))
            .collect();
        (!gates.is_empty()).then(|| format!("--feature-gates={}", gates.join(",")))
    }
}

fn gates(file: &IndexMap<String, bool>) -> BTreeMap<String, bool> {
    file.iter().map(|(gate, on)| (gate.clone(), *on)).collect()
}

fn text_of(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Number(number) => number.to_string(),
        Quantity::Text(text) => text.clone(),
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
