//! What a program costs: time, CPU, memory.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// Ticks in a second of `/proc/PID/stat`: 100 on every Linux that programs see.
const TICKS: f64 = 100.0;

/// What one run of a program cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// From start to end, in seconds.
    pub wall: f64,
    /// User and system time of the process, in seconds; steps of 10 ms.
    pub cpu: f64,
    /// Largest resident memory, in bytes.
    pub peak: u64,
}

impl Cost {
    /// The middle one of several runs, figure by figure.
    #[must_use]
    pub fn median(runs: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut all: Vec<f64> = runs.iter().map(figure).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let peak = runs.iter().map(|run| run.peak).max().unwrap_or_default();
        Self { wall: middle(|run| run.wall), cpu: middle(|run| run.cpu), peak }
    }
}

/// Runs a program to its end. Blocking; memory is looked at every 5 ms. Linux only.
///
/// # Panics
/// When the program can't be started, or `/proc` can't be read.
pub fn measure(command: &mut Command) -> (ExitStatus, Cost) {
    let began = Instant::now();
    let mut child = command.spawn().expect("the program can be started");
    let process = Path::new("/proc").join(child.id().to_string());
    let mut cost = Cost::default();
    // Read before waiting: a process that has ended but wasn't waited for still tells its times.
    loop {
        let seen = Instant::now();
        cost.peak = cost.peak.max(peak(&process));
        cost.cpu = cpu(&process).unwrap_or(cost.cpu);
        if has_ended(&process) {
            cost.wall = seen.duration_since(began).as_secs_f64();
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = child.wait().expect("a child can be waited for");
    (status, cost)
}

/// User and system time of a running process so far, in seconds; steps of 10 ms. Linux only.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn cpu_of(process: u32) -> f64 {
    cpu(&Path::new("/proc").join(process.to_string())).expect("the process is running")
}

/// The fields of `/proc/PID/stat` behind the name, which may hold blanks.
fn stat(process: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_whitespace().map(str::to_owned).collect()
}

fn has_ended(process: &Path) -> bool {
    stat(process).first().is_none_or(|state| state == "Z")
}

fn cpu(process: &Path) -> Option<f64> {
    let fields = stat(process);
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn peak(process: &Path) -> u64 {
    let text = std::fs::read_to_string(process.join("status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: Option<u64> =
        line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
    kilobytes.unwrap_or_default() * 1024
}
