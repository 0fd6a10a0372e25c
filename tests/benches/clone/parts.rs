//! What is measured, and in which order.

use std::collections::BTreeMap;
use std::process::Command;

use e2e::measure;

use crate::clients::{Client, Clients, Place};
use crate::options::Options;
use crate::server::Server;
use crate::table::{Row, Run, print};

/// How far away the store is.
#[derive(Debug)]
pub(crate) struct Condition {
    name: &'static str,
    /// Of each call, and of each page of a listing, as the server's command takes them.
    latency: &'static str,
    /// Calls under way that suit the peers best here.
    workers: usize,
}

pub(crate) const NEAR: Condition = Condition { name: "no latency added", latency: "0ms 0ms", workers: 64 };
pub(crate) const CLOUD: Condition =
    Condition { name: "20 ms a call, 60 ms a page", latency: "20ms 60ms", workers: 256 };

/// Copies of one bucket by all programs, on one server.
struct Race<'a> {
    clients: &'a Clients,
    server: Server,
    workers: usize,
    objects: u64,
}

impl Race<'_> {
    fn start<'a>(clients: &'a Clients, objects: u64, condition: &Condition) -> Race<'a> {
        let mut server = Server::start(objects);
        server.tell(&format!("latency {}", condition.latency));
        Race { clients, server, workers: condition.workers, objects }
    }

    fn run(&mut self, mut command: Command) -> Result<Run, String> {
        self.server.tell("requests");
        let before = self.server.cpu();
        let (status, cost) = measure(&mut command);
        let server = self.server.cpu() - before;
        let requests = self.server.tell("requests");
        if status.success() { Ok(Run { cost, server, requests }) } else { Err(self.clients.last_error()) }
    }

    /// One copy, checked: everything is there, and nothing else.
    fn copy(&mut self, client: Client, prefix: &str) -> Result<Run, String> {
        let endpoint = self.server.endpoint.clone();
        let command = self.clients.copy(client, Place { endpoint: &endpoint, prefix, workers: self.workers });
        let run = self.run(command)?;
        let compared = self.server.tell(&format!("compare source clone {prefix}"));
        let wanted = format!("same {}, others 0", self.objects);
        if compared == wanted { Ok(run) } else { Err(format!("the clone is not the source: {compared}")) }
    }

    /// Copies into fresh prefixes, the programs in turns. The last one of each program is kept.
    fn first(&mut self, title: &str, rounds: usize, clients: &[Client]) -> BTreeMap<Client, String> {
        let mut rows: Vec<Row> = clients.iter().map(|client| Row::new(client.name())).collect();
        let mut kept = BTreeMap::new();
        for round in 0..rounds {
            for (client, row) in clients.iter().zip(&mut rows) {
                if row.failed.is_some() || (round > 0 && client.is_slow()) {
                    continue;
                }
                let prefix = format!("{}-{round}/", client.name().replace(' ', "-"));
                match self.copy(*client, &prefix) {
                    Ok(run) => row.runs.push(run),
                    Err(error) => row.failed = Some(error),
                }
                // Of a failed one nothing is measured again.
                let before = if row.failed.is_none() { kept.insert(*client, prefix) } else { kept.remove(client) };
                if let Some(before) = before {
                    self.server.tell(&format!("clear clone {before}"));
                }
            }
        }
        print(title, self.objects, &rows);
        kept
    }

    /// Copies once more over what is there, the programs in turns; before each round one object in `one_in` changes.
    fn again(&mut self, title: &str, rounds: usize, one_in: Option<u64>, kept: &BTreeMap<Client, String>) {
        let kept: Vec<_> = kept.iter().filter(|(client, _)| client.updates()).collect();
        let mut rows: Vec<Row> = kept.iter().map(|(client, _)| Row::new(client.name())).collect();
        for _ in 0..rounds {
            if let Some(one_in) = one_in {
                self.server.tell(&format!("change source {one_in}"));
            }
            for ((client, prefix), row) in kept.iter().zip(&mut rows) {
                if row.failed.is_none() {
                    match self.copy(**client, prefix) {
                        Ok(run) => row.runs.push(run),
                        Err(error) => row.failed = Some(error),
                    }
                }
            }
        }
        print(title, self.objects, &rows);
    }

    fn list(&mut self, title: &str, rounds: usize, clients: &[Client]) {
        let endpoint = self.server.endpoint.clone();
        let mut rows: BTreeMap<Client, Row> = BTreeMap::new();
        for _ in 0..rounds {
            for client in clients {
                let Some((name, command)) = self.clients.list(*client, &endpoint) else { continue };
                let row = rows.entry(*client).or_insert_with(|| Row::new(name));
                match self.run(command) {
                    Ok(run) => row.runs.push(run),
                    Err(error) => row.failed = Some(error),
                }
            }
        }
        print(title, self.objects, &rows.into_values().collect::<Vec<_>>());
    }
}

/// First copy, second copy, one percent changed, and listing alone.
pub(crate) fn condition(options: &Options, clients: &Clients, condition: &Condition) {
    let Options { objects, rounds, .. } = *options;
    let mut race = Race::start(clients, objects, condition);
    let all = clients.all();
    let title = |what: &str| format!("{what} of {objects} objects, {}, medians of {rounds}", condition.name);
    let kept = race.first(&title("First copy"), rounds, &all);
    race.again(&title("Second copy, nothing changed,"), rounds, None, &kept);
    race.again(&title("Second copy, 1 % changed,"), rounds, Some(100), &kept);
    race.list(&title("Listing"), rounds, &all);
}

/// A million objects, once: memory near, and listing far away.
pub(crate) fn million(options: &Options, clients: &Clients) {
    let objects = options.many;
    let all: Vec<Client> = clients.all().into_iter().filter(|client| !client.is_slow()).collect();
    // A `sync` of s5cmd sorts both listings on disk and takes a quarter of an hour.
    let copying: Vec<Client> = all.iter().copied().filter(|client| *client != Client::S5cmdSync).collect();
    let mut race = Race::start(clients, objects, &NEAR);
    let title = |what: &str, condition: &Condition| format!("{what} of {objects} objects, {}, once", condition.name);
    let kept = race.first(&title("First copy", &NEAR), 1, &copying);
    race.again(&title("Second copy, nothing changed,", &NEAR), 1, None, &kept);
    race.again(&title("Second copy, 1 % changed,", &NEAR), 1, Some(100), &kept);
    race.server.tell(&format!("latency {}", CLOUD.latency));
    race.list(&title("Listing", &CLOUD), 1, &all);
}
