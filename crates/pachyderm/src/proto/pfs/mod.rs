//! Package `pfs`: repos, branches, commits, files and the objects under them.

mod branch;
mod build;
mod commit;
mod file;
mod object;
mod repo;
pub use branch::*;
pub use build::*;
pub use commit::*;
pub use file::*;
pub use object::*;
pub use repo::*;

/// The repo of pipeline specs: one branch for each pipeline, one commit for each version.
pub const SPEC_REPO: &str = "__spec__";
