//! Events from the workflows to their renderer, on a thread of its own so that drawing never holds a workflow up.

use std::io::IsTerminal as _;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use orchestrator::event::{Event, Events};

use super::json_lines::JsonLines;
use super::plain::Plain;
use super::terminal::Terminal;

/// How events are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EventFormat {
    /// Bars on a terminal, plain lines elsewhere; on stderr.
    #[default]
    Text,
    /// One JSON object per line; on stdout.
    Json,
}

enum Message {
    Event(Event),
    End,
}

/// The renderer of one command.
#[derive(Debug)]
pub(crate) struct Progress {
    sender: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts a renderer. With `logging`, bars would be torn up by log lines: plain lines are used.
    pub(crate) fn start(format: EventFormat, logging: bool) -> Self {
        let (sender, receiver) = channel();
        let thread = std::thread::spawn(move || {
            let events = receiver.into_iter().map_while(|message| match message {
                Message::Event(event) => Some(event),
                Message::End => None,
            });
            match format {
                EventFormat::Json => {
                    let mut lines = JsonLines::default();
                    events.for_each(|event| lines.event(&event));
                }
                EventFormat::Text if std::io::stderr().is_terminal() && !logging => {
                    let mut terminal = Terminal::default();
                    events.for_each(|event| terminal.event(&event));
                    terminal.clear();
                }
                EventFormat::Text => {
                    let mut plain = Plain::default();
                    events.for_each(|event| plain.event(&event));
                }
            }
        });
        Self { sender, thread: Some(thread) }
    }

    /// Where workflows send their events.
    pub(crate) fn events(&self) -> Events {
        let sender = self.sender.clone();
        Events::to(move |event| {
            let _ = sender.send(Message::Event(event));
        })
    }

    /// Shows what is still on its way, and ends.
    pub(crate) fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.sender.send(Message::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
