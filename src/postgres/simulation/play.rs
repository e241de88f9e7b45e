//! Runs: one batch with every fate of its messages, and many clients by chance.

use std::sync::Arc;

use parking_lot::Mutex;

use super::check::check;
use super::client::{Call, Client, ENDS_AFTER_MS, Kind, Settled, TIMEOUT_MS, log};
use super::fate::{Chance, Fate, Fates};
use super::server::{Mutation, SimulatedServer};
use super::wire::Line;
use crate::postgres::wire::{Commit, Key};
use crate::vfs::simulated::SimulatedDisk;
use crate::vfs::{FileSystem, FileSystemRef};

/// A server, its clients, and what they called.
struct Play {
    server: Arc<Mutex<SimulatedServer>>,
    fates: Arc<Mutex<Fates>>,
    clocks: Vec<SimulatedDisk>,
    clients: Vec<Client>,
    calls: Vec<Call>,
    lives: usize,
}

impl Play {
    fn new(clients: usize, fates: Fates, mutation: Mutation) -> Self {
        let clocks: Vec<SimulatedDisk> = (0..clients).map(|_| SimulatedDisk::new()).collect();
        for (clock, hours) in clocks.iter().zip(0..) {
            // The times of day of hosts differ.
            clock.set_now_ms(clock.now_ms() + hours * 3_600_000);
        }
        let mut play = Self {
            server: Arc::new(Mutex::new(SimulatedServer::new(mutation))),
            fates: Arc::new(Mutex::new(fates)),
            clocks,
            clients: Vec::new(),
            calls: Vec::new(),
            lives: 0,
        };
        for number in 0..clients {
            let client = play.client(number);
            play.clients.push(client);
        }
        play
    }

    fn client(&mut self, host: usize) -> Client {
        let line = Line {
            server: Arc::clone(&self.server),
            fates: Arc::clone(&self.fates),
            clock: Arc::new(self.clocks[host].outsider()) as FileSystemRef,
        };
        self.lives += 1;
        Client::new(self.lives, line)
    }

    /// A client that died is followed by a new one on the same host.
    fn bury(&mut self) {
        for number in 0..self.clients.len() {
            if self.clients[number].has_crashed() {
                self.clients[number] = self.client(number);
            }
        }
    }

    fn call(&mut self, client: usize, kinds: Vec<Kind>) {
        self.clients[client].call(&mut self.calls, kinds);
        self.bury();
    }

    /// All goes well from now on, and everybody is answered.
    fn finish(&mut self) {
        *self.fates.lock() = Fates::Script([].into());
        for round in 0.. {
            self.bury();
            if !self.clients.iter().any(Client::is_waiting) {
                break;
            }
            assert!(round < 100, "calls wait for ever: {:?}", self.open_calls());
            for (client, clock) in self.clients.iter_mut().zip(&self.clocks) {
                client.tick(&mut self.calls);
                clock.advance_ms(TIMEOUT_MS / 10);
            }
        }
        self.server.lock().settle_late();
    }

    fn open_calls(&self) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.answer.is_none()).collect()
    }

    fn check(&self) -> Result<(), String> {
        check(&self.server.lock(), &self.calls)
    }
}

fn counter(number: u64) -> String {
    format!("\"c{number}\"")
}

fn some_calls() -> Vec<Kind> {
    vec![
        Kind::Add(vec![counter(0)]),
        Kind::Get(counter(0)),
        Kind::Add(vec![counter(0), counter(1)]),
        Kind::Note,
        Kind::Set("\"s\"".to_owned()),
        Kind::Update(counter(1)),
        Kind::UpdateMany(vec![counter(0), counter(2)]),
        Kind::GetMany(vec![counter(0), counter(1), counter(2)]),
    ]
}

