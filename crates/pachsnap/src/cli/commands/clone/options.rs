//! Options of `pachsnap clone`.

use clap::Args;
use orchestrator::clone::{Ceilings, KeyMap};

use crate::config::StoreOptions;
use crate::render::EventFormat;

/// Options of `clone`.
#[derive(Debug, Args)]
#[command(after_help = "\
Where both are in the same store, it copies by itself. What is done is kept: the same command goes on after a crash, and the next \
run costs one listing and what has changed. Give credentials as to the tools of AWS and Google Cloud; an S3 store other than Amazon's is named by \
--endpoint, or by s3://bucket/prefix?endpoint=http%3A//host%3A9000.")]
pub(crate) struct Clone {
    /// What to clone: s3://bucket/prefix, gs://bucket/prefix or file:///folder
    #[arg(value_name = "SRC")]
    pub(super) source: String,
    /// Where to: s3://bucket/prefix, gs://bucket/prefix or file:///folder
    #[arg(value_name = "DST")]
    pub(super) destination: String,
    /// Only say what would be done: objects, bytes, requests, time, and cost at list prices
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Also delete what only DST has
    #[arg(long)]
    pub(super) delete_extra: bool,
    /// Largest share of DST's objects that may be deleted, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) max_deletes: u8,
    /// Rename keys: reverse, add-slash, strip-slash, root:OLD=NEW; several with commas between them
    #[arg(long, value_name = "MAP", default_value = "", hide_default_value = true)]
    pub(super) key_map: KeyMap,
    /// Only keys that match: `*` stands for any text, `?` for one character; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(super) include: Vec<String>,
    /// No keys that match; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(super) exclude: Vec<String>,
    /// Copy tags, then objects, then blocks, each listed when its turn comes: for a Pachyderm that is writing
    #[arg(long)]
    pub(super) in_turn: bool,
    /// Also list DST, which somebody else may have written to since the last run
    #[arg(long)]
    pub(super) check_destination: bool,
    /// Where to keep what is done: a folder or a URL; else the vault, else ~/.local/state/pachsnap
    #[arg(long, value_name = "FOLDER|URL")]
    pub(super) state: Option<String>,
    /// Copy nothing: print at most N shards, lines of JSON, which several processes can do side by side
    #[arg(long, value_name = "N", help_heading = "Several processes", value_parser = at_most_a_thousand,
        conflicts_with_all = ["dry_run", "delete_extra", "in_turn", "output"])]
    pub(super) plan_shards: Option<usize>,
    /// Do only this shard of a plan; @FILE:LINE for a line of a file, the first one is 0. The command without it, in the end, does
    /// what is left
    #[arg(long, value_name = "JSON|@FILE:LINE", help_heading = "Several processes",
        conflicts_with_all = ["plan_shards", "dry_run", "delete_extra", "in_turn"])]
    pub(super) shard: Option<String>,
    /// Copy through this machine, also inside one store
    #[arg(long)]
    pub(super) through_here: bool,
    /// Most objects in flight at once, fewer while the store answers no faster for more; 300 and 300 for each thread, 128 in their
    /// place through this machine, if not given
    #[arg(long, value_name = "N", help_heading = "Limits", value_parser = at_least_one)]
    pub(super) max_concurrency: Option<usize>,
    /// Most requests a second, to both stores together
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_requests_per_second: Option<u32>,
    /// Most bytes a second that are copied, as 100MiB
    #[arg(long, value_name = "BYTES", help_heading = "Limits", value_parser = parse_bytes)]
    max_bandwidth: Option<u64>,
    /// Let the store copy objects above this size in parts of it, side by side; 5 GiB in one copy and 256 MiB a part, if not given
    #[arg(long, value_name = "BYTES", help_heading = "Limits", value_parser = parse_part)]
    copy_part_size: Option<u64>,
    /// Most key ranges that are listed at once
    #[arg(long, value_name = "N", default_value_t = 32, help_heading = "Limits", value_parser = at_least_one)]
    pub(super) listers: usize,
    /// Threads; one for each core, up to four, if not given
    #[arg(long, value_name = "N", help_heading = "Limits", value_parser = at_least_one)]
    pub(super) threads: Option<usize>,
    /// Endpoint of the S3 store of both SRC and DST
    #[arg(long, visible_alias = "endpoint-url", value_name = "URL", help_heading = "Stores")]
    endpoint: Option<String>,
    /// Endpoint of SRC's store
    #[arg(long, value_name = "URL", help_heading = "Stores")]
    pub(super) source_endpoint: Option<String>,
    /// Endpoint of DST's store
    #[arg(long, value_name = "URL", help_heading = "Stores")]
    pub(super) destination_endpoint: Option<String>,
    /// Which S3 the stores speak; aws without an endpoint and other with one, if not given
    #[arg(long, value_name = "KIND", help_heading = "Stores", value_parser = ["aws", "minio", "other"])]
    store: Option<String>,
    /// Region of the buckets
    #[arg(long, value_name = "REGION", help_heading = "Stores")]
    region: Option<String>,
    /// Number of the AWS account that must own both buckets
    #[arg(long, value_name = "ACCOUNT", help_heading = "Stores")]
    expected_owner: Option<String>,
    /// Pay for requests to buckets that want their requesters to
    #[arg(long, help_heading = "Stores")]
    requester_pays: bool,
    /// Let the owner of DST's bucket have the new objects too
    #[arg(long, help_heading = "Stores")]
    owner_full_control: bool,
    /// Class of storage of the new objects, as STANDARD_IA; that of what is copied, if not given
    #[arg(long, value_name = "CLASS", help_heading = "Stores")]
    storage_class: Option<String>,
    /// AES256, aws:kms, or id, alias or ARN of a KMS key for the new objects; as DST's bucket says, if not given
    #[arg(long, value_name = "KEY", help_heading = "Stores")]
    encrypt_with: Option<String>,
    /// How events and the result are shown
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: EventFormat,
}

