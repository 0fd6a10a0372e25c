//! Patience with servers that are away for a while: a pod that is replaced, an API server that restarts, an expired token that
//! is renewed. An undo that gives up at the first refusal leaves a cluster frozen.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How long one server may be away, counted from its last answer: what is asked after that gets a single try.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    poll: Duration,
    answered: Instant,
}

impl Patience {
    pub(crate) fn new(limit: Duration, poll: Duration) -> Self {
        Self { limit, poll, answered: Instant::now() }
    }

    /// Calls until there is an answer, good or bad, or the server has been away for too long.
    pub(crate) async fn call<T, F>(&mut self, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        loop {
            match call().await {
                Err(error) if is_away(&error) && self.answered.elapsed() < self.limit => {
                    tokio::time::sleep(self.poll.min(LONGEST_WAIT)).await;
                }
                Err(error) if is_away(&error) => return Err(error),
                answer => {
                    self.answered = Instant::now();
                    return answer;
                }
            }
        }
    }
}

/// A refusal may be an API server that has lost its authorizer, or a token that is renewed by somebody.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Error {
        Error::new(ErrorKind::Unreachable, "away")
    }

    #[tokio::test]
    async fn a_server_that_comes_back_is_waited_for() {
        let mut patience = Patience::new(Duration::from_secs(60), Duration::from_millis(1));
        let mut tries = 0;
        let answer = patience.call(|| {
            tries += 1;
            let answer = if tries < 4 { Err(away()) } else { Ok(tries) };
            async { answer }
        });
        assert_eq!(answer.await.ok(), Some(4));
    }

    #[tokio::test]
    async fn a_failure_is_an_answer_and_one_who_stays_away_gets_one_try() {
        let mut patience = Patience::new(Duration::from_millis(10), Duration::from_millis(1));
        let refused: Result<()> = patience.call(|| async { Err(Error::new(ErrorKind::Failed, "no")) }).await;
        assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::Failed));
        for most in [u32::MAX, 1] {
            let mut tries = 0;
            let lost: Result<()> = patience
                .call(|| {
                    tries += 1;
                    async { Err(away()) }
                })
                .await;
            assert_eq!(lost.err().map(|error| error.kind()), Some(ErrorKind::Unreachable));
            assert!(tries <= most, "{tries}");
        }
    }
}