/// One client's batch meets every sequence of fates of its first messages; then another batch follows.
fn with_every_fate(messages: u32, mutation: Mutation) -> Result<(), String> {
    let fates = Fate::ALL.len();
    for number in 0..fates.pow(messages) {
        let mut left = number;
        let script: Vec<Fate> = (0..messages)
            .map(|_| {
                let fate = Fate::ALL[left % fates];
                left /= fates;
                fate
            })
            .collect();
        let mut play = Play::new(1, Fates::Script(script.clone().into()), mutation);
        play.call(0, some_calls());
        play.call(0, some_calls());
        play.finish();
        play.check().map_err(|what| format!("{script:?}: {what}"))?;
    }
    Ok(())
}

/// Gives how often keys were locked.
fn by_chance(seed: u64, mutation: Mutation) -> Result<usize, String> {
    let mut chance = Chance(seed);
    let clients = 1 + usize::try_from(chance.below(3)).unwrap_or(0);
    let fates = Fates::Chance { chance: Chance(!seed), one_in: 2 + chance.below(20) };
    let mut play = Play::new(clients, fates, mutation);
    for _ in 0..20 + chance.below(60) {
        let client = usize::try_from(chance.below(clients as u64)).unwrap_or(0);
        play.server.lock().advance_ms(i64::try_from(chance.below(400)).unwrap_or(0));
        match chance.below(9) {
            6 => {
                let kinds = (0..=chance.below(3)).map(|_| kind(&mut chance)).collect();
                play.clients[client].call_without_answers(&mut play.calls, kinds);
            }
            7..9 => {
                play.clients[client].take_answers_once(&mut play.calls);
            }
            0 => play.clients[client].tick(&mut play.calls),
            1 => play.clocks[client].advance_ms(chance.below(TIMEOUT_MS)),
            _ => {
                let kinds = (0..=chance.below(6)).map(|_| kind(&mut chance)).collect();
                play.call(client, kinds);
            }
        }
        play.bury();
    }
    play.finish();
    play.check().map_err(|what| format!("seed {seed}: {what}"))?;
    Ok(play.server.lock().locks())
}

fn kind(chance: &mut Chance) -> Kind {
    let key = counter(chance.below(4));
    match chance.below(19) {
        12..14 => Kind::UpdateMany(vec![key, counter(4 + chance.below(2))]),
        14 => Kind::UpdateMany(vec![counter(1), counter(2), counter(3)]),
        15 => Kind::GetMany((0..6).map(counter).collect()),
        0..4 => Kind::Add(vec![key]),
        4..6 => Kind::Add(vec![counter(0), counter(1), counter(3)]),
        6..9 => Kind::Update(key),
        9 => Kind::Set(format!("\"s{}\"", chance.below(3))),
        10 if chance.below(2) == 0 => Kind::Note,
        10 => Kind::Remove(format!("\"s{}\"", chance.below(3))),
        16..18 => Kind::AddEnding(format!("\"e{}\"", chance.below(2))),
        18 => Kind::Update(format!("\"e{}\"", chance.below(2))),
        _ => Kind::Get(key),
    }
}

fn seeds() -> std::ops::Range<u64> {
    match std::env::var("PS_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..6_000,
    }
}

#[test]
fn one_batch_with_every_fate_of_its_messages() {
    with_every_fate(4, Mutation::None).unwrap_or_else(|what| panic!("{what}"));
}

#[test]
fn many_clients_by_chance() {
    let mut locks = 0;
    for seed in seeds() {
        locks += by_chance(seed, Mutation::None).unwrap_or_else(|what| panic!("{what}"));
    }
    assert!(seeds().count() == 1 || locks > seeds().count() / 10, "{locks} locks");
}

/// A function of the first client, whose value the second one changes before each of its tries.
fn contended(tries: usize) -> Play {
    let mut play = Play::new(2, Fates::Script([].into()), Mutation::None);
    play.clients[0].call_without_answers(&mut play.calls, vec![Kind::Update(counter(0))]);
    for _ in 0..tries {
        play.call(1, vec![Kind::Add(vec![counter(0)])]);
        play.clients[0].take_answers_once(&mut play.calls);
        play.clients[0].tick_without_answers();
    }
    play
}

