//! `pachsnap clone` between two places of one S3 server, as tests and benchmarks run it.

use std::path::{Path, PathBuf};

/// A clone that can be run any number of times: each run goes on where the one before ended.
#[derive(Clone, Debug)]
pub struct CloneCommand {
    source: String,
    destination: String,
    endpoint: String,
    state: PathBuf,
}

impl CloneCommand {
    /// From one bucket to a prefix of another, `bucket/prefix/`, both on the server at `endpoint`. What the clone keeps of itself
    /// goes into the folder `state`.
    #[must_use]
    pub fn new(source: &str, destination: &str, endpoint: &str, state: &Path) -> Self {
        Self {
            source: format!("s3://{source}/"),
            destination: format!("s3://{destination}"),
            endpoint: endpoint.to_owned(),
            state: state.to_owned(),
        }
    }

    /// The arguments of a run.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let state = self.state.display().to_string();
        // The sandbox's server honours conditions, as Amazon's and MinIO's do; of an unknown one that is not believed.
        ["clone", &self.source, &self.destination, "--endpoint", &self.endpoint, "--store", "minio", "--state", &state]
            .map(str::to_owned)
            .to_vec()
    }

    /// The arguments of a run that also deletes what the source no longer has.
    #[must_use]
    pub fn deleting(&self) -> Vec<String> {
        let mut arguments = self.arguments();
        arguments.push("--delete-extra".to_owned());
        arguments
    }

    /// The arguments of a run that only tells what there is to do, from what is kept of the clone.
    #[must_use]
    pub fn dry_run(&self) -> Vec<String> {
        let mut arguments = self.arguments();
        arguments.push("--dry-run".to_owned());
        arguments
    }

    /// The arguments of a run that only tells what there is to do, with what is kept of the clone held against a listing.
    #[must_use]
    pub fn checking_dry_run(&self) -> Vec<String> {
        let mut arguments = self.dry_run();
        arguments.push("--check-destination".to_owned());
        arguments
    }

    /// The variables that a run needs to be let in by a server of the sandbox.
    #[must_use]
    pub fn environment() -> [(&'static str, &'static str); 3] {
        [("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox-secret"), ("AWS_REGION", "us-east-1")]
    }
}
