//! The kernel's limits on watching files, which the programs of many nodes share.
//!
//! They are a user's, and all nodes run as one. The kernel does not tell how much of them is used; what can be seen
//! of other processes is counted.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;

use super::Problem;

/// What the largest cluster that a case asks for uses, with some room: of instances a control plane was seen with up to
/// 39, each of three workers with 17; of watches with 259 and 166.
const PER_CLUSTER: Counts = Counts {
    instances: 95,
    watches: 1000,
};

/// What is good for several clusters, and for whatever else a desk has open.
const ENOUGH: Counts = Counts {
    instances: 512,
    watches: 524_288,
};

/// Of instances and of watches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) instances: u64,
    pub(super) watches: u64,
}

/// What a user may have; nothing where this kernel has no such limits.
pub(super) fn limits() -> Option<Counts> {
    let limit = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?;
        text.trim().parse().ok()
    };
    Some(Counts {
        instances: limit("max_user_instances")?,
        watches: limit("max_user_watches")?,
    })
}

/// What the processes of a user have, as far as they may be looked at in `/proc`.
pub(super) fn used(proc: &Path, user: Uid) -> Counts {
    let mut used = Counts::default();
    for process in entries(proc) {
        let theirs = fs::metadata(&process).is_ok_and(|process| process.uid() == user.as_raw());
        if !theirs {
            continue;
        }
        for file in entries(&process.join("fd")) {
            let is_instance =
                fs::read_link(&file).is_ok_and(|target| target.as_os_str() == "anon_inode:inotify");
            if let (true, Some(number)) = (is_instance, file.file_name()) {
                let told = fs::read_to_string(process.join("fdinfo").join(number)).unwrap_or_default();
                let watches = told.lines().filter(|line| line.starts_with("inotify ")).count();
                used.instances += 1;
                used.watches += watches as u64;
            }
        }
    }
    used
}

fn entries(dir: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// Which limits are too low for so many clusters.
pub(super) fn too_low(limits: Option<Counts>, used: Counts, clusters: u64) -> Vec<Problem> {
    let Some(limits) = limits else {
        return Vec::new();
    };
    let told = |name: &str, limit: u64, used: u64, each: u64, enough: u64| {
        let each = each * clusters.max(1);
        let needed = used + each;
        (needed > limit).then(|| {
            let nodes = if clusters > 1 {
                format!("the nodes of {clusters} clusters")
            } else {
                "the nodes of a cluster".to_owned()
            };
            Problem::new(
                format!("fs.inotify.{name} is {limit}: {used} are in use, and {nodes} need about {each}"),
                format!(
                    "sudo sysctl fs.inotify.{name}={}",
                    enough.max(needed.next_power_of_two())
                ),
            )
        })
    };
    let instances = told(
        "max_user_instances",
        limits.instances,
        used.instances,
        PER_CLUSTER.instances,
        ENOUGH.instances,
    );
    let watches = told(
        "max_user_watches",
        limits.watches,
        used.watches,
        PER_CLUSTER.watches,
        ENOUGH.watches,
    );
    [instances, watches].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(instances: u64, watches: u64, used: u64, clusters: u64) -> Vec<String> {
        let limits = Some(Counts { instances, watches });
        let used = Counts {
            instances: used,
            watches: 0,
        };
        let problems = too_low(limits, used, clusters);
        problems
            .into_iter()
            .map(|p| format!("{p}; {}", p.remedy))
            .collect()
    }

    #[test]
    fn a_limit_is_too_low_with_what_is_in_use_already() {
        assert_eq!(told(128, 8192, 33, 1), [""; 0]);
        assert_eq!(
            told(128, 8192, 34, 1),
            [
                "fs.inotify.max_user_instances is 128: 34 are in use, and the nodes of a cluster need about 95; sudo sysctl \
              fs.inotify.max_user_instances=512"
            ]
        );
        // More clusters than the usual remedy is good for.
        let many = told(512, 1 << 20, 100, 5);
        assert!(
            many[0].contains("of 5 clusters") && many[0].ends_with("max_user_instances=1024"),
            "{many:?}"
        );
        let watches = told(512, 999, 0, 1);
        assert!(
            watches.len() == 1 && watches[0].ends_with("sudo sysctl fs.inotify.max_user_watches=524288"),
            "{watches:?}"
        );
        assert_eq!(too_low(None, Counts::default(), 9), []);
    }

    #[test]
    fn what_the_processes_of_a_user_have_is_counted() {
        let proc = tempfile::tempdir().unwrap();
        let at = |path: &str| proc.path().join(path);
        for dir in ["1/fd", "1/fdinfo", "2/fd", "self"] {
            fs::create_dir_all(at(dir)).unwrap();
        }
        for (file, target) in [
            ("1/fd/3", "anon_inode:inotify"),
            ("1/fd/4", "anon_inode:[eventpoll]"),
            ("2/fd/0", "anon_inode:inotify"),
        ] {
            std::os::unix::fs::symlink(target, at(file)).unwrap();
        }
        fs::write(
            at("1/fdinfo/3"),
            "pos:\t0\nflags:\t02004000\ninotify wd:2 ino:1\ninotify wd:1 ino:2\n",
        )
        .unwrap();
        let counted = Counts {
            instances: 2,
            watches: 2,
        };
        assert_eq!(used(proc.path(), nix::unistd::getuid()), counted);
        assert_eq!(used(proc.path(), u32::MAX.into()), Counts::default());
    }
}