#[test]
fn a_function_whose_value_others_change_before_each_try_has_it_locked_in_the_end() {
    let mut play = contended(3);
    assert_eq!((play.calls[0].told.len(), play.server.lock().locks()), (3, 1));
    assert_eq!(play.server.lock().applied().len(), 3);
    play.call(1, vec![Kind::Add(vec![counter(0)])]);
    assert_eq!(play.server.lock().applied().len(), 3, "the second client waits");
    play.clients[0].take_answers_once(&mut play.calls);
    play.clients[0].take_answers_once(&mut play.calls);
    assert!(matches!(play.calls[0].answer, Some((4, Settled::Done(_)))), "{:?}", play.calls[0]);
    play.finish();
    play.check().unwrap_or_else(|what| panic!("{what}"));
    assert_eq!(play.server.lock().applied().len(), 5);
}

#[test]
fn a_function_that_takes_too_long_has_nothing_locked_any_more() {
    let mut play = contended(3);
    let due_ms = play.clients[0].next_due_ms().expect("it is due");
    let is_locked = |play: &Play| {
        let key = Key { log: log(), key: counter(0) };
        play.server.lock().is_locked(usize::MAX, [&key].into_iter())
    };
    play.clocks[0].advance_ms(due_ms - 1 - play.clocks[0].outsider().monotonic_us() / 1000);
    play.clients[0].tick_without_answers();
    assert!(is_locked(&play));
    play.clocks[0].advance_ms(1);
    play.clients[0].tick_without_answers();
    assert!(!is_locked(&play));
    // It may have it all the same, where nobody else was faster.
    play.finish();
    assert!(matches!(play.calls[0].answer, Some((_, Settled::Done(_)))), "{:?}", play.calls[0]);
    play.check().unwrap_or_else(|what| panic!("{what}"));
}

#[test]
fn a_next_try_that_comes_when_its_time_is_over_leaves_nothing_locked() {
    let mut play = contended(3);
    play.clocks[0].advance_ms(TIMEOUT_MS + 1);
    play.clients[0].take_answers_once(&mut play.calls);
    let key = Key { log: log(), key: counter(0) };
    assert!(!play.server.lock().is_locked(usize::MAX, [&key].into_iter()));
    assert_eq!(play.clients[0].next_due_ms(), None, "the thread would look again and again");
    play.clients[0].take_answers_once(&mut play.calls);
    assert!(matches!(play.calls[0].answer, Some((_, Settled::NotDone))), "{:?}", play.calls[0]);
    play.finish();
    play.check().unwrap_or_else(|what| panic!("{what}"));
}

#[test]
fn a_thread_that_ends_and_a_connection_that_breaks_leave_nothing_locked() {
    let key = Key { log: log(), key: counter(0) };
    for ends_thread in [true, false] {
        let mut play = contended(3);
        if ends_thread {
            play.clients[0].end_thread();
        } else {
            *play.fates.lock() = Fates::Script([Fate::Unheard].into());
            play.clients[0].take_answers_once(&mut play.calls);
        }
        assert!(!play.server.lock().is_locked(usize::MAX, [&key].into_iter()));
        play.call(1, vec![Kind::Add(vec![counter(0)])]);
        assert!(matches!(play.calls[4].answer, Some((_, Settled::Done(_)))), "{:?}", play.calls[4]);
        play.finish();
        play.check().unwrap_or_else(|what| panic!("{what}"));
    }
}

#[test]
fn the_checker_finds_a_server_that_knows_no_names_or_no_versions_or_has_no_clock() {
    for mutation in [Mutation::NoChangeId, Mutation::NoVersions, Mutation::NoClock] {
        let found = (0..300).find_map(|seed| by_chance(seed, mutation).err());
        assert!(found.is_some(), "{mutation:?} goes unnoticed");
    }
}

