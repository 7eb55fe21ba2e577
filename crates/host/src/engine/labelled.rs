//! What an engine has of runs, by its label: containers, networks and images.
//!
//! Lists differ between the engines in what they can print, so they are asked for ids, and then about these.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};

use super::Engine;
use crate::docker::{COMPONENT_LABEL, RUN_LABEL};

/// What kind of thing, in the order in which they can be removed: each is held by those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A container, running or not.
    Container,
    /// A network.
    Network,
    /// An image.
    Image,
}

/// One thing with a run directory in its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// What it is.
    pub what: What,
    /// The run directory that it belongs to.
    pub run: PathBuf,
    /// A network's name; the component of the others.
    pub name: String,
    /// What the engine knows it by.
    pub id: String,
}

impl What {
    const ALL: [Self; 3] = [Self::Container, Self::Network, Self::Image];

    const fn noun(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Image => "image",
        }
    }

    /// The arguments that list their ids, those of stopped containers and of images without a name as well.
    fn list(self) -> Vec<String> {
        let all: &[&str] = match self {
            Self::Network => &[],
            Self::Container | Self::Image => &["--all"],
        };
        let filter = format!("label={RUN_LABEL}");
        let words = [self.noun(), "ls", "--quiet", "--no-trunc", "--filter", &filter];
        words.iter().chain(all).map(|&word| word.to_owned()).collect()
    }

    /// The arguments that remove one.
    fn remove(self, engine: Engine, id: &str) -> Vec<String> {
        let how: &[&str] = match (self, engine) {
            // With its anonymous volumes: a kind node has one.
            (Self::Container, _) => &["--force", "--volumes"],
            (Self::Network, _) => &[],
            // Without its parent, which goes with it where that has no name.
            (Self::Image, Engine::Docker | Engine::Podman) => &["--force", "--no-prune"],
            (Self::Image, Engine::Nerdctl) => &["--force"],
        };
        let words = [self.noun(), "rm"]
            .into_iter()
            .chain(how.iter().copied())
            .chain([id]);
        words.map(str::to_owned).collect()
    }
}

/// What each engine whose command is there has of any run.
pub async fn everywhere(patience: Duration) -> Vec<(Engine, Result<Vec<Thing>, String>)> {
    let there = Engine::ALL
        .into_iter()
        .filter(|engine| crate::shell::on_path(engine.as_str()).is_some());
    let asked = there.map(async |engine| {
        let answer = timeout(patience, all(engine)).await;
        let late = || Err(format!("\"{engine}\" does not answer within {patience:?}"));
        (engine, answer.unwrap_or_else(|_| late()))
    });
    join_all(asked).await
}

/// All that an engine has of any run.
///
/// # Errors
/// When it does not answer; in words.
pub async fn all(engine: Engine) -> Result<Vec<Thing>, String> {
    let listed = join_all(What::ALL.map(|what| things(engine, what))).await;
    let listed: Result<Vec<Vec<Thing>>, String> = listed.into_iter().collect();
    Ok(listed?.concat())
}

/// How long an engine may go on with what it was asked for by a command that was killed: it can't be asked whether it
/// does. A container or an image of four nodes at once takes it a second.
pub const LATE: Duration = Duration::from_secs(2);

