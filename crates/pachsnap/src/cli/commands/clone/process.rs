//! Who writes to a clone: this process, told apart from every other one, dead or alive.

use std::path::Path;

use orchestrator::clone::{CloneIdentity, Holder};

/// This process as the holder of a lock.
pub(super) fn holder(destination: &str) -> Holder {
    let pid = std::process::id();
    let process = match (machine(), started(pid)) {
        (Some(machine), Some(started)) => format!("process {pid} of {machine} since {started}"),
        // Nothing else would tell it apart from another one of this number.
        _ => format!("process {pid} ({})", unlike_any_other()),
    };
    Holder { name: format!("pachsnap clone to {destination}"), process }
}

/// Whether a holder is dead: known where it is a process of this machine, in the same namespace of processes.
pub(super) fn is_dead(holder: &Holder) -> Option<bool> {
    let (pid, rest) = holder.process.strip_prefix("process ")?.split_once(" of ")?;
    let (machine_then, started_then) = rest.rsplit_once(" since ")?;
    if machine()? != machine_then {
        return None;
    }
    Some(started(pid.parse().ok()?).as_deref() != Some(started_then))
}

/// A name for what is kept of a clone.
pub(super) fn name_of(identity: &CloneIdentity) -> String {
    let mut name: String = identity
        .destination
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
        .take(60)
        .collect();
    let text = format!("{}\n{}\n{}\n{:?}", identity.source, identity.destination, identity.key_map, identity.filter);
    name.push_str(&format!("-{:016x}", fnv(text.as_bytes())));
    name
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

/// FNV-1a: no more than a short name is wanted, and what is kept says itself what it is of.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_others_are_not_known() {
        let own = holder("s3://clone");
        assert_eq!(is_dead(&own), Some(false));
        let (_, rest) = own.process.split_once(" of ").unwrap();
        let dead = Holder { process: format!("process 1 of {rest}"), ..own.clone() };
        assert_eq!(is_dead(&dead), Some(true), "process 1 began at another time");
        let elsewhere = Holder { process: "process 7 of another machine pid:[1] since 5".to_owned(), ..own };
        assert_eq!(is_dead(&elsewhere), None);
    }

    #[test]
    fn names_are_of_one_clone_each() {
        let one = CloneIdentity {
            source: "s3://a".to_owned(),
            destination: "s3://b/c".to_owned(),
            key_map: "reverse".parse().unwrap(),
            filter: Vec::new(),
        };
        let other = CloneIdentity { key_map: "".parse().unwrap(), ..one.clone() };
        assert!(name_of(&one).starts_with("s3---b-c-"));
        assert_ne!(name_of(&one), name_of(&other));
    }
}