/// Keys that end, by the server's clock, whose hosts' clocks are hours apart: they go with the next batch of anybody, as one
/// entry, and a counter begins anew.
#[test]
fn what_is_over_goes_with_the_next_batch_as_one_entry() {
    let mut play = Play::new(2, Fates::Script([].into()), Mutation::None);
    let endings: Vec<Kind> = (0..50).map(|number| Kind::AddEnding(format!("\"e{number}\""))).collect();
    play.call(0, endings.clone());
    play.server.lock().advance_ms(ENDS_AFTER_MS - 1);
    play.call(1, endings[..10].to_vec());
    let before = play.server.lock().applied().len();
    play.server.lock().advance_ms(1);
    play.call(1, vec![Kind::Note]);
    assert_eq!(play.server.lock().applied().len(), before + 1, "a batch without keys looks at no rows");
    play.call(1, vec![Kind::Set("\"s\"".to_owned())]);
    play.call(0, vec![Kind::Set("\"s\"".to_owned())]);
    play.call(0, endings);
    play.finish();
    play.check().unwrap_or_else(|what| panic!("{what}"));
    let server = play.server.lock();
    let numbers = |commit: &Commit| commit.entries.iter().filter(|entry| entry.expires_ms.is_some()).count();
    let of_batches: Vec<usize> = server.applied().iter().map(|commit| commit.entries.len()).collect();
    assert_eq!(of_batches, [50, 10, 1, 1, 1, 1, 50], "the fifth one removes");
    assert_eq!(server.applied()[4].keys.len(), 50);
    assert_eq!(server.applied().iter().map(numbers).sum::<usize>(), 110);
}

#[test]
fn a_server_that_is_away_refuses_nothing_before_its_time() {
    let mut play = Play::new(1, Fates::Script(vec![Fate::Unheard; 10_000].into()), Mutation::None);
    play.call(0, some_calls());
    let passed_ms = |play: &Play| play.clocks[0].outsider().monotonic_us() / 1000;
    while passed_ms(&play) < TIMEOUT_MS - 200 {
        assert_eq!(play.open_calls().len(), 8, "at {} ms", passed_ms(&play));
        play.clocks[0].advance_ms(100);
        play.clients[0].tick(&mut play.calls);
    }
    play.clocks[0].advance_ms(500);
    play.clients[0].tick(&mut play.calls);
    let answers: Vec<_> = play.calls.iter().filter_map(|call| call.answer.clone()).collect();
    assert_eq!(answers.len(), 8);
    assert!(answers.iter().all(|(_, settled)| *settled == Settled::NotDone), "nothing was sent: {answers:?}");
}

#[test]
fn what_was_sent_and_never_heard_of_again_is_unknown_and_comes_to_nothing_afterwards() {
    let script = [Fate::Fine, Fate::Fine, Fate::Late(200)].into_iter().chain(vec![Fate::Unheard; 300]);
    let mut play = Play::new(1, Fates::Script(script.collect()), Mutation::None);
    play.call(0, vec![Kind::Add(vec![counter(0)])]);
    play.clocks[0].advance_ms(TIMEOUT_MS + 1);
    play.clients[0].tick(&mut play.calls);
    assert_eq!(play.calls[0].answer.as_ref().map(|(_, settled)| settled), Some(&Settled::Unknown));
    *play.fates.lock() = Fates::Script([].into());
    play.call(0, vec![Kind::Add(vec![counter(0)])]);
    play.finish();
    play.check().unwrap_or_else(|what| panic!("{what}"));
    let server = play.server.lock();
    assert_eq!(server.applied().len(), 1, "the first one was made impossible before the second");
}