impl Clone {
    /// How one of the stores is reached.
    pub(super) fn store_options(&self, own_endpoint: Option<&String>) -> StoreOptions {
        StoreOptions {
            endpoint: own_endpoint.or(self.endpoint.as_ref()).cloned(),
            region: self.region.clone(),
            store: self.store.clone(),
            copy_part_bytes: self.copy_part_size,
            expected_owner: self.expected_owner.clone(),
            requester_pays: self.requester_pays.then_some(true),
            owner_full_control: self.owner_full_control.then_some(true),
            storage_class: self.storage_class.clone(),
            encrypt_with: self.encrypt_with.clone(),
            ..StoreOptions::default()
        }
    }

    pub(super) fn ceilings(&self) -> Ceilings {
        Ceilings { requests_per_second: self.max_requests_per_second, bytes_per_second: self.max_bandwidth }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of at least one".to_owned()),
        Ok(number) => Ok(number),
    }
}

fn at_most_a_thousand(text: &str) -> Result<usize, String> {
    at_least_one(text)
        .ok()
        .filter(|number| *number <= 1000)
        .ok_or_else(|| "give a whole number from 1 to 1000".to_owned())
}

/// Bytes that one part of a copy may have.
fn parse_part(text: &str) -> Result<u64, String> {
    let fits = |bytes: &u64| (5 << 20..=5 << 30).contains(bytes);
    parse_bytes(text).ok().filter(fits).ok_or_else(|| "give bytes from 5MiB to 5GiB".to_owned())
}

/// `1000`, `64KiB`, `100MB`: with `i` powers of 1,024, without of 1,000.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("give bytes as 1000000, 100MB or 64MiB".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "give bytes as 1000000, 100MB or 64MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_bytes() {
        for (text, bytes) in [("7", 7), ("64KiB", 65_536), ("100MB", 100_000_000), ("2GiB", 2 << 30), ("3 B", 3)] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "MiB", "1TiB", "-1", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
