//! Threads that each have a runtime and connections of their own: half the processor time of one runtime over all cores.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use provider::cleanup::{self, Owed};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::recorder::Recorded;
use super::shard::Job;
use super::{CloneError, Result, worker};

/// Files that one thread reads and writes at once, beside its connections.
const FILES: usize = 2;

/// How long a thread that was cancelled stays for what it owes to the stores.
const CLEAN_UP: std::time::Duration = std::time::Duration::from_secs(30);

type Work = Box<dyn FnOnce(Context) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// Where the workers of a pass run. Dropping it ends them.
pub(super) enum Threads {
    /// In the caller's task.
    Here,
    /// On threads of their own.
    Apart(Apart),
}

pub(super) struct Apart {
    threads: Vec<(mpsc::UnboundedSender<Work>, Option<JoinHandle<()>>)>,
    cancelled: CancellationToken,
}

impl Threads {
    /// Threads for a pass, if it wants several and its stores gain from it.
    pub(super) fn start(context: &Context) -> Result<Self> {
        let wanted = context.spec.threads;
        if wanted <= 1 {
            return Ok(Self::Here);
        }
        let cancelled = CancellationToken::new();
        let threads = (0..wanted).map(|number| {
            let spec = &context.spec;
            let own = |bucket: &Arc<dyn provider::Bucket>| {
                bucket.with_own_connections().unwrap_or_else(|| Arc::clone(bucket))
            };
            let context = context.over(own(&spec.source), own(&spec.destination));
            let (sender, work) = mpsc::unbounded_channel();
            let (cancelled, owed) = (cancelled.clone(), Owed::announce());
            let thread = std::thread::Builder::new()
                .name(format!("clone-{number}"))
                .spawn(move || run(context, work, &cancelled, owed))
                .map_err(|source| CloneError::Thread { source })?;
            Ok((sender, Some(thread)))
        });
        let threads = threads.collect::<Result<_>>()?;
        Ok(Self::Apart(Apart { threads, cancelled }))
    }

    /// Lets all workers work on a job until it is done.
    pub(super) async fn work(&mut self, context: &Context, job: &Arc<Job>) -> Result<Vec<Recorded>> {
        let Self::Apart(apart) = self else {
            return worker::work(context.clone(), Arc::clone(job), context.spec.concurrency, context.spec.listers)
                .await;
        };
        let count = apart.threads.len();
        let share = |all: usize| all.div_ceil(count);
        let (lanes, listers) = (share(context.spec.concurrency), share(context.spec.listers));
        let mut answers = Vec::with_capacity(count);
        for (sender, _) in &apart.threads {
            let (answer, answered) = oneshot::channel();
            let job = Arc::clone(job);
            let work: Work = Box::new(move |context| {
                Box::pin(async move {
                    let _ = answer.send(worker::work(context, job, lanes, listers).await);
                })
            });
            // A thread that is gone drops the work, and with it the answer.
            let _ = sender.send(work);
            answers.push(answered);
        }
        let mut waiting: futures::stream::FuturesUnordered<_> = answers.into_iter().collect();
        let mut done = Vec::new();
        while let Some(answer) = futures::StreamExt::next(&mut waiting).await {
            match answer {
                Ok(recorded) => done.extend(recorded?),
                Err(_) => {
                    apart.tell_panic();
                    return Err(CloneError::Thread { source: std::io::Error::other("a thread ended early") });
                }
            }
        }
        Ok(done)
    }
}

impl Apart {
    /// Goes on with the panic that ended a thread.
    fn tell_panic(&mut self) {
        self.cancelled.cancel();
        for (_, thread) in &mut self.threads {
            if let Some(Err(panic)) = thread.take().map(JoinHandle::join) {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.cancelled.cancel();
    }
}

fn run(context: Context, mut work: mpsc::UnboundedReceiver<Work>, cancelled: &CancellationToken, owed: Owed) {
    let files = if context.is_of_folders() { context.spec.concurrency.max(FILES) } else { FILES };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(files).build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let all = async {
            while let Some(work) = work.recv().await {
                work(context.clone()).await;
            }
        };
        tokio::select! {
            biased;
            () = cancelled.cancelled() => {}
            () = all => {}
        }
        drop(owed);
        // What was dropped half-way is cleaned up by tasks of this runtime.
        cleanup::finish(CLEAN_UP).await;
    });
}
