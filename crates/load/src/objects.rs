//! The objects of a load test: which there are, and what is sent for each. Plain data.

use once_cell::sync::Lazy;
use serde_json::Value;

use super::profile::Says;
use kubeclash_host::yaml;

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One for each hundred nodes.
    Namespace,
    /// One for two deployments.
    Service,
    /// Of the daemon sets.
    PriorityClass,
    /// One a deployment, mounted by its pods.
    ConfigMap,
    /// One a deployment, mounted by its pods.
    Secret,
    /// A pod on every node.
    DaemonSet,
    /// Most pods are one's.
    Deployment,
    /// All its pods at once.
    StatefulSet,
    /// Its pods run until it is deleted.
    Job,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Namespace,
        Self::Service,
        Self::PriorityClass,
        Self::ConfigMap,
        Self::Secret,
        Self::DaemonSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::Job,
    ];

    const fn template(self) -> &'static str {
        match self {
            Self::Namespace => include_str!("../manifests/namespace.yaml"),
            Self::Service => include_str!("../manifests/service.yaml"),
            Self::PriorityClass => include_str!("../manifests/priority-class.yaml"),
            Self::ConfigMap => include_str!("../manifests/config-map.yaml"),
            Self::Secret => include_str!("../manifests/secret.yaml"),
            Self::DaemonSet => include_str!("../manifests/daemon-set.yaml"),
            Self::Deployment => include_str!("../manifests/deployment.yaml"),
            Self::StatefulSet => include_str!("../manifests/stateful-set.yaml"),
            Self::Job => include_str!("../manifests/job.yaml"),
        }
    }

    /// The path of its collection in the API; of a kind that is in no namespace, without one.
    #[must_use]
    pub fn collection(self, namespace: &str) -> String {
        let (api, resource) = match self {
            Self::Namespace => return "/api/v1/namespaces".to_owned(),
            Self::PriorityClass => return "/apis/scheduling.k8s.io/v1/priorityclasses".to_owned(),
            Self::Service => ("/api/v1", "services"),
            Self::ConfigMap => ("/api/v1", "configmaps"),
            Self::Secret => ("/api/v1", "secrets"),
            Self::DaemonSet => ("/apis/apps/v1", "daemonsets"),
            Self::Deployment => ("/apis/apps/v1", "deployments"),
            Self::StatefulSet => ("/apis/apps/v1", "statefulsets"),
            Self::Job => ("/apis/batch/v1", "jobs"),
        };
        format!("{api}/namespaces/{namespace}/{resource}")
    }

    /// Its name in words, as kubectl writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Service => "service",
            Self::PriorityClass => "priorityclass",
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
            Self::DaemonSet => "daemonset",
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::Job => "job",
        }
    }
}

/// One object of a load test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// In which namespace; its own name where it is one, nothing where it is in none.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// The service of its pods; of a daemon set, the priority class.
    pub service: String,
    /// How many pods it is to have; on how many nodes, where it is a daemon set.
    pub size: usize,
    /// Which revision of its content it is to have, counted from 1.
    pub revision: usize,
}

impl Item {
    /// What is sent to create it.
    #[must_use]
    pub fn body(&self) -> Value {
        static TEMPLATES: Lazy<Vec<Value>> = Lazy::new(|| {
            let read = |kind: Kind| yaml::value(kind.template()).expect("a test reads every template");
            Kind::ALL.into_iter().map(read).collect()
        });
        let at = Kind::ALL.iter().position(|kind| *kind == self.kind);
        let mut body = TEMPLATES[at.expect("ALL has every kind")].clone();
        self.fill(&mut body);
        body
    }

    /// Puts its own words in place of the template's.
    fn fill(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|field| self.fill(field)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::String(text) if text == "$REPLICAS" => *value = self.size.into(),
            Value::String(text) if text.contains('$') => {
                *text = text
                    .replace("$NAMESPACE", &self.namespace)
                    .replace("$NAME", &self.name)
                    .replace("$SERVICE", &self.service)
                    .replace("$REVISION", &self.revision.to_string());
            }
            _ => {}
        }
    }

    /// Its path in the API.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.kind.collection(&self.namespace), self.name)
    }

    /// As people write it: `load-3/deployment small-7`.
    #[must_use]
    pub fn told(&self) -> String {
        match self.kind {
            Kind::Namespace | Kind::PriorityClass => format!("{} {}", self.kind.name(), self.name),
            _ => format!("{}/{} {}", self.namespace, self.kind.name(), self.name),
        }
    }

    /// Whether it is one that has pods.
    #[must_use]
    pub fn owns_pods(&self) -> bool {
        matches!(
            self.kind,
            Kind::DaemonSet | Kind::Deployment | Kind::StatefulSet | Kind::Job
        )
    }

    /// How many pods of it are wanted.
    #[must_use]
    pub fn pods(&self) -> usize {
        if self.owns_pods() { self.size } else { 0 }
    }

    /// The same when it is deleted: without pods.
    #[must_use]
    pub fn gone(&self) -> Self {
        Self {
            size: 0,
            ..self.clone()
        }
    }
}

