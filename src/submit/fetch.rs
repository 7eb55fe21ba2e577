//! A step's results, out of its pod: packed there, checked and unpacked here.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, LogParams};
use tar::EntryType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::step::{CONTAINER, PROGRAM};
use super::worker::{OUT, Packed};
use kubeclash_components::Sha256;

/// How often it is tried: a connection may break, and what came is known by its digest.
const TRIES: usize = 3;

/// How long nothing may come.
const STALL: Duration = Duration::from_secs(60);

/// What a step may leave at most, packed.
const MOST: u64 = 4 << 30;

/// What a pod may say on the side.
const SAID: u64 = 1 << 20;

/// Fetches a pod's results into a folder, and gives the exit code of its command.
pub(super) async fn fetch(pods: &Api<Pod>, pod: &str, to: &Path) -> Result<u8, String> {
    fs::create_dir_all(to).map_err(|e| format!("\"{}\": {e}", to.display()))?;
    if let Ok(Ok(log)) = tokio::time::timeout(STALL, log(pods, pod, None)).await {
        let file = to.join("console.log");
        fs::write(&file, log).map_err(|e| format!("\"{}\": {e}", file.display()))?;
    }
    let mut trouble = String::new();
    for _ in 0..TRIES {
        match attempt(pods, pod, to).await {
            Ok(code) => return Ok(code),
            Err(why) => trouble = why,
        }
    }
    Err(format!("its results could not be fetched: {trouble}"))
}

/// What a pod's command said, or its last lines.
pub(super) async fn log(pods: &Api<Pod>, pod: &str, tail: Option<i64>) -> Result<String, kube::Error> {
    let params = LogParams {
        container: Some(CONTAINER.to_owned()),
        tail_lines: tail,
        ..LogParams::default()
    };
    pods.logs(pod, &params).await
}

async fn attempt(pods: &Api<Pod>, pod: &str, to: &Path) -> Result<u8, String> {
    let params = AttachParams::default()
        .container(CONTAINER)
        .stdin(false)
        .stdout(true)
        .stderr(true);
    let asked = pods.exec(pod, [PROGRAM, "worker", "fetch"], &params).await;
    let mut exec = asked.map_err(|error| format!("exec: {error}"))?;
    let (Some(mut out), Some(said), Some(status)) = (exec.stdout(), exec.stderr(), exec.take_status()) else {
        return Err("exec: there is no output".to_owned());
    };
    let local = |e: io::Error| format!("\"{}\": {e}", to.display());
    let packed = tempfile::NamedTempFile::new_in(to).map_err(local)?;
    let mut file = tokio::fs::File::from_std(packed.reopen().map_err(local)?);
    let taking = async {
        let (mut digest, mut bytes) = (Sha256::default(), 0);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let got = tokio::time::timeout(STALL, out.read(&mut buffer)).await;
            let got = got.map_err(|_| format!("nothing came for {} s", STALL.as_secs()))?;
            let got = got.map_err(|e| format!("exec: {e}"))?;
            if got == 0 {
                break;
            }
            bytes += got as u64;
            if bytes > MOST {
                return Err(format!("they are larger than {MOST} bytes"));
            }
            digest.update(&buffer[..got]);
            file.write_all(&buffer[..got]).await.map_err(local)?;
        }
        file.flush().await.map_err(local)?;
        Ok((digest.finish(), bytes))
    };
    let mut told = String::new();
    let mut said = said.take(SAID);
    let listening = async {
        let heard = said.read_to_string(&mut told).await;
        heard.map_err(|e| format!("exec: {e}"))
    };
    // Both at once: neither is read behind a full pipe of the other.
    let ((sha256, bytes), _) = tokio::try_join!(taking, listening)?;
    let status = tokio::time::timeout(STALL, status).await.ok().flatten();
    let last = told.lines().last().unwrap_or_default();
    let Ok(sums) = serde_json::from_str::<Packed>(last) else {
        let reason = status.and_then(|status| status.message).unwrap_or_default();
        return Err(format!("the pod said: {} {reason}", told.trim()));
    };
    if (sums.bytes, &sums.sha256) != (bytes, &sha256) {
        return Err(format!("{bytes} of {} bytes came", sums.bytes));
    }
    let (from, target) = (packed, to.to_owned());
    let unpacked = tokio::task::spawn_blocking(move || unpack(from.as_file(), &target));
    unpacked.await.map_err(|e| e.to_string())?.map_err(local)?;
    Ok(sums.code)
}

/// Unpacks files and folders, and nothing that would lead out of the folder.
fn unpack(packed: impl Read, to: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let refused = |why: &str| io::Error::other(format!("\"{}\" {why}", path.display()));
        let inside: PathBuf = path
            .strip_prefix(OUT)
            .map_err(|_| refused("is no result"))?
            .into();
        if !inside
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(refused("leads out of its folder"));
        }
        let there = to.join(&inside);
        match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(&there)?,
            EntryType::Regular => {
                if let Some(above) = there.parent() {
                    fs::create_dir_all(above)?;
                }
                io::copy(&mut entry, &mut fs::File::create(&there)?)?;
            }
            // A link, say: evidence has none.
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            // As a bad one would write it: the library's own setter refuses it.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.append(&header, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn results_are_unpacked_and_nothing_leads_out_of_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        let good = packed(&[
            ("out/", EntryType::Directory, ""),
            ("out/c7/broken/1/verdict.json", EntryType::Regular, "{}"),
            ("out/link", EntryType::Symlink, ""),
        ]);
        fs::create_dir(&to).unwrap();
        unpack(&*good, &to).unwrap();
        assert_eq!(
            fs::read_to_string(to.join("c7/broken/1/verdict.json")).unwrap(),
            "{}"
        );
        assert!(!to.join("link").exists());
        for bad in ["out/../../evil", "/evil", "other/evil"] {
            let bad = packed(&[(bad, EntryType::Regular, "x")]);
            unpack(&*bad, &to).unwrap_err();
        }
        assert!(!dir.path().join("evil").exists());
        unpack(&good[..good.len() / 2], &to).unwrap_err();
    }
}
