//! The logs of a load test, read while they are written: what is found in them, and the first sign of the issue.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use kubeclash_logs::{Classification, Classifier, Rules, Tail};

/// How often logs are looked at: they lose their middle when they are long, and a second's lines are never that many.
const LOOK: Duration = Duration::from_millis(500);

/// Whoever reads the logs of a run. Dropping it ends it.
#[derive(Debug)]
pub(super) struct LogWatch {
    over: oneshot::Sender<()>,
    red: watch::Receiver<Option<String>>,
    reading: JoinHandle<Classification>,
}

impl LogWatch {
    /// Begins to read what is below a folder.
    pub(super) fn over(logs: PathBuf) -> Self {
        let rules = Rules::embedded().expect("a test reads every built-in rule");
        let classifier = Classifier::new(rules).expect("a test compiles every built-in rule");
        let mut tail = Tail::new(Arc::new(classifier));
        let (over, ended) = oneshot::channel::<()>();
        let (tell, red) = watch::channel(None);
        let reading = tokio::spawn(async move {
            tokio::pin!(ended);
            loop {
                let on = tokio::time::timeout(LOOK, &mut ended).await.is_err();
                let (folder, mut read) = (logs.clone(), tail);
                // A disk may take its time.
                let looked = tokio::task::spawn_blocking(move || {
                    read.poll(&folder);
                    read
                });
                tail = looked.await.expect("reading logs does not panic");
                if let Some(hit) = tail.first_red() {
                    let told = format!("{}: {}", hit.signature, hit.meaning);
                    tell.send_if_modified(|red| red.replace(told.clone()).as_ref() != Some(&told));
                }
                if !on {
                    return tail.finish();
                }
            }
        });
        Self { over, red, reading }
    }

    /// Returns when the issue has been found: signature and meaning.
    pub(super) async fn red(&self) -> String {
        let mut red = self.red.clone();
        let found = red.wait_for(Option::is_some).await.map(|found| found.clone());
        match found {
            Ok(Some(found)) => found,
            // Nobody reads any more.
            _ => std::future::pending().await,
        }
    }

    /// Reads what is left, and says what it comes to; nothing where it could not be read.
    pub(super) async fn finish(self) -> Option<Classification> {
        let _ = self.over.send(());
        self.reading.await.ok()
    }
}
