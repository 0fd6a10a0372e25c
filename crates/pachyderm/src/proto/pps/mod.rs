//! Package `pps`: pipelines and jobs.

mod create;
mod input;
mod job;
mod pipeline;
mod spec;
mod stored;
pub use create::*;
pub use input::*;
pub use job::*;
pub use pipeline::*;
pub use spec::*;
pub use stored::*;
