//! What runs on the nodes: pods that really use CPU and take their time to die, and metrics that are really measured.
//!
//! The pods' program is ours, and so is its image: made here of one static binary, and loaded into the workers. What
//! they use is measured by their kubelets, and served by metrics-server, which runs beside the API server.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;
use serde_json::{Value, json};

use super::command::kind;
use super::config::{CONTROL_PLANE, KUBECONFIG, OURS};
use super::failed;
use super::kit::{Kit, tagged};
use super::made::Made;
use crate::process::Process;
use crate::site::Site;
use crate::{Order, ProviderError, metrics_api};
use kubeclash_components::archive::{self, Image};
use kubeclash_components::{Binary, ComponentName, Platform, Program};
use kubeclash_timeline::Pace;

/// The study's resolution, which is metrics-server's least.
const RESOLUTION: Duration = Duration::from_secs(10);

/// Where metrics-server listens, in the control plane's node.
const PORT: u16 = 4443;

/// Loads the program of the pods into the workers.
pub(super) async fn programs(
    site: &Site,
    kit: &Kit,
    made: &Made,
    order: &Order,
) -> Result<(), ProviderError> {
    let workers = order.spec.nodes.iter().map(|node| made.container(&node.name));
    let workers: Vec<String> = workers.collect();
    let burn = order.binary(ComponentName::Burn)?;
    load(site, kit, made, burn, &workers).await.map(drop)
}

/// Starts metrics-server, and waits until it is asked through the API server.
pub(super) async fn metrics(
    site: &Site,
    kit: &Kit,
    made: &Made,
    order: &Order,
    client: &Client,
) -> Result<(), ProviderError> {
    let server = order.binary(ComponentName::MetricsServer)?;
    let image = load(site, kit, made, server, &[made.container(CONTROL_PLANE)]).await?;
    let pod = metrics_server(&image, server, order.pace);
    let request = http::Request::post("/api/v1/namespaces/kube-system/pods")
        .header("content-type", "application/json")
        .body(pod.to_string().into_bytes())
        .map_err(|e| failed("start metrics-server", e.to_string()))?;
    client
        .request::<Value>(request)
        .await
        .map_err(|source| ProviderError::Api {
            what: "start metrics-server".to_owned(),
            source: Box::new(source),
        })?;
    metrics_api::register(client, site, PORT).await
}

/// Loads a component's image into some nodes, and gives its name.
async fn load(
    site: &Site,
    kit: &Kit,
    made: &Made,
    binary: &Binary,
    nodes: &[String],
) -> Result<String, ProviderError> {
    let name = binary.name.as_str();
    let (archive, reference) = match &binary.program {
        Program::File { path } => {
            let reference = tagged(name, binary);
            (write(site, name, &reference, path)?, reference)
        }
        Program::Image { image, .. } => {
            let reference = tagged(name, binary);
            let archive = site.path().join(format!("{name}.tar"));
            let to = archive.display().to_string();
            // By a name of ours, as an archive of a bare id has none that a pod could ask for.
            for args in [
                &["tag", image, &reference][..],
                &["save", "--output", &to, &reference],
            ] {
                kit.engine
                    .run(args)
                    .await
                    .map_err(|e| failed(format!("save the image of {name}"), e.to_string()))?;
            }
            (archive, reference)
        }
    };
    let mut command = kind(kit, made, site);
    command
        .args([
            "load",
            "image-archive",
            "--name",
            &made.name,
            "--nodes",
            &nodes.join(","),
        ])
        .arg(&archive);
    let mut process = Process::tool(site.run(), &site.log("kind-load"), "kind", command, None)?;
    match tokio::time::timeout(site.patience, process.done()).await {
        Ok(done) => done.map(|()| reference),
        Err(_) => Err(process.not_ready(site.patience, &format!("{name} is not loaded yet"))),
    }
}

fn write(site: &Site, name: &str, reference: &str, program: &Path) -> Result<PathBuf, ProviderError> {
    let to = site.path().join(format!("{name}.tar"));
    let platform = Platform::new("linux", Platform::host().arch);
    let image = Image::new(reference, name, program);
    let written = File::create(&to).and_then(|out| archive::write(out, &[image], &platform));
    written
        .map(|()| to)
        .map_err(|e| failed(format!("make an image of {name}"), e.to_string()))
}

/// metrics-server as a pod on the network of the control plane's node, where the API server is at 127.0.0.1 and the
/// kubelets are neighbours.
fn metrics_server(image: &str, server: &Binary, pace: Pace) -> Value {
    let resolution = pace.scale(RESOLUTION);
    let seen = |file: &str| format!("{OURS}/{file}");
    let mut args = vec![
        format!("--metric-resolution={}ms", resolution.as_millis()),
        // It wants this to be shorter.
        format!(
            "--kubelet-request-timeout={}ms",
            (resolution * 8 / 10).as_millis()
        ),
        format!("--secure-port={PORT}"),
        "--kubelet-insecure-tls".to_owned(),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        format!("--tls-cert-file={}", seen("serving.crt")),
        format!("--tls-private-key-file={}", seen("serving.key")),
    ];
    for flag in [
        "kubeconfig",
        "authentication-kubeconfig",
        "authorization-kubeconfig",
    ] {
        args.push(format!("--{flag}={}", seen(KUBECONFIG)));
    }
    let mut container = json!({
        "name": "metrics-server", "image": image, "imagePullPolicy": "IfNotPresent", "args": args,
        "volumeMounts": [{"name": "ours", "mountPath": OURS, "readOnly": true}],
        "securityContext": {"runAsUser": 0},
    });
    if let Program::Image { command, .. } = &server.program {
        container["command"] = json!(command);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "metrics-server", "namespace": "kube-system", "labels": {"k8s-app": "metrics-server"}},
        "spec": {
            "nodeName": CONTROL_PLANE, "hostNetwork": true, "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "volumes": [{"name": "ours", "hostPath": {"path": OURS}}],
        },
    })
}
