//! The real binary against real services: a bench that serves a recorded cluster, and what its tests ask of it.

mod bench;
mod binary;
mod clone_command;
mod folder;
mod google;
mod hold;
mod loaders;
mod measure;
mod outcome;
mod pair;
mod picture;
mod real_bench;
mod recorded_files;
mod shape;

pub use bench::Bench;
pub use binary::{Ended, Running, pachsnap, start};
pub use clone_command::CloneCommand;
pub use folder::files_under;
pub use measure::{Cost, cpu_of, measure};
pub use outcome::{assert_as_before, assert_nothing_false_is_claimed, assert_put_back, assert_refused, assert_said};
pub use pair::Pair;
pub use picture::Picture;
pub use real_bench::RealBench;
pub use recorded_files::assert_every_file_is_there;
