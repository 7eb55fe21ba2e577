//! etcd, and the seed that spares the API server its first bootstrap.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::Process;
use super::wait;
use crate::component::Binary;
use crate::provider::ProviderError;
use crate::rundir::RunDir;

/// Where etcd listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) client: u16,
    pub(super) peer: u16,
}

/// Starts etcd on a data directory and waits until it accepts connections.
///
/// Without fsync: its data lives as long as the run.
pub(super) async fn start(
    run: &RunDir,
    logs: &Path,
    binary: &Binary,
    data: &Path,
    ports: Ports,
    patience: Duration,
) -> Result<Process, ProviderError> {
    let client = format!("http://127.0.0.1:{}", ports.client);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let args = [
        format!("--data-dir={}", data.display()),
        "--name=kubeclash".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=kubeclash={peer}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    let mut process = Process::start(run, logs, "etcd", &binary.path, &args)?;
    wait::until_ready(&mut process, patience, || async {
        match tokio::net::TcpStream::connect(("127.0.0.1", ports.client)).await {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("its port: {e}")),
        }
    })
    .await?;
    Ok(process)
}

/// Copies a data directory, leaving holes where there are only zeros: etcd preallocates 64 MiB a log segment.
pub(super) fn copy_data(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
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
