//! What heartbeats prove: rows as values, each project's verdicts, and the snapshot published after each poll.
//!
//! Everything here is pure: no task, no socket, no clock read. Nothing returns a `Result`, because every operation
//! that can fail belongs to [`database`](crate::database).

/// Defines an enum with a name for each variant.
macro_rules! named {
    ($(#[$meta:meta])* $vis:vis enum $enum:ident { $($(#[$doc:meta])* $variant:ident = $name:expr,)* }) => {
        $(#[$meta])*
        $vis enum $enum {
            $($(#[$doc])* $variant,)*
        }

        impl $enum {
            /// Every variant, in the order of their definition.
            $vis const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Returns the variant's name.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

mod arrivals;
pub(crate) mod budget;
pub mod cause;
pub(crate) mod evidence;
pub mod failure;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod history;
pub(crate) mod limits;
pub mod liveness;
pub(crate) mod processes;
pub(crate) mod reference;
pub mod row_id;
pub mod rules;
pub mod server_clocks;
pub mod service;
pub mod skew;
pub mod snapshot;
pub(crate) mod standstill;
pub(crate) mod state;
pub mod status;
pub mod time;
pub mod tracker;
pub(crate) mod urgency;
pub(crate) mod verdict;