#[test]
fn a_new_primary_that_lacks_acknowledged_batches_is_told_on() {
    let mut play = Play::new(1, Fates::Script([].into()), Mutation::None);
    for number in 0..5 {
        play.call(0, vec![Kind::Add(vec![counter(number)])]);
    }
    play.server.lock().fail_over(2);
    *play.fates.lock() = Fates::Script([Fate::Unheard].into());
    play.call(0, vec![Kind::Set("\"s\"".to_owned())]);
    play.finish();
    let heard = play.clients[0].heard.0.lock().join("\n");
    assert!(heard.contains("\"event\":\"lostWrites\""), "{heard}");
    assert!(heard.contains("\"keys\":[\"c3\",\"c4\"]"), "{heard}");
    assert_eq!(heard.matches("lostWrites").count(), 1, "{heard}");
    assert!(
        heard.contains("\"event\":\"connectionLost\"") && heard.contains("\"event\":\"reconnect\""),
        "{heard}"
    );
}

#[test]
fn a_batch_that_only_the_primary_has_is_acknowledged_and_told_on() {
    let fates = [Fate::Fine, Fate::Fine, Fate::Unanswered];
    for script in [Vec::new(), fates.to_vec()] {
        let mut play = Play::new(1, Fates::Script(script.into()), Mutation::None);
        play.server.lock().give_up_waiting();
        play.call(0, vec![Kind::Add(vec![counter(0)])]);
        play.finish();
        assert_eq!(play.calls[0].answer.as_ref().map(|(_, settled)| settled), Some(&Settled::Done(None)));
        let heard = play.clients[0].heard.0.lock().join("\n");
        assert!(
            heard.contains("\"event\":\"notReplicated\"") && heard.contains("\"keys\":[\"c0\"]"),
            "{heard}"
        );
    }
}

/// Calls come one after the other, without a pause, while the server is away for longer than a call waits; then it is
/// there, and takes a while for each answer.
#[test]
fn calls_that_come_all_the_time_reach_a_server_that_is_back_and_slow() {
    let mut play = Play::new(1, Fates::Script(vec![Fate::Unheard; 10_000].into()), Mutation::None);
    let passed_ms = |play: &Play| play.clocks[0].outsider().monotonic_us() / 1000;
    let begun_ms = passed_ms(&play);
    while passed_ms(&play) < begun_ms + 2 * TIMEOUT_MS {
        play.call(0, vec![Kind::Add(vec![counter(0)])]);
        play.clocks[0].advance_ms(10);
    }
    *play.fates.lock() = Fates::Script(vec![Fate::Slow(100); 10_000].into());
    let first = play.calls.len();
    while passed_ms(&play) < begun_ms + 5 * TIMEOUT_MS {
        play.call(0, vec![Kind::Add(vec![counter(0)])]);
        play.clocks[0].advance_ms(10);
    }
    let is_done = |call: &Call| matches!(call.answer, Some((_, Settled::Done(_))));
    let done = play.calls[first..].iter().filter(|call| is_done(call)).count();
    assert!(2 * done > play.calls.len() - first, "{done} of {}", play.calls.len() - first);
    play.finish();
    play.check().unwrap_or_else(|what| panic!("{what}"));
}

#[test]
fn an_end_that_gave_up_takes_no_time_from_the_next_one() {
    let mut play = Play::new(1, Fates::Script(vec![Fate::Unheard; 10_000].into()), Mutation::None);
    let patience = play.clients[0].patience();
    patience.end();
    for _ in 0..10 {
        play.call(0, vec![Kind::Add(vec![counter(0)])]);
        for _ in 0..20 {
            play.clients[0].tick(&mut play.calls);
            play.clocks[0].advance_ms(TIMEOUT_MS / 100);
        }
    }
    assert!(patience.is_over(patience.waited_us()), "it has given up");
    assert!(play.open_calls().is_empty());
    patience.ended();
    *play.fates.lock() = Fates::Script([].into());
    play.call(0, vec![Kind::Add(vec![counter(0)])]);
    play.finish();
    // The server answered since. Another end begins, and one connection breaks.
    patience.end();
    *play.fates.lock() = Fates::Script([Fate::Unheard].into());
    play.call(0, vec![Kind::Add(vec![counter(0)])]);
    play.finish();
    assert_eq!(play.calls[11].answer.as_ref().map(|(_, settled)| settled), Some(&Settled::Done(None)));
}

