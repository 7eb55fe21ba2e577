//! Steps in words, as they are told and noted on a timeline.

use std::fmt;

use super::format::{CpuFile, NodePick, Step};
use kubeclash_timeline::words::OneOrMany;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply(apply) => {
                write!(f, "apply {}", list(apply.apply.as_slice()))?;
                if apply.server_side {
                    f.write_str(" on the server's side")?;
                }
                if let Some(manager) = &apply.manager {
                    write!(f, " as {manager}")?;
                }
                apply.every.map_or(Ok(()), |every| write!(f, " every {every}"))
            }
            Self::Delete(delete) => write!(f, "delete {}", list(delete.delete.as_slice())),
            Self::Patch(patch) => write!(f, "patch {} with {}", patch.patch, patch.with),
            Self::Scale(scale) => pairs(f, "scale", scale.scale.iter(), " to "),
            Self::SetImage(set) => pairs(f, "set the image of", set.set_image.iter(), " to "),
            Self::Label(label) => pairs(f, "label", told(&label.label), " "),
            Self::Taint(taint) => pairs(f, "taint", told(&taint.taint), " "),
            Self::Cordon(cordon) => write!(f, "cordon {}", cordon.cordon),
            Self::Uncordon(uncordon) => write!(f, "uncordon {}", uncordon.uncordon),
            Self::Drain(drain) => write!(f, "drain {}", drain.drain),
            Self::StopNode(stop) => write!(f, "stop {}", stop.stop_node),
            Self::StartNode(start) => write!(f, "start {}", start.start_node),
            Self::AddNodes(add) => match add.add_nodes.count {
                1 => f.write_str("add a node"),
                count => write!(f, "add {count} nodes"),
            },
            Self::RemoveNode(remove) => write!(f, "remove {}", remove.remove_node),
            Self::Descheduler(descheduler) => {
                write!(f, "start descheduler {}", descheduler.descheduler.policy)
            }
            Self::Start(start) => write!(f, "start {}", start.start),
            Self::Stop(stop) => write!(f, "stop {}", stop.stop),
            Self::Cpu(cpu) => write!(f, "{}", cpu.cpu),
            Self::Wait(wait) => write!(f, "wait for {}", kubeclash_timeline::words::condition(&wait.wait)),
            Self::Mark(mark) => write!(f, "mark {}", mark.mark),
            Self::Observe(_) => f.write_str("watch"),
            Self::Nothing(_) => f.write_str("nothing"),
        }
    }
}

impl fmt::Display for NodePick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.pad(name),
            Self::Fullest { fullest_of } => write!(f, "the node with most pods of {fullest_of}"),
        }
    }
}

impl fmt::Display for CpuFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.each_pod.is_some() {
            "each pod"
        } else {
            "all pods"
        };
        write!(f, "set the CPU use of {whose} of {}", self.of)
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn told(map: &indexmap::IndexMap<String, OneOrMany<String>>) -> impl Iterator<Item = (&String, String)> {
    map.iter().map(|(object, texts)| (object, list(texts.as_slice())))
}

fn pairs<K: fmt::Display, V: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    verb: &str,
    pairs: impl Iterator<Item = (K, V)>,
    between: &str,
) -> fmt::Result {
    let pairs: Vec<_> = pairs
        .map(|(key, value)| format!("{key}{between}{value}"))
        .collect();
    write!(f, "{verb} {}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubeclash_host::yaml;

    #[test]
    fn a_step_is_told_as_one_would_say_it() {
        for (text, told) in [
            ("apply: 10-web.yaml", "apply 10-web.yaml"),
            (
                "{apply: [a.yaml, b.yaml], as: argo, server-side: true, every: 30s}",
                "apply a.yaml, b.yaml on the server's side as argo every 30s",
            ),
            ("scale: {deployment/web: 3}", "scale deployment/web to 3"),
            ("label: {kind-worker: [a=b, c-]}", "label kind-worker a=b, c-"),
            (
                "taint: {kind-worker: 'a=b:NoExecute'}",
                "taint kind-worker a=b:NoExecute",
            ),
            (
                "drain: {fullest-of: deployment/web}",
                "drain the node with most pods of deployment/web",
            ),
            ("uncordon: the drained node", "uncordon the drained node"),
            ("add-nodes: {count: 2}", "add 2 nodes"),
            (
                "descheduler: {policy: policy.yaml}",
                "start descheduler policy.yaml",
            ),
            (
                "{wait: {deployment/web: {available: 3}, nodes: {open: '>= 2'}}, within: 60s}",
                "wait for deployment/web available 3 and nodes open >= 2",
            ),
            (
                "cpu: {of: deployment/web, each-pod: [{use: 100m}]}",
                "set the CPU use of each pod of deployment/web",
            ),
        ] {
            let step: Step = yaml::read(text).unwrap();
            assert_eq!(step.to_string(), told);
        }
    }
}