/// Removes all that an engine has of a run, and what comes while it does and in the `late` time after: what it was
/// asked for by a command that was killed it makes nevertheless. What it refuses to remove is tried again for as long
/// as the patience lasts.
///
/// # Errors
/// When something is still there in the end; in words.
pub async fn remove_run(
    engine: Engine,
    run: PathBuf,
    patience: Duration,
    late: Duration,
) -> Result<(), String> {
    let mut deadline = None;
    let mut refused: Vec<String> = Vec::new();
    let begun = Instant::now();
    loop {
        let mut left = all(engine).await?;
        left.retain(|thing| thing.run == run);
        if left.is_empty() {
            if begun.elapsed() >= late {
                return Ok(());
            }
            // Nothing tells of what is still to come.
            sleep(Duration::from_millis(500)).await;
            continue;
        }
        if !refused.is_empty() {
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(refused.join("; "));
            }
            // It was refused a moment ago, and nothing tells when it will not be.
            sleep(Duration::from_millis(200)).await;
        }
        refused.clear();
        for what in What::ALL {
            let these = left.iter().filter(|thing| thing.what == what);
            let removed =
                join_all(these.map(async |thing| engine.run(&what.remove(engine, &thing.id)).await)).await;
            refused.extend(removed.into_iter().filter_map(Result::err).map(|e| e.to_string()));
        }
        deadline.get_or_insert(Instant::now() + patience);
    }
}

async fn things(engine: Engine, what: What) -> Result<Vec<Thing>, String> {
    let listed = engine
        .run(&what.list())
        .await
        .map_err(|error| error.to_string())?;
    // An image with several names is listed as often.
    let ids: BTreeSet<&str> = listed.split_whitespace().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let args: Vec<&str> = [what.noun(), "inspect"].into_iter().chain(ids).collect();
    let output = engine.command(&args).output().await;
    // It ends badly where one of them has gone since, and tells of the others nevertheless.
    if let Ok(output) = &output
        && let Ok(inspected) = serde_json::from_slice::<Vec<Value>>(&output.stdout)
    {
        return Ok(inspected.iter().filter_map(|value| thing(what, value)).collect());
    }
    engine.said(&args, output).map_or_else(
        |error| Err(error.to_string()),
        |said| Err(format!("\"{}\" said: {said}", engine.shown(&args))),
    )
}

/// What is of a run among what was inspected.
fn thing(what: What, inspected: &Value) -> Option<Thing> {
    let inspected = inspected.as_object()?;
    let labels = match what {
        What::Network => field(inspected, "labels")?,
        What::Container | What::Image => field(field(inspected, "config")?.as_object()?, "labels")?,
    };
    let label = |name: &str| labels.get(name).and_then(Value::as_str);
    let name = match what {
        What::Network => field(inspected, "name")?.as_str()?,
        What::Container | What::Image => label(COMPONENT_LABEL).unwrap_or_default(),
    };
    Some(Thing {
        what,
        run: Path::new(label(RUN_LABEL)?).to_owned(),
        name: name.to_owned(),
        id: field(inspected, "id")?.as_str()?.to_owned(),
    })
}

/// A field by its name; Docker writes it with a capital letter, Podman some without.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut fields = object.iter();
    fields.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_thing_is_of_a_run_by_its_label_and_by_nothing_else() {
        let labels = json!({"kubeclash.run": "/tmp/run-1", "kubeclash.component": "kind-node"});
        let node = json!({"Id": "c1", "Name": "/kubeclash-1-worker", "Config": {"Labels": labels}});
        let found = thing(What::Container, &node).unwrap();
        assert_eq!(
            (found.run, found.name),
            ("/tmp/run-1".into(), "kind-node".to_owned())
        );

        let network = |labels: Value| json!({"name": "kubeclash-1", "id": "n1", "labels": labels});
        let found = thing(What::Network, &network(labels)).unwrap();
        assert_eq!((&*found.name, &*found.id), ("kubeclash-1", "n1"));
        let by_hand = json!({"io.x-k8s.kind.cluster": "kubeclash-1"});
        assert_eq!(thing(What::Network, &network(by_hand)), None);
        assert_eq!(thing(What::Network, &network(Value::Null)), None);
        assert_eq!(
            thing(What::Image, &json!({"Id": "sha256:0", "Config": null})),
            None
        );
    }

    #[test]
    fn an_image_goes_without_its_parent() {
        assert_eq!(
            What::Image.remove(Engine::Docker, "sha256:0"),
            ["image", "rm", "--force", "--no-prune", "sha256:0"]
        );
    }
}
