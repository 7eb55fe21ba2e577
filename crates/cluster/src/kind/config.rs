//! What kind is told of a cluster: a shape out of `kind-configs/`, and what makes it the study's.
//!
//! | what | how |
//! |---|---|
//! | node names `kind-worker`, `kind-worker2`, … in a cluster of any name | kubeadm's `nodeRegistration.name` |
//! | workers of 8 CPUs on any machine | what cAdvisor counts is mounted: `/sys/devices/system/cpu` with eight folders |
//! | nothing on the workers that takes room or time | no kube-proxy, no CoreDNS, no CNI daemon: a `ptp` configuration a node |
//! | our certificates | the run's authority is mounted where kubeadm looks for one before it makes its own |
//! | the pace | flags of the controller-manager and the kubelets |
//! | who did what | the API server's audit log |

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::failed;
use super::kit::Kit;
use crate::site::Site;
use crate::{Order, ProviderError, access, audit, paced};
use kubeclash_host::yaml;
use kubeclash_timeline::{Minor, worker};

/// The audit log's folder in the control plane's node.
const AUDIT_DIR: &str = "/var/log/kubernetes/audit";

/// The audit log in the control plane's node.
pub(super) const AUDIT_LOG: &str = "/var/log/kubernetes/audit/audit.log";

/// What the control plane's node is called.
pub(super) const CONTROL_PLANE: &str = "kind-control-plane";

/// Where a folder of ours is mounted in the control plane's node.
pub(super) const OURS: &str = "/etc/kubernetes/kubeclash";

/// How often a kubelet looks at what its containers use, at the recorded pace: cAdvisor's default.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// The API server's port in the control plane's node.
const API_PORT: u16 = 6443;

/// The administrator's kubeconfig in [`OURS`].
pub(super) const KUBECONFIG: &str = "admin.kubeconfig";

const SHAPES: [&str; 3] = [
    include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/kind-configs/one-worker.yaml"
    )),
    include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/kind-configs/two-worker.yaml"
    )),
    include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/kind-configs/three-worker.yaml"
    )),
];

/// How flags are written.
type Flags = fn(&[(&str, &str)]) -> Value;

/// The API versions of kubeadm's configuration: in the newer one, flags are a list. A patch is used where its version is.
const KUBEADM: [(&str, Flags); 2] = [
    ("kubeadm.k8s.io/v1beta3", |flags| {
        flags
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect::<Map<_, _>>()
            .into()
    }),
    ("kubeadm.k8s.io/v1beta4", |flags| {
        flags
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect()
    }),
];

/// The files that a cluster's nodes see, by where they lie on this machine.
#[derive(Debug)]
struct Files {
    /// A worker's each.
    cpus: Vec<PathBuf>,
    numa: PathBuf,
    /// The control plane's first, then a worker's each.
    kubelets: Vec<PathBuf>,
    ours: PathBuf,
    ca: [PathBuf; 2],
    /// The control plane's first, then a worker's each.
    cni: Vec<PathBuf>,
}

/// Writes everything that kind and the nodes read into the run directory, and gives kind's configuration.
pub(super) fn write(site: &Site, order: &Order, kit: &Kit) -> Result<PathBuf, ProviderError> {
    let files = lay(site, order, kit).map_err(|e| failed("write what nodes see", e.to_string()))?;
    let shape = shape(order.spec.nodes.len()).map_err(|e| failed("read a shape", e.to_string()))?;
    site.write("kind.yaml", &yaml::text(&of(shape, order, kit, &files)))
}

/// The shape of so many workers; one of more than there is a file for is the largest with more of the same.
fn shape(workers: usize) -> Result<Value, yaml::YamlError> {
    let text = SHAPES[workers.clamp(1, SHAPES.len()) - 1];
    let mut shape = yaml::value(text)?;
    if let Some(nodes) = shape["nodes"].as_array_mut()
        && let Some(worker) = nodes.last().cloned()
    {
        nodes.resize(nodes.len().max(workers + 1), worker);
    }
    Ok(shape)
}

