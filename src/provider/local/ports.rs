//! Free ports without races.
//!
//! A port is ours while we hold a lock on a file named after it, so two clusters never choose the same one. Ports
//! are taken from below the kernel's ephemeral range, so no outgoing connection can land on one between the
//! choice and the bind. What is left is a foreign server that binds the very port in that moment: then the
//! component says "address already in use" and the error quotes it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::ProviderError;

/// A port on 127.0.0.1 that no other kubeclash uses while this value lives.
#[derive(Debug)]
pub(super) struct Port {
    /// The port.
    pub(super) number: u16,
    path: PathBuf,
    _lock: File,
}

impl Drop for Port {
    fn drop(&mut self) {
        // Removed under the lock; whoever opened the file before finds out in `lock`.
        let _ = fs::remove_file(&self.path);
    }
}

/// Ports are looked for from here on, up to the ephemeral range.
const FIRST: u16 = 18_000;

/// Claims `N` ports; `locks` is the directory of the lock files, shared by every run of this user.
pub(super) fn claim<const N: usize>(locks: &Path) -> Result<[Port; N], ProviderError> {
    let failed = |why: String| ProviderError::Setup {
        what: "ports".to_owned(),
        why,
    };
    let mut ports = Vec::with_capacity(N);
    for number in FIRST..ephemeral_start() {
        if ports.len() == N {
            break;
        }
        let path = locks.join(number.to_string());
        let Some(_lock) = lock(&path).map_err(|e| failed(format!("{}: {e}", path.display())))? else {
            continue;
        };
        let port = Port { number, path, _lock };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
            ports.push(port);
        }
    }
    ports.try_into().map_err(|_| {
        failed(format!(
            "no {N} free ports between {FIRST} and {}",
            ephemeral_start()
        ))
    })
}

/// The lock on a port's file, unless somebody has it.
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let file = File::create(path)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    // The last owner may have removed the file between our opening and our locking it: then this lock is worth nothing.
    let current =
        fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()));
    Ok(current.then_some(file))
}

/// Where the kernel's range of ports for outgoing connections begins.
fn ephemeral_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|&start| start > FIRST + 1_000)
        .unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_claims_never_share_a_port_and_a_dropped_one_is_free_again() {
        let dir = tempfile::tempdir().unwrap();
        let a = claim::<4>(dir.path()).unwrap();
        let b = claim::<4>(dir.path()).unwrap();
        assert!(a.iter().all(|a| b.iter().all(|b| a.number != b.number)));
        let first = a[0].number;
        drop(a);
        assert_eq!(claim::<1>(dir.path()).unwrap()[0].number, first);
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let [port] = claim::<1>(dir.path()).unwrap();
        let number = port.number;
        drop(port);
        let _server = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap();
        assert_ne!(claim::<1>(dir.path()).unwrap()[0].number, number);
    }
}
