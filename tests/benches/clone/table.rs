//! Measured rows, beside one another.

use e2e::Cost;

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) cost: Cost,
    /// CPU of the server meanwhile, in seconds.
    pub(crate) server: f64,
    /// What arrived at the server, by operation.
    pub(crate) requests: String,
}

/// The runs of one program.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) runs: Vec<Run>,
    /// Why it has no runs, or fewer.
    pub(crate) failed: Option<String>,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, runs: Vec::new(), failed: None }
    }

    fn middle(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        let mut all: Vec<f64> = self.runs.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }
}

/// Prints the rows; `objects` is what each run dealt with. Microseconds a key are also milliseconds a page of 1,000 keys. Ratios
/// say how many times the first row's figure a peer needs.
pub(crate) fn print(title: &str, objects: u64, rows: &[Row]) {
    println!("\n**{title}**\n");
    println!(
        "| {:<26} | {:>6} | {:>13} | {:>8} | {:>13} | {:>8} | {:>13} | {:>8} | {:>7} | requests |",
        "program", "wall s", "from – to", "a second", "CPU µs each", "peak MiB", "server µs each", "wall", "CPU"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
    let ours = rows.first().filter(|row| row.name.starts_with("pachsnap") && !row.runs.is_empty());
    for row in rows {
        let Some(last) = row.runs.last() else {
            println!("| {:<26} | FAILED: {} |", row.name, row.failed.as_deref().unwrap_or("no run"));
            continue;
        };
        let each = |seconds: f64| seconds * 1e6 / objects as f64;
        let walls = || row.runs.iter().map(|run| run.cost.wall);
        let (wall, cpu) = (row.middle(|run| run.cost.wall), row.middle(|run| run.cost.cpu));
        let peak = row.runs.iter().map(|run| run.cost.peak).max().unwrap_or_default();
        let ratio = |figure: fn(&Run) -> f64, theirs: f64| {
            ours.map_or_else(|| "–".to_owned(), |ours| format!("{:.2} ×", theirs / ours.middle(figure)))
        };
        println!(
            "| {:<26} | {wall:>6.2} | {:>13} | {:>8.0} | {:>13.1} | {:>8.0} | {:>14.1} | {:>8} | {:>7} | {} |",
            row.name,
            format!("{:.2} – {:.2}", walls().fold(f64::MAX, f64::min), walls().fold(0.0, f64::max)),
            objects as f64 / wall,
            each(cpu),
            peak as f64 / f64::from(1 << 20),
            each(row.middle(|run| run.server)),
            ratio(|run| run.cost.wall, wall),
            ratio(|run| run.cost.cpu, cpu),
            last.requests,
        );
        if let Some(failed) = &row.failed {
            println!("| {:<26} | FAILED after {} runs: {failed} |", row.name, row.runs.len());
        }
    }
}