/// Everything that a load test makes, by the step that makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mix {
    /// Before the first step.
    pub namespaces: Vec<Item>,
    /// Step 2.
    pub services: Vec<Item>,
    /// Step 3.
    pub priority_class: Vec<Item>,
    /// Step 5, in the order in which they are created: what pods mount before what has pods.
    pub objects: Vec<Item>,
}

/// The daemon sets' priority class.
const PRIORITY: &str = "load-daemonset";

/// What one is called in its namespace, counted from 1.
fn nth(size: &str, kind: &str, n: usize) -> String {
    format!("{size}-{kind}-{n}")
}

impl Mix {
    /// The mix of the standard load test (clusterloader2, testing/load/config.yaml), at a profile's size.
    #[must_use]
    pub fn of(says: &Says) -> Self {
        let mut mix = Self::default();
        let item = |kind, namespace: &str, name: &str, service: &str, size| Item {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            service: service.to_owned(),
            size,
            revision: 1,
        };
        mix.priority_class
            .push(item(Kind::PriorityClass, "", PRIORITY, "", 0));
        let mut owners = Vec::new();
        for n in 1..=says.namespaces() {
            let namespace = format!("load-{n}");
            mix.namespaces
                .push(item(Kind::Namespace, &namespace, &namespace, "", 0));
            for (size, pods, number) in says.deployments() {
                for n in 1..=number {
                    let name = nth(size, "deployment", n);
                    // One service for two deployments.
                    let service = nth(size, "service", n.div_ceil(2));
                    if n % 2 == 1 {
                        mix.services
                            .push(item(Kind::Service, &namespace, &service, "", 0));
                    }
                    for kind in [Kind::ConfigMap, Kind::Secret] {
                        mix.objects.push(item(kind, &namespace, &name, "", 0));
                    }
                    owners.push(item(Kind::Deployment, &namespace, &name, &service, pods));
                }
            }
            let Sets { stateful, jobs } = says.sets();
            for (kind, word, sets) in [
                (Kind::StatefulSet, "statefulset", &stateful[..]),
                (Kind::Job, "job", &jobs[..]),
            ] {
                for (size, pods, number) in sets {
                    for n in 1..=*number {
                        owners.push(item(kind, &namespace, &nth(size, word, n), "", *pods));
                    }
                }
            }
        }
        for n in 1..=says.daemon_sets {
            let name = format!("daemonset-{n}");
            mix.objects
                .push(item(Kind::DaemonSet, "load-1", &name, PRIORITY, says.nodes));
        }
        mix.objects.extend(owners);
        mix
    }

    /// What step 7 makes of the objects of step 5: those that change, as they are to be.
    #[must_use]
    pub fn scaled(&self, says: &Says) -> Vec<Item> {
        let mut random = Random(says.scaling.seed);
        let mut changed = Vec::new();
        let mut updated = std::collections::BTreeSet::new();
        // Owners first: what they mount changes with them.
        for item in self.objects.iter().filter(|item| item.kind == Kind::Deployment) {
            if random.part() < says.scaling.updated {
                updated.insert((&item.namespace, &item.name));
            }
        }
        for item in &self.objects {
            let mut now = item.clone();
            if updated.contains(&(&item.namespace, &item.name)) {
                now.revision += 1;
            }
            if matches!(item.kind, Kind::Deployment | Kind::StatefulSet | Kind::Job) {
                let factor = 1.0 + says.scaling.factor * (2.0 * random.part() - 1.0);
                // As the standard load test: anything from half to half as much again.
                now.size = ((item.size as f64 * factor).round() as usize).max(1);
            }
            if now != *item {
                changed.push(now);
            }
        }
        changed
    }
}

