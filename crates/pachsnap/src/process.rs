//! Who writes to a clone: this process, told apart from every other one, dead or alive.

use std::path::Path;
use std::sync::Arc;

use orchestrator::clone::{Holder, Writer};

/// This process, and what it can tell of others.
pub(crate) fn writer() -> Writer {
    let pid = std::process::id();
    let process = match (machine(), started(pid)) {
        (Some(machine), Some(started)) => format!("process {pid} of {machine} since {started}"),
        // Nothing else would tell it apart from another one of this number.
        _ => format!("process {pid} ({})", unlike_any_other()),
    };
    Writer { process, is_dead: Arc::new(is_dead) }
}

/// Whether a holder is dead: known where it is a process of this machine, in the same namespace of processes.
fn is_dead(holder: &Holder) -> Option<bool> {
    let (pid, rest) = holder.process.strip_prefix("process ")?.split_once(" of ")?;
    let (machine_then, started_then) = rest.rsplit_once(" since ")?;
    if machine()? != machine_then {
        return None;
    }
    Some(started(pid.parse().ok()?).as_deref() != Some(started_then))
}

/// The running system and the namespace of processes in it: the same number is another process elsewhere.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a process began, in the system's own units; nothing when there is none.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The second field is the program's name in brackets, which may hold spaces; the state comes after it.
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    // A process that has ended and was not waited for writes nothing more.
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

fn unlike_any_other() -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("{now:x}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_others_are_not_known() {
        let own = Holder { name: "this".to_owned(), process: writer().process };
        assert_eq!(is_dead(&own), Some(false));
        let (_, rest) = own.process.split_once(" of ").unwrap();
        let dead = Holder { process: format!("process 1 of {rest}"), ..own.clone() };
        assert_eq!(is_dead(&dead), Some(true), "process 1 began at another time");
        let elsewhere = Holder { process: "process 7 of another machine pid:[1] since 5".to_owned(), ..own };
        assert_eq!(is_dead(&elsewhere), None);
    }
}
