//! What this machine has for clusters: cores and memory, and what a process takes of them.

use std::time::Duration;

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// The cores that there are for this process.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the control plane of one arm takes of memory, with some to spare: about 600 MiB were seen.
pub const ARM_MEMORY: u64 = 700 << 20;

/// How many arms run side by side: four a core, as they mostly wait. Fewer where there is no memory for so many.
pub fn arms_at_once() -> usize {
    let memory = MemoryRefreshKind::nothing().with_ram();
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(memory));
    let room = usize::try_from(system.available_memory() / ARM_MEMORY).unwrap_or(usize::MAX);
    (4 * cores()).min(room).max(1)
}

/// The CPU time (user and system) that a process has taken so far; nothing where there is none.
pub fn cpu_time(pid: u32) -> Duration {
    let id = sysinfo::Pid::from_u32(pid);
    let mut system = System::new();
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[id]),
        false,
        ProcessRefreshKind::nothing().with_cpu(),
    );
    let time = system
        .process(id)
        .map_or(0, sysinfo::Process::accumulated_cpu_time);
    Duration::from_millis(time)
}
