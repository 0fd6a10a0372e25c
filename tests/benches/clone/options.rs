//! The command line of the benchmark.

pub(crate) const USAGE: &str =
    "usage: cargo benchmark clone [-- OBJECTS [ROUNDS] [--quick] [--peers] [--part near|cloud|million]...]";

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// No latency is added.
    Near,
    /// 20 ms for each call, 60 ms for each page of a listing.
    Cloud,
    /// A million objects: memory, and listing.
    Million,
}

/// What is measured.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) objects: u64,
    pub(crate) rounds: usize,
    pub(crate) many: u64,
    pub(crate) peers_only: bool,
    pub(crate) parts: Vec<Part>,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { objects: 20_000, rounds: 3, many: 1_000_000, peers_only: false, parts: Vec::new() };
        let (mut numbers, mut quick) = (Vec::new(), false);
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => quick = true,
                "--peers" => options.peers_only = true,
                "--part" => options.parts.push(match words.next().as_deref() {
                    Some("near") => Part::Near,
                    Some("cloud") => Part::Cloud,
                    Some("million") => Part::Million,
                    other => return Err(format!("--part {}: there is none", other.unwrap_or_default())),
                }),
                _ => numbers.push(word.parse::<u32>().map_err(|error| format!("{word}: {error}"))?),
            }
        }
        if quick {
            (options.objects, options.rounds, options.many) = (2_000, 1, 20_000);
        }
        if options.parts.is_empty() {
            options.parts = vec![Part::Near, Part::Cloud];
            if !quick {
                options.parts.push(Part::Million);
            }
        }
        if let Some(objects) = numbers.first() {
            options.objects = (*objects).max(1).into();
        }
        if let Some(rounds) = numbers.get(1) {
            options.rounds = usize::try_from((*rounds).max(1)).unwrap_or(1);
        }
        Ok(options)
    }
}
