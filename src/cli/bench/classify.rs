//! `kubeclash bench classify`: how fast logs are read, and how much memory that takes.

use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::cli::Failure;
use crate::exit;
use kubeclash_cluster::cpu_time;
use kubeclash_host::progress::Progress;
use kubeclash_logs::{Classifier, Rules};

/// How the log is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// In members of some megabytes, behind each other.
    Gzip,
    /// In frames of some megabytes, behind each other.
    Zstd,
}

/// What is written over and over; long enough that no cache of the processor holds it.
const BLOCK: usize = 64 << 20;

/// Writes a log like that of an API server, a line with a signature in every so many, and reads it.
pub(super) fn run(megabytes: u64, every: u64, packing: Packing, progress: &Progress) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::new(exit::ERROR, format!("failed to write the log: {e}"));
    let classifier = Rules::embedded()
        .map_err(|e| e.to_string())
        .and_then(|rules| Classifier::new(rules).map_err(|e| e.to_string()))
        .map_err(|e| Failure::new(exit::ERROR, e))?;
    let dir = tempfile::tempdir().map_err(failed)?;
    let path = dir.path().join("kube-apiserver.log");
    {
        let block = block(every);
        let packed = packed(&block, packing).map_err(failed)?;
        let task = progress.task("write the log");
        let mut file = File::create(&path).map_err(failed)?;
        let mut left = megabytes * 1_000_000;
        while left > 0 {
            file.write_all(&packed).map_err(failed)?;
            left = left.saturating_sub(block.len() as u64);
            task.inc(block.len() as u64);
        }
    }
    let (before, began) = (cpu_time(std::process::id()), Instant::now());
    reset_peak();
    let classified = classifier.classify(&[path], progress);
    let (wall, cpu) = (
        began.elapsed(),
        cpu_time(std::process::id()).saturating_sub(before),
    );
    #[expect(clippy::cast_precision_loss, reason = "it is shown with no decimals")]
    let megabytes = classified.bytes as f64 / 1e6;
    println!(
        "{megabytes:.0} MB, {} lines, {} with a signature, {}: {:.2} s, {:.0} MB/s; CPU {:.2} s, {:.0} MB/s a core; peak memory {}",
        classified.lines,
        classified.signatures.iter().map(|found| found.count).sum::<u64>(),
        packing
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned()),
        wall.as_secs_f64(),
        megabytes / wall.as_secs_f64(),
        cpu.as_secs_f64(),
        megabytes / cpu.as_secs_f64().max(0.001),
        peak().map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib / 1024)),
    );
    Ok(())
}

/// Lines as an API server writes them, from 90 to 300 bytes.
fn block(every: u64) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK + 1024);
    let mut number = 0_u64;
    while block.len() < BLOCK {
        number += 1;
        let (minute, second, micros) = (number / 60_000 % 60, number / 1000 % 60, number * 37 % 1_000_000);
        // Numbers that repeat late, as ids and latencies do.
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let line = match (number % every, number % 4) {
            (0, _) => "runtime.go:78] Observed a panic: &errors.errorString{s:\"killing connection/stream because serving request timed out and response had been started\"}".to_owned(),
            (_, 0) => format!("httplog.go:132] \"HTTP\" verb=\"GET\" URI=\"/api/v1/namespaces/test-{}/pods/small-deployment-{noise:x}\" latency=\"{}.{:03}ms\" userAgent=\"kube-scheduler/v1.36.3 (linux/amd64) kubernetes/2cdeaae/scheduler\" audit-ID=\"{noise:016x}-{number}\" srcIP=\"10.64.0.{}:{}\" resp=200", number % 100, noise % 90, noise % 1000, noise % 250, 30000 + noise % 30000),
            (_, 1) => format!("trace.go:236] Trace[{}]: \"Update\" accept:application/json, audit-id:{noise:016x},client:::1,protocol:HTTP/2.0,resource:leases,url:/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/hollow-node-{} (total time: {}ms)", noise % 2_000_000_000, noise % 5000, 500 + noise % 900),
            (_, 2) => format!("cacher.go:460] cacher (pods): {} objects queued in incoming channel.", noise % 300),
            (_, _) => format!("watcher.go:338] watch chan closed: context of client {noise:x} is done after {} events", noise % 7000),
        };
        let _ = writeln!(
            block,
            "I0930 07:{minute:02}:{second:02}.{micros:06}       1 {line}"
        );
    }
    block
}

fn packed(block: &[u8], packing: Packing) -> io::Result<Vec<u8>> {
    match packing {
        Packing::Plain => Ok(block.to_vec()),
        Packing::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(block)?;
            encoder.finish()
        }
        Packing::Zstd => Ok(compress_to_vec(block, CompressionLevel::Fastest)),
    }
}

/// Has the peak begin anew, where Linux lets: what was written with is not what is measured.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The peak of resident memory, in KiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
