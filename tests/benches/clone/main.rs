//! `pachsnap clone` beside the programs that people copy buckets with, from and to the same server, in turns. Prints medians and
//! ratios, as tables that can stand in a Markdown file.
//!
//! `cargo benchmark clone [-- OBJECTS [ROUNDS] [--quick] [--peers] [--part PART]...]`
//!
//! The server is a process of its own on the same machine, so its share of the cores is told apart. Every copy is checked
//! afterwards: each key of the source is in the clone with the same content. `--quick` takes few objects and one round, and
//! leaves out the million; `--peers` leaves out pachsnap; parts are `near`, `cloud` and `million`.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod clients;
mod machine;
mod options;
mod parts;
mod server;
mod table;

use clients::Clients;
use options::{Options, Part};

fn main() {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            println!("{error}\n{}", options::USAGE);
            std::process::exit(2);
        }
    };
    server::build();
    let clients = Clients::install(options.peers_only);
    machine::print();
    for part in &options.parts {
        match part {
            Part::Near => parts::condition(&options, &clients, &parts::NEAR),
            Part::Cloud => parts::condition(&options, &clients, &parts::CLOUD),
            Part::Million => parts::million(&options, &clients),
        }
    }
}
