//! Ctrl-C, SIGTERM and SIGHUP: one token that every run of this process watches.

use std::sync::mpsc;

use once_cell::sync::Lazy;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of what a signal ended, as shells have it for SIGINT.
pub const INTERRUPTED: u8 = 130;

static TOKEN: Lazy<CancellationToken> = Lazy::new(|| {
    let token = CancellationToken::new();
    let seen = token.clone();
    let (armed, arming) = mpsc::channel();
    // A thread of its own, because a token outlives the runtime of any one test.
    let listener = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let end = runtime.and_then(|runtime| runtime.block_on(listen(&seen, &armed)));
            if let Err(error) = end {
                tracing::warn!(%error, "Ctrl-C will not tear down");
            }
        });
    match listener {
        // From here on no signal ends this process before its clusters; a listener that failed has hung up.
        Ok(_) => drop(arming.recv()),
        Err(error) => tracing::warn!(%error, "Ctrl-C will not tear down"),
    }
    token
});

/// Cancelled by the first SIGINT, SIGTERM or SIGHUP (a terminal that was closed). The second ends the process at
/// once: `sweep` finds what it leaves.
#[must_use]
pub fn token() -> CancellationToken {
    TOKEN.clone()
}

async fn listen(seen: &CancellationToken, armed: &mpsc::Sender<()>) -> std::io::Result<()> {
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let _ = armed.send(());
    any(&mut int, &mut term, &mut hangup).await;
    seen.cancel();
    any(&mut int, &mut term, &mut hangup).await;
    eprintln!("interrupted again: leaving at once; \"kubeclash sweep\" removes what is left");
    std::process::exit(i32::from(INTERRUPTED));
}

async fn any(int: &mut Signal, term: &mut Signal, hangup: &mut Signal) {
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
        _ = hangup.recv() => {}
    }
}