fn lay(site: &Site, order: &Order, kit: &Kit) -> std::io::Result<Files> {
    let dir = site.path().join("node");
    let (numa, ours) = (dir.join("numa"), dir.join("kubeclash"));
    fs::create_dir_all(&numa)?;
    fs::create_dir_all(&ours)?;
    fs::write(ours.join("audit-policy.yaml"), audit::policy(&order.spec))?;
    // With what metrics-server needs: it runs in that node, and serves with our certificate.
    for file in ["ca.crt", "admin.crt", "admin.key", "serving.crt", "serving.key"] {
        fs::copy(site.pki.file(file), ours.join(file))?;
    }
    let kubeconfig = access::kubeconfig("admin", API_PORT, Path::new(OURS));
    fs::write(ours.join(KUBECONFIG), yaml::text(&kubeconfig))?;
    let every = order.pace.scale(HOUSEKEEPING).as_millis();
    let flags = format!(
        "KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service --housekeeping-interval={every}ms"
    );
    let kubelet = dir.join("kubelet");
    fs::write(&kubelet, format!("{flags}\n"))?;
    let (mut cpus, mut kubelets, mut cni) = (Vec::new(), vec![kubelet], Vec::new());
    for (n, node) in order.spec.nodes.iter().enumerate() {
        cpus.push(count_of_cpus(&dir, node.cpu_m / 1000, kit)?);
        let kubelet = dir.join(format!("kubelet-{}", n + 1));
        let pods = node.pods.map(|pods| format!(" --max-pods={pods}"));
        fs::write(&kubelet, format!("{flags}{}\n", pods.unwrap_or_default()))?;
        kubelets.push(kubelet);
    }
    for n in 0..=order.spec.nodes.len() {
        let file = dir.join(format!("cni-{n}.conflist"));
        fs::write(&file, network(n).to_string())?;
        cni.push(file);
    }
    Ok(Files {
        cpus,
        numa,
        kubelets,
        ours,
        ca: ["ca.crt", "ca.key"].map(|name| site.pki.file(name)),
        cni,
    })
}

/// A folder in which cAdvisor counts so many CPUs.
fn count_of_cpus(dir: &Path, count: u64, kit: &Kit) -> std::io::Result<PathBuf> {
    let cpus = dir.join(format!("cpu-{count}"));
    for n in 0..count {
        let topology = cpus.join(format!("cpu{n}/topology"));
        fs::create_dir_all(&topology)?;
        fs::write(topology.join("core_id"), format!("{n}\n"))?;
        fs::write(topology.join("physical_package_id"), "0\n")?;
    }
    fs::create_dir_all(&cpus)?;
    // Of those that are there, the kubelet makes a cpuset: they must be real.
    fs::write(cpus.join("online"), format!("{}\n", kit.host.cpus))?;
    Ok(cpus)
}

/// A network of its own for the pods of each node. None of them talks to another.
fn network(n: usize) -> Value {
    json!({"cniVersion": "0.4.0", "name": "kubeclash", "plugins": [{
        "type": "ptp",
        "ipMasq": false,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni-ipam-state",
            "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": format!("10.244.{n}.0/24")}]],
        },
    }]})
}

