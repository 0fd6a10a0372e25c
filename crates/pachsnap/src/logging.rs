//! Log lines on stderr, on request. Even the most verbose level holds no secret: libraries that log requests with their
//! headers stay quiet.

use tracing_subscriber::EnvFilter;

const OURS: [&str; 7] = ["pachsnap", "orchestrator", "pachyderm", "provider", "provider_onprem", "s3", "sandbox"];

/// Starts logging at the level that so many `-v` ask for; none without any.
pub(crate) fn start(verbosity: u8) {
    let level = match verbosity {
        0 => return,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let ours = OURS.map(|name| format!("{name}={level}")).join(",");
    let filter = EnvFilter::new(format!("warn,{ours}"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let _ = subscriber.try_init();
}
