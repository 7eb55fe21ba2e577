//! `kubeclash classify` on what logs are like when a machine is about to break down: large, cut off, rubbish, changing.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use kubeclash::exit;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::Value;

use crate::classify::{FAR, KILL, PANIC, found, run, steps};
use crate::cli_sandbox::{Sandbox, until};

fn classify(sandbox: &Sandbox, path: &str) -> Value {
    let ended = sandbox.run(&["classify", path, "--format", "json"]);
    assert!(
        [exit::EXPECTED, exit::DIFFERED, exit::INCONCLUSIVE]
            .map(|code| Some(code.into()))
            .contains(&ended.code),
        "{ended}"
    );
    serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended}"))
}

#[test]
fn a_line_of_50_megabytes_is_found_in_at_both_of_its_ends() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("2020-09-30");
    run(&dir, "", "", &steps(&FAR));
    let long = [
        KILL.trim_end().as_bytes(),
        &vec![b'x'; 50 << 20],
        PANIC.as_bytes(),
        KILL.as_bytes(),
    ]
    .concat();
    fs::write(dir.join("all.log"), long).unwrap();
    let seen = classify(&sandbox, dir.to_str().unwrap());
    let panic = found(&seen, "killing-connection");
    assert_eq!((&panic["count"], &panic["first"]["line"]), (&1.into(), &1.into()));
    // Its time is that of the line's beginning.
    assert_eq!(panic["first"]["time"], "2020-09-30T07:12:03.000412");
    assert_eq!(found(&seen, "kubelet-kill-times-out")["count"], 2);
    assert!(panic["excerpt"].as_str().unwrap().len() < 500);
}

#[test]
fn rubbish_and_broken_logs_are_told_and_hide_nothing() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("run");
    run(&dir, "", "", &steps(&FAR));
    let path = dir.to_str().unwrap();
    assert_eq!(classify(&sandbox, path)["label"], "green");

    let noise: Vec<u8> = (0..1_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    fs::write(dir.join("core.123"), &noise).unwrap();
    fs::write(
        dir.join("kubelet.log.2"),
        [&noise[..], b"\n\0\0\0", KILL.as_bytes(), &noise].concat(),
    )
    .unwrap();
    let seen = classify(&sandbox, path);
    assert_eq!(
        seen["passed_over"][0]["why"], "no text",
        "{}",
        seen["passed_over"]
    );
    assert_eq!(seen["red"][0], "kubelet-kill-times-out");
    fs::remove_file(dir.join("kubelet.log.2")).unwrap();

    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let filler: Vec<u8> = noise.iter().map(|byte| b' ' + byte % 64).collect();
    encoder.write_all(&[KILL.as_bytes(), &filler].concat()).unwrap();
    let gzip = encoder.finish().unwrap();
    let zstd = compress_to_vec(
        &[KILL.as_bytes(), &filler].concat()[..],
        CompressionLevel::Fastest,
    );
    for (name, bytes, why) in [
        ("kubelet.log.3.gz", &gzip[..gzip.len() / 2], "it breaks off after"),
        (
            "kubelet.log.4.zst",
            &zstd[..zstd.len() / 2],
            "it breaks off after",
        ),
        (
            "kubelet.log.5.xz",
            b"\xfd7zXZ\0more",
            "it is packed with xz: unpack it first",
        ),
    ] {
        fs::write(dir.join(name), bytes).unwrap();
        let seen = classify(&sandbox, path);
        assert!(
            seen["unread"][0]["why"].as_str().unwrap().contains(why),
            "{}",
            seen["unread"]
        );
        if name.ends_with(".xz") {
            assert_eq!(seen["black"][0], "unread");
        } else {
            assert_eq!(
                found(&seen, "kubelet-kill-times-out")["count"],
                1,
                "what comes before the cut counts"
            );
        }
        fs::remove_file(dir.join(name)).unwrap();
    }

    symlink("circle.log", dir.join("circle.log")).unwrap();
    let seen = classify(&sandbox, path);
    assert_eq!(
        (&seen["label"], &seen["black"][0]),
        (&"black".into(), &"unread".into())
    );
}

#[test]
fn a_log_that_grows_and_is_truncated_while_it_is_read_is_no_failure() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("run");
    run(&dir, PANIC, "", &steps(&FAR));
    let log = dir.join("kubelet.log");
    let over = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (over, log) = (Arc::clone(&over), log.clone());
        move || {
            let line = "I0930 07:00:00.000000       1 a.go:1] nothing happens\n".repeat(2000);
            let mut rounds = 0_u64;
            while !over.load(Ordering::Relaxed) {
                let mut file = OpenOptions::new().append(true).open(&log).unwrap();
                file.write_all(line.as_bytes()).unwrap();
                rounds += 1;
                if rounds.is_multiple_of(50) {
                    file.set_len(0).unwrap();
                }
            }
        }
    });
    for _ in 0..10 {
        let seen = classify(&sandbox, dir.to_str().unwrap());
        assert_eq!(seen["red"][0], "killing-connection");
        for log in seen["logs"].as_array().unwrap() {
            assert_eq!(
                log["hits"].as_u64().unwrap() > 0,
                !log["path"].as_str().unwrap().ends_with("kubelet.log")
            );
        }
    }
    over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

/// The peak of a process's memory so far, in KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_what_is_read() {
    let sandbox = Sandbox::without_components();
    let mut command = sandbox.command(&["classify", "-", "--format", "json"]);
    command
        .stdin(Stdio::piped())
        .stdout(File::create(sandbox.path("out.json")).unwrap());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // Lines of all lengths, each of which has a signature, and each of which is about another key.
    let mut number = 0_u64;
    let mut write = |input: &mut ChildStdin, megabytes: usize| {
        let mut written = 0;
        while written < megabytes << 20 {
            let mut part = Vec::new();
            for _ in 0..20 {
                number += 1;
                let key = format!("/registry/resource-{number}/{number}");
                writeln!(
                    part,
                    "{{\"msg\":\"apply request took too long\",\"request\":\"key:\\\"{key}\\\" \"}}"
                )
                .unwrap();
            }
            let longest = if number.is_multiple_of(20_000) { 22 } else { 20 };
            part.extend(vec![b'y'; 1 << (number / 20 % longest)]);
            input.write_all(&part).unwrap();
            written += part.len();
        }
    };
    write(&mut input, 20);
    let before = until("the log's beginning to be read", || {
        (peak(child.id()) > 0).then(|| peak(child.id()))
    });
    write(&mut input, 180);
    let after = peak(child.id());
    drop(input);
    assert!(child.wait().unwrap().code().is_some());
    let seen: Value = serde_json::from_str(&fs::read_to_string(sandbox.path("out.json")).unwrap()).unwrap();
    assert!(seen["bytes"].as_u64().unwrap() > 200 << 20);
    assert!(found(&seen, "took-too-long")["count"].as_u64().unwrap() > 1000);
    assert!(
        after - before < 6 << 10,
        "{before} KiB at 20 MB, {after} KiB at 200 MB"
    );
}
