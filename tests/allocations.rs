//! How many allocations an update takes, in the `Folder` and the game, without Node. The bound does not depend on the
//! machine, so it shows a change that makes updates dearer.

use std::sync::Arc;

use progressive_storage::data::name::LogName;
use progressive_storage::error::Result;
use progressive_storage::files::folder::Folder;
use progressive_storage::files::options::Options;
use progressive_storage::game::GameResult;
use progressive_storage::store::answer::Answer;
use progressive_storage::store::core::Core;
use progressive_storage::store::event::Notice;
use progressive_storage::store::event::NoticeSink;
use progressive_storage::store::request::Request;
use progressive_storage::store::request::Work;
use progressive_storage::store::ticket::Outlet;
use progressive_storage::store::ticket::Ticket;
use progressive_storage::vfs::RealFileSystem;

struct Silent;

impl NoticeSink for Silent {
    fn notify(&self, _: Notice) {}
}

struct Answers;

impl Outlet for Answers {
    fn deliver(&self, _: usize, answer: Result<Answer>) {
        answer.expect("the update succeeds");
    }

    fn flush(&self) {}
}

const PLAYERS: usize = 200;
const GAMES: usize = 50;
const BATCH: usize = 100;

fn update(log: &LogName, outlet: &Arc<dyn Outlet>, number: usize) -> Request {
    let result = GameResult {
        user_id: format!("\"user-{}\"", number % PLAYERS),
        username: "\"Player\"".to_owned(),
        score: 500.0,
        is_winner: false,
        correct_answers: 5.0,
        incorrect_answers: 5.0,
    };
    Request {
        log: log.clone(),
        is_collection: true,
        work: Work::Write(Box::new(result)),
        size_bytes: 0,
        ticket: Ticket::new(Arc::clone(outlet), 0),
    }
}

fn count(folder: &mut Folder, requests: Vec<Request>) -> u64 {
    let updates = requests.len() as u64;
    allocation_counter::measure(|| folder.run_batch(requests)).count_total / updates
}

#[test]
fn allocations_of_an_update_are_bounded() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let log = LogName::new("players").expect("a valid name");
    let outlet: Arc<dyn Outlet> = Arc::new(Answers);
    let files = Arc::new(RealFileSystem::new());
    let mut folder = Folder::new(files, directory.path().to_owned(), Options::default(), Arc::new(Silent));
    for game in 0..GAMES {
        folder.run_batch((0..PLAYERS).map(|number| update(&log, &outlet, game * PLAYERS + number)).collect());
    }
    // Background work is not what is counted.
    folder.take_jobs();
    let alone = count(&mut folder, vec![update(&log, &outlet, 0)]);
    let in_a_batch = count(&mut folder, (0..BATCH).map(|number| update(&log, &outlet, number)).collect());
    println!("{alone} allocations for one update, {in_a_batch} for each of {BATCH}");
    assert!(alone <= ALONE_MAX, "{alone} allocations for one update alone");
    assert!(in_a_batch <= IN_A_BATCH_MAX, "{in_a_batch} allocations for each of {BATCH} updates in a batch");
}

/// A little above what was counted.
const ALONE_MAX: u64 = 55;
const IN_A_BATCH_MAX: u64 = 38;