/// Stateful sets and jobs of a namespace: size in words, pods, how many.
struct Sets {
    stateful: [(&'static str, usize, usize); 2],
    jobs: [(&'static str, usize, usize); 3],
}

impl Says {
    fn sets(&self) -> Sets {
        let Self {
            sizes,
            stateful_sets,
            jobs,
            ..
        } = self;
        Sets {
            stateful: [
                ("small", sizes.small, stateful_sets.small),
                ("medium", sizes.medium, stateful_sets.medium),
            ],
            jobs: [
                ("small", sizes.small, jobs.small),
                ("medium", sizes.medium, jobs.medium),
                ("big", sizes.big, jobs.big),
            ],
        }
    }

    /// Deployments of a namespace: size in words, pods, how many. A quarter of the pods each are in big and in medium ones,
    /// half of them in small ones; each other set of pods takes the place of one of its size.
    fn deployments(&self) -> [(&'static str, usize, usize); 3] {
        let pods = self.pods_per_node * self.nodes.min(self.nodes_per_namespace);
        let Self {
            sizes,
            stateful_sets: sets,
            jobs,
            ..
        } = self;
        let number = |share: usize, size: usize, taken: usize| (pods / (share * size)).saturating_sub(taken);
        [
            ("big", sizes.big, number(4, sizes.big, jobs.big)),
            (
                "medium",
                sizes.medium,
                number(4, sizes.medium, sets.medium + jobs.medium),
            ),
            (
                "small",
                sizes.small,
                number(2, sizes.small, sets.small + jobs.small),
            ),
        ]
    }
}

/// Numbers that are the same for the same seed, on any machine (splitmix64).
struct Random(u64);

impl Random {
    /// The next number of at least 0 and less than 1.
    fn part(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::profile::Profile;

    fn count(items: &[Item]) -> BTreeMap<&str, usize> {
        items.iter().fold(BTreeMap::new(), |mut counts, item| {
            *counts.entry(item.kind.name()).or_default() += 1;
            counts
        })
    }

    #[test]
    fn the_mix_is_the_standard_one() {
        let profile = Profile::of(100).unwrap();
        let mix = Mix::of(&profile.says);
        // 1,000 pods: 1 big, 8 medium and 100 small groups, of which some are jobs and stateful sets.
        let counts = count(&mix.objects);
        assert_eq!(counts["deployment"], 6 + 98);
        assert_eq!(counts["job"], 3);
        assert_eq!(counts["statefulset"], 2);
        assert_eq!(counts["daemonset"], 1);
        assert_eq!((counts["configmap"], counts["secret"]), (104, 104));
        assert_eq!(mix.services.len(), 3 + 49);
        let pods: usize = mix.objects.iter().map(Item::pods).sum();
        assert_eq!(pods, 250 + 8 * 30 + 100 * 5 + 100);
        let names: std::collections::BTreeSet<_> = mix.objects.iter().map(Item::path).collect();
        assert_eq!(names.len(), mix.objects.len(), "two objects of one name");
    }

    #[test]
    fn every_template_is_filled() {
        let mix = Mix::of(&Profile::of(100).unwrap().says);
        let all = [&mix.namespaces, &mix.services, &mix.priority_class, &mix.objects];
        for item in all.into_iter().flatten() {
            let text = item.body().to_string();
            assert!(!text.contains('$'), "{text}");
            assert_eq!(item.body()["metadata"]["name"], item.name.as_str(), "{text}");
        }
        let deployment = mix
            .objects
            .iter()
            .find(|item| item.kind == Kind::Deployment)
            .unwrap();
        assert_eq!(deployment.body()["spec"]["replicas"], deployment.size);
        let daemon = mix
            .objects
            .iter()
            .find(|item| item.kind == Kind::DaemonSet)
            .unwrap();
        assert_eq!(
            daemon.body()["spec"]["template"]["spec"]["priorityClassName"],
            PRIORITY
        );
    }

    #[test]
    fn scaling_is_the_same_for_the_same_seed_and_stays_in_its_bounds() {
        let mut says = Profile::of(100).unwrap().says;
        let mix = Mix::of(&says);
        let scaled = mix.scaled(&says);
        assert_eq!(scaled, mix.scaled(&says));
        let before: BTreeMap<String, &Item> = mix.objects.iter().map(|item| (item.path(), item)).collect();
        for item in &scaled {
            let was = before[&item.path()];
            assert!(item.size * 2 + 1 >= was.size && item.size <= was.size * 3 / 2 + 1);
            assert!(item.kind != Kind::DaemonSet, "one pod a node is one pod a node");
        }
        let updated = scaled
            .iter()
            .filter(|item| item.revision == 2 && item.kind == Kind::Secret);
        assert!((1..40).contains(&updated.count()));
        says.scaling.seed = 2;
        assert_ne!(scaled, mix.scaled(&says));
        says.scaling.factor = 0.0;
        says.scaling.updated = 0.0;
        assert_eq!(mix.scaled(&says), []);
    }
}
