//! What the figures were measured on.

use std::process::Command;

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Prints processor, cores, memory and kernel.
pub(crate) fn print() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let kernel = Command::new("uname").arg("-sr").output().map(|output| output.stdout).unwrap_or_default();
    println!(
        "{cores} cores of {model}, {} GiB, {}; server and client share them",
        memory.unwrap_or_default() >> 20,
        String::from_utf8_lossy(&kernel).trim()
    );
}
