//! The bot's data: pure functions from an old record to a new one. Nothing here knows files, threads
//! or JavaScript.

mod games;
mod players;
mod tokens;

pub use games::{ClearGame, SaveGame};
pub use players::{GameResult, GameResults, SavePlayers, leaderboard, player_stats, rank};
pub use tokens::SaveTokens;

use crate::data::name::LogName;

/// The logs of the bot: players, tokens, game states.
pub const LOGS: [&str; 3] = ["players", "tokens", "game_state"];

/// The name of one of the bot's logs.
///
/// # Panics
/// Never for the names in `LOGS`.
#[must_use]
pub fn log_name(name: &str) -> LogName {
    LogName::new(name).expect("the bot's log names are valid")
}
