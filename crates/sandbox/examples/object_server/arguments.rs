//! The command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::ObjectServer;

/// How the program is called.
pub(crate) fn usage<Server: ObjectServer>() -> String {
    let own: String = Server::OPTIONS.iter().map(|name| format!(" [{name} NUMBER]")).collect();
    format!(
        "usage: {} [--listen ADDRESS] [--bucket NAME[=OBJECTSxBYTES]]... [--seed NUMBER]
       [--object-latency 20ms] [--page-latency 60ms]{own} [--threads NUMBER]",
        Server::NAME
    )
}

/// A bucket to make, and what to fill it with.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) objects: u64,
    /// Bytes of each object.
    pub(crate) size: usize,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) listen: SocketAddr,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) seed: u64,
    /// Added to every call but listings.
    pub(crate) object_latency: Duration,
    /// Added to every page of a listing.
    pub(crate) page_latency: Duration,
    /// Values of the options that only this server has, in their order; 0 where nothing is given.
    pub(crate) options: Vec<u64>,
    /// Threads that serve; as many as cores without it.
    pub(crate) threads: Option<usize>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>, own: &[&str]) -> Result<Self, String> {
        let mut arguments = Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            buckets: Vec::new(),
            seed: 1,
            object_latency: Duration::ZERO,
            page_latency: Duration::ZERO,
            options: vec![0; own.len()],
            threads: None,
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--listen" => arguments.listen = value.parse().map_err(|error| format!("{value}: {error}"))?,
                "--bucket" => arguments.buckets.push(bucket(&value)?),
                "--seed" => arguments.seed = number(&value)?,
                "--object-latency" => arguments.object_latency = duration(&value)?,
                "--page-latency" => arguments.page_latency = duration(&value)?,
                "--threads" => arguments.threads = Some(number(&value)?).filter(|threads| *threads > 0),
                _ => match own.iter().position(|own| *own == name) {
                    Some(at) => arguments.options[at] = number(&value)?,
                    None => return Err(format!("there is no {name}")),
                },
            }
        }
        Ok(arguments)
    }
}

fn bucket(text: &str) -> Result<Bucket, String> {
    let Some((name, fill)) = text.split_once('=') else {
        return Ok(Bucket { name: text.to_owned(), objects: 0, size: 0 });
    };
    let (objects, size) = fill.split_once('x').ok_or_else(|| format!("{text}: OBJECTSxBYTES is wanted after ="))?;
    Ok(Bucket { name: name.to_owned(), objects: number(objects)?, size: number(size)? })
}

fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// A time such as `20ms` or `2s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if let Some(millis) = text.strip_suffix("ms") {
        return number(millis).map(Duration::from_millis);
    }
    match text.strip_suffix('s') {
        Some(seconds) => number(seconds).map(Duration::from_secs),
        None => Err(format!("{text}: a time is a number with ms or s")),
    }
}
