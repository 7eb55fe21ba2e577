//! What one run makes in the container engine, all of it with one label, by which it is found again.

use std::path::PathBuf;
use std::time::Duration;

use super::failed;
use crate::ProviderError;
use kubeclash_host::docker::{COMPONENT_LABEL, RUN_LABEL};
use kubeclash_host::engine::{Engine, labelled};
use kubeclash_host::run_dir::RunDir;

/// How long what can't be removed at once is tried again.
const REMOVAL: Duration = Duration::from_secs(20);

/// How long an engine may take for all of it before it is held to hang: its user waits.
const HANGS: Duration = Duration::from_secs(60);

/// The label's value for nodes.
const NODE: &str = "kind-node";

/// An image, a network, and the containers that kind makes of them. Dropping it removes them, and waits for that.
#[derive(Debug)]
pub(super) struct Made {
    engine: Engine,
    run: PathBuf,
    /// The cluster's name, and its network's.
    pub(super) name: String,
    /// The node image with the run's label, which the nodes inherit: kind labels them only with their cluster's name.
    pub(super) image: String,
    removed: bool,
}

impl Made {
    /// Makes image and network. What is to be registered in the run directory is so before.
    pub(super) async fn begin(engine: Engine, run: &RunDir, node_image: &str) -> Result<Self, ProviderError> {
        run.register_engine(engine.as_str())
            .map_err(|e| failed("register a run on kind", e.to_string()))?;
        let path = run.path().to_owned();
        let id = path.file_name().unwrap_or_default().to_string_lossy();
        let id = id.rsplit('-').next().unwrap_or_default();
        let mut made = Self {
            engine,
            name: format!("kubeclash-{id}"),
            image: String::new(),
            run: path,
            removed: false,
        };
        let label = format!("{RUN_LABEL}={}", made.run.display());
        let component = format!("{COMPONENT_LABEL}={NODE}");
        let network = ["network", "create", "--label", &label, &made.name];
        let (image, network) = tokio::join!(
            labelled(engine, run, node_image, &label, &component),
            engine.run_of(run, &network),
        );
        network.map_err(|e| failed("make a network", e.to_string()))?;
        made.image = image.map_err(|e| failed("label the node image", e.to_string()))?;
        Ok(made)
    }

    /// The container of a node by its name in Kubernetes, `kind-worker2`: kind calls it after the cluster.
    pub(super) fn container(&self, node: &str) -> String {
        format!("{}{}", self.name, node.strip_prefix("kind").unwrap_or(node))
    }

    /// Removes everything.
    pub(super) async fn remove(mut self) -> Result<(), ProviderError> {
        self.removed = true;
        removed(self.engine, self.run.clone(), Duration::ZERO)
            .await
            .map_err(|why| failed("remove a cluster", why))
    }

    /// Leaves everything in place.
    pub(super) fn keep(&mut self) {
        self.removed = true;
    }
}

/// Removes all of a run, as long as the engine answers.
async fn removed(engine: Engine, run: PathBuf, late: Duration) -> Result<(), String> {
    let removal = labelled::remove_run(engine, run, REMOVAL, late);
    let hung = |_| Err(format!("{engine} does not answer"));
    tokio::time::timeout(HANGS, removal).await.unwrap_or_else(hung)
}

/// An image with two more labels and not one more byte; through a container that never runs.
async fn labelled(
    engine: Engine,
    run: &RunDir,
    image: &str,
    label: &str,
    component: &str,
) -> Result<String, kubeclash_host::engine::Failed> {
    let container = engine
        .run_of(run, &["create", "--label", label, "--label", component, image])
        .await?;
    let (label, component) = (format!("LABEL {label}"), format!("LABEL {component}"));
    let committed = engine
        .run_of(
            run,
            &["commit", "--change", &label, "--change", &component, &container],
        )
        .await;
    engine
        .run_of(run, &["rm", "--force", "--volumes", &container])
        .await?;
    committed
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.removed {
            return;
        }
        let (engine, run) = (self.engine, self.run.clone());
        // On a thread of its own: the runtime of a panic may stand still.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .map_err(|e| e.to_string())?
                .block_on(removed(engine, run, labelled::LATE))
        });
        if let Err(why) = removal.join().unwrap_or_else(|_| Err("it panicked".to_owned())) {
            tracing::warn!(
                why,
                cluster = self.name,
                "a cluster is left: \"kubeclash sweep\" removes it"
            );
        }
    }
}
