//! What is known of a source before its first poll, from readings that are older than this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::heartbeat::history::History;
use crate::source::PollSettings;
use crate::source::memory::Memory;
use crate::source::reader::Answer;

/// What is known of some sources, by name.
pub(crate) type Pasts = BTreeMap<String, Past>;

/// What is known of one source.
#[derive(Debug)]
pub(crate) struct Past {
    pub(super) memory: Memory,
    pub(super) history: History,
}

impl Past {
    /// Learns from the answers to earlier polls, the oldest first.
    pub(crate) fn of(settings: &PollSettings, answers: impl Iterator<Item = Answer>) -> Self {
        let project = settings.target.project;
        let mut memory = Memory::new(project, settings.intervals, settings.tolerances);
        let mut history = History::new(settings.poll_interval);
        for Answer {
            reading,
            read,
            clock,
        } in answers
        {
            // A server that is not current proves nothing, like a failed poll.
            if let Ok(snapshot) = memory.evaluate(reading, read, clock) {
                history.record(read.sent, &Arc::new(snapshot));
            }
        }
        Self { memory, history }
    }
}
