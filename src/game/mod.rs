//! The bot's data: pure functions from an old record to a new one. Nothing here knows files, threads
//! or JavaScript.

mod games;
mod players;
mod tokens;

pub use games::{clear_game, save_game};
pub use players::{GameResult, leaderboard, player_stats, rank, record_result, record_results, save_players};
pub use tokens::save_tokens;

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