#[test]
fn what_a_thread_called_before_it_ended_does_not_wait_for_a_function_of_it() {
    let mut play = Play::new(1, Fates::Script(vec![Fate::Unheard; 5].into()), Mutation::None);
    // The value is not known, so the function would be called once the server is there.
    play.call(0, vec![Kind::Update(counter(0)), Kind::Set("\"s\"".to_owned()), Kind::Note]);
    play.clients[0].end_thread();
    play.call(0, vec![Kind::Get("\"s\"".to_owned()), Kind::Add(vec![counter(1)])]);
    play.finish();
    let server = play.server.lock();
    let entries: Vec<_> = server.applied().iter().flat_map(|commit| &commit.entries).collect();
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_deref()).collect();
    assert_eq!(keys, [Some("\"s\""), None, Some("\"c1\"")], "the order of the calls, without the update");
}

/// The function of an update runs while its thread ends: what was held for its next try goes on, before what the thread
/// called later.
#[test]
fn what_was_held_for_a_thread_that_ended_comes_before_its_later_calls() {
    let mut play = Play::new(1, Fates::Script([].into()), Mutation::None);
    play.clients[0].call_without_answers(&mut play.calls, vec![Kind::Update(counter(0)), Kind::Note]);
    *play.fates.lock() = Fates::Script(vec![Fate::Unheard; 20].into());
    play.clients[0].switch_thread();
    play.call(0, vec![Kind::Remove("\"r\"".to_owned())]);
    play.clients[0].switch_thread();
    // The server is away, so this one waits with what was held.
    play.clients[0].call_without_answers(&mut play.calls, vec![Kind::Set("\"s\"".to_owned())]);
    play.clients[0].end_thread();
    play.call(0, vec![Kind::Add(vec![counter(1)])]);
    play.finish();
    let server = play.server.lock();
    let entries: Vec<_> = server.applied().iter().flat_map(|commit| &commit.entries).collect();
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_deref()).collect();
    let own: Vec<_> = keys.into_iter().filter(|key| *key != Some("\"r\"")).collect();
    assert_eq!(own, [None, Some("\"s\""), Some("\"c1\"")]);
}

/// A connection breaks in a commit, its caller gives up, and then the server refuses for good.
#[test]
fn a_refusal_that_lasts_reaches_calls_behind_a_batch_of_which_nobody_waits() {
    let script = [Fate::Fine, Fate::Fine, Fate::Unanswered].into_iter().chain(vec![Fate::Unheard; 300]);
    let mut play = Play::new(1, Fates::Script(script.collect()), Mutation::None);
    play.call(0, vec![Kind::Add(vec![counter(0)])]);
    play.clocks[0].advance_ms(TIMEOUT_MS + 1);
    play.clients[0].tick(&mut play.calls);
    assert_eq!(play.calls[0].answer.as_ref().map(|(_, settled)| settled), Some(&Settled::Unknown));
    *play.fates.lock() = Fates::Script(vec![Fate::Refused; 1000].into());
    play.clocks[0].advance_ms(2_000);
    play.call(0, vec![Kind::Add(vec![counter(0)])]);
    assert_eq!(play.calls[1].answer.as_ref().map(|(_, settled)| settled), Some(&Settled::NotDone), "at once");
    // The refusal is over: the first batch is settled before anything else.
    play.clocks[0].advance_ms(2_000);
    play.call(0, vec![Kind::Add(vec![counter(0)])]);
    play.finish();
    play.check().unwrap_or_else(|what| panic!("{what}"));
}
