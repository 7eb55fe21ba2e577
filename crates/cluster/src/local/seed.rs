//! What clusters start from: an etcd data directory that an API server has bootstrapped once.
//!
//! Spares every start about a second. Kept in the cache, one for each pair of etcd and API server, by their SHA-256.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{apiserver, etcd};
use crate::ports::{self, Port};
use crate::site::Site;
use crate::{Order, ProviderError, access};
use kubeclash_components::{ComponentName, SEEDS_LOCK, Sha256};
use kubeclash_host::progress::Progress;

/// Makes the seed of these binaries in `cache`; nothing is done when it is there.
///
/// # Errors
/// When etcd or the API server can't be started, or `cache` can't be written.
pub async fn prepare(order: &Order, cache: &Path, progress: &Progress) -> Result<(), ProviderError> {
    let seed = seed_dir(order, cache)?;
    let setup = |e: std::io::Error| ProviderError::Setup {
        what: format!("seed \"{}\"", seed.display()),
        why: e.to_string(),
    };
    if whole(&seed) {
        return Ok(());
    }
    fs::create_dir_all(cache).map_err(setup)?;
    let lock = File::create(cache.join(SEEDS_LOCK)).map_err(setup)?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    let _lock = lock
        .map_err(|e| setup(std::io::Error::other(e)))?
        .map_err(setup)?;
    if whole(&seed) {
        return Ok(());
    }
    if seed.exists() {
        progress.println(format!(
            "what clusters start from is damaged and is made again: {}",
            seed.display()
        ));
        fs::remove_dir_all(&seed).map_err(setup)?;
    }
    let task = progress.task("first start");
    task.say("bootstrapping an API server once, so that later ones start faster");
    let site = Site::create(None, order.ready_timeout, false)?;
    let ports: [Port; 3] = ports::claim()?;
    let [client, peer, api] = ports.each_ref().map(|port| port.number);
    let data = site.path().join("etcd");
    let etcd_binary = order.binary(ComponentName::Etcd)?;
    let mut etcd = etcd::start(&site, etcd_binary, &data, etcd::Ports { client, peer }).await?;
    let args = apiserver::args(&site, api, client, Vec::new());
    let mut apiserver = site.start(order.binary(ComponentName::Apiserver)?, &args)?;
    let client = access::client(&site.pki, api, access::KUBECTL)?;
    apiserver::wait(
        &mut apiserver,
        &mut etcd,
        &client,
        site.patience,
        apiserver::READY,
    )
    .await?;
    // Asked to end, so that etcd's data is whole.
    apiserver.stop(Duration::from_secs(10)).await;
    etcd.stop(Duration::from_secs(10)).await;
    // Under the lock, so no other start is at it: what is there is of one that was killed.
    let partial = cache.join("partial");
    let _ = fs::remove_dir_all(&partial);
    let kept = copy_data(&data, &partial)
        .and_then(|()| fs::write(digest_file(&seed), digest(&partial)?))
        .and_then(|()| fs::rename(&partial, &seed));
    kept.map_err(|e| {
        let _ = fs::remove_dir_all(&partial);
        setup(e)
    })
}

/// Whether a seed is there, and as it was made.
fn whole(seed: &Path) -> bool {
    let recorded = fs::read_to_string(digest_file(seed));
    seed.is_dir() && recorded.is_ok_and(|recorded| digest(seed).is_ok_and(|found| found == recorded))
}

fn digest_file(seed: &Path) -> PathBuf {
    seed.with_extension("sha256")
}

/// SHA-256 over the names and contents of all files below a directory, in order of names.
fn digest(dir: &Path) -> std::io::Result<String> {
    let mut sha = Sha256::default();
    let entries: std::io::Result<Vec<PathBuf>> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    entries.sort();
    for path in entries {
        sha.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        let content = if path.is_dir() {
            digest(&path)?
        } else {
            Sha256::of_file(&path)?
        };
        sha.update(content.as_bytes());
    }
    Ok(sha.finish())
}

/// Puts the seed of an order's binaries into a new data directory; without one, etcd begins with nothing.
pub(super) fn sow(order: &Order, data: &Path) -> Result<(), ProviderError> {
    let Some(cache) = &order.seeds else { return Ok(()) };
    let seed = seed_dir(order, cache)?;
    // Without a lock file nothing was ever kept there.
    let Ok(lock) = File::open(cache.join(SEEDS_LOCK)) else {
        return Ok(());
    };
    // Shared, so that nobody takes it away while it is copied.
    let copied = lock.lock_shared().and_then(|()| {
        if seed.is_dir() {
            copy_data(&seed, data)
        } else {
            Ok(())
        }
    });
    copied.map_err(|e| ProviderError::Setup {
        what: format!("etcd's data directory \"{}\"", data.display()),
        why: e.to_string(),
    })
}

fn seed_dir(order: &Order, cache: &Path) -> Result<PathBuf, ProviderError> {
    let sha = |name| {
        order
            .binary(name)
            .map(|binary| binary.sha256.chars().take(12).collect::<String>())
    };
    let (etcd, apiserver) = (sha(ComponentName::Etcd)?, sha(ComponentName::Apiserver)?);
    Ok(cache.join(format!("etcd-{etcd}-apiserver-{apiserver}")))
}

/// Copies a data directory, leaving holes where there are only zeros: etcd preallocates 64 MiB a log segment.
fn copy_data(from: &Path, to: &Path) -> std::io::Result<()> {
    // etcd minds who else could read its data.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_data(&entry.path(), &target)?;
        } else {
            copy_sparse(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn copy_sparse(from: &PathBuf, to: &PathBuf) -> std::io::Result<()> {
    const BLOCK: usize = 64 * 1024;
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut block = vec![0; BLOCK];
    let mut length = 0;
    loop {
        let read = from.read(&mut block)?;
        if read == 0 {
            break;
        }
        length += read as u64;
        if block[..read].iter().all(|&byte| byte == 0) {
            to.seek(SeekFrom::Current(read as i64))?;
        } else {
            to.write_all(&block[..read])?;
        }
    }
    to.set_len(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_whole_until_a_byte_of_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let seed = dir.path().join("seed");
        assert!(!whole(&seed), "there is none");
        fs::create_dir_all(seed.join("member/wal")).unwrap();
        fs::write(seed.join("member/wal/0.wal"), [1, 2, 3]).unwrap();
        assert!(!whole(&seed), "nothing was recorded");
        fs::write(digest_file(&seed), digest(&seed).unwrap()).unwrap();
        assert!(whole(&seed));
        fs::write(seed.join("member/wal/0.wal"), [1, 2, 4]).unwrap();
        assert!(!whole(&seed), "a byte has changed");
        fs::write(seed.join("member/wal/0.wal"), [1, 2, 3]).unwrap();
        fs::rename(seed.join("member/wal/0.wal"), seed.join("member/wal/1.wal")).unwrap();
        assert!(!whole(&seed), "a file has another name");
    }

    #[test]
    fn a_sparse_copy_is_equal_and_smaller() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("member")).unwrap();
        let mut content = vec![0_u8; 1024 * 1024 + 17];
        content[70_000] = 7;
        fs::write(from.join("member/wal"), &content).unwrap();
        copy_data(&from, &to).unwrap();
        assert_eq!(fs::read(to.join("member/wal")).unwrap(), content);
        let blocks = |p: &Path| fs::metadata(p.join("member/wal")).unwrap().blocks();
        assert!(blocks(&to) < blocks(&from), "{} {}", blocks(&to), blocks(&from));
    }
}