/// A shape with everything that makes it the study's.
fn of(mut shape: Value, order: &Order, kit: &Kit, files: &Files) -> Value {
    shape["networking"] = json!({
        "disableDefaultCNI": true,
        "kubeProxyMode": "none",
        // Docker's choice: nobody can take it in between.
        "apiServerPort": -1,
    });
    shape["kubeadmConfigPatches"] = patches(order, kit)
        .iter()
        .map(|patch| json!(yaml::text(patch)))
        .collect();
    let mut workers = 0;
    for node in shape["nodes"].as_array_mut().into_iter().flatten() {
        let mut mounts = Vec::new();
        let name = if node["role"] == "worker" {
            workers += 1;
            mounts.push(mount(&files.cpus[workers - 1], "/sys/devices/system/cpu"));
            mounts.push(mount(&files.numa, "/sys/devices/system/node"));
            worker(workers)
        } else {
            let [certificate, key] = &files.ca;
            mounts.push(mount(certificate, "/etc/kubernetes/pki/ca.crt"));
            mounts.push(mount(key, "/etc/kubernetes/pki/ca.key"));
            mounts.push(mount(&files.ours, OURS));
            CONTROL_PLANE.to_owned()
        };
        let at = if node["role"] == "worker" { workers } else { 0 };
        mounts.push(mount(&files.kubelets[at], "/etc/default/kubelet"));
        mounts.push(mount(&files.cni[at], "/etc/cni/net.d/10-kubeclash.conflist"));
        node["extraMounts"] = json!(mounts);
        let registered = |kind: &str| {
            json!(yaml::text(
                &json!({"kind": kind, "nodeRegistration": {"name": name}})
            ))
        };
        node["kubeadmConfigPatches"] =
            json!([registered("InitConfiguration"), registered("JoinConfiguration")]);
    }
    shape
}

fn mount(from: &Path, to: &str) -> Value {
    json!({"hostPath": from, "containerPath": to, "readOnly": true})
}

fn patches(order: &Order, kit: &Kit) -> Vec<Value> {
    let mut patches = vec![json!({
        "kind": "InitConfiguration",
        "skipPhases": ["preflight", "addon/coredns", "addon/kube-proxy"],
    })];
    // From v1.31 on a kubelet knows the field; since v1.35 it refuses cgroup v1 without it.
    let knows = Minor::of(&kit.image.version).is_none_or(|minor| minor >= Minor::new(1, 31));
    if kit.host.cgroup_v1 && knows {
        patches.push(json!({"kind": "KubeletConfiguration", "failCgroupV1": false}));
    }
    let spec = &order.spec;
    let gates = spec.gates_flag();
    let lost = paced::lost_nodes(order.pace)
        .into_iter()
        .filter(|_| spec.nodes_stop);
    let paced: Vec<_> = paced::controllers(order.pace).into_iter().chain(lost).collect();
    let mut controllers: Vec<_> = paced
        .iter()
        .map(|(flag, value)| (*flag, value.as_str()))
        .collect();
    controllers.extend(pairs(&gates).chain(pairs(&spec.controller_manager_args)));
    let scheduler: Vec<_> = pairs(&gates).collect();
    let mut apiserver = Vec::new();
    let policy = format!("{OURS}/audit-policy.yaml");
    let mut volumes = Vec::new();
    if order.tuning.audit {
        apiserver.extend([
            ("audit-policy-file", policy.as_str()),
            ("audit-log-path", AUDIT_LOG),
        ]);
        apiserver.extend(audit::FLAGS);
        volumes.push(
            json!({"name": "kubeclash", "hostPath": OURS, "mountPath": OURS, "readOnly": true,
                            "pathType": "Directory"}),
        );
        volumes.push(
            json!({"name": "audit", "hostPath": AUDIT_DIR, "mountPath": AUDIT_DIR,
                            "pathType": "DirectoryOrCreate"}),
        );
    }
    let of_spec = spec.apiserver_flags(order.pace);
    apiserver.extend(pairs(&of_spec));
    patches.extend(KUBEADM.map(|(version, flags)| {
        let mut etcd = json!({"extraArgs": flags(&[("unsafe-no-fsync", "true")])});
        if let Some(tag) = &kit.image.etcd {
            etcd["imageTag"] = json!(tag);
        }
        json!({
            "apiVersion": version,
            "kind": "ClusterConfiguration",
            "apiServer": {"extraArgs": flags(&apiserver), "extraVolumes": volumes},
            "controllerManager": {"extraArgs": flags(&controllers)},
            "scheduler": {"extraArgs": flags(&scheduler)},
            "etcd": {"local": etcd},
        })
    }));
    patches
}

/// Arguments as kubeadm has them: the name without its dashes, and the value.
fn pairs<'a>(args: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let pair = |arg: &'a String| {
        let bare = arg.trim_start_matches('-');
        bare.split_once('=').unwrap_or((bare, "true"))
    };
    args.into_iter().map(pair)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
