//! Ctrl-C and SIGTERM: one token that every run of this process watches.

use once_cell::sync::Lazy;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

static TOKEN: Lazy<CancellationToken> = Lazy::new(|| {
    let token = CancellationToken::new();
    let seen = token.clone();
    // A thread of its own, because a token outlives the runtime of any one test.
    let listener = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(listen(seen));
            }
        });
    if let Err(error) = listener {
        tracing::warn!(%error, "Ctrl-C will not tear down");
    }
    token
});

/// Cancelled by the first SIGINT or SIGTERM. The second ends the process at once: `sweep` finds what it leaves.
#[must_use]
pub fn token() -> CancellationToken {
    TOKEN.clone()
}

async fn listen(seen: CancellationToken) {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let mut times = 0;
    loop {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
        times += 1;
        if times > 1 {
            std::process::exit(i32::from(crate::exit::INTERRUPTED));
        }
        seen.cancel();
    }
}
