//! Random histories of two processes on one folder, with crashes, clean ends and the hands of a person,
//! against a model that knows only the contract.
//!
//! ```text
//! model   logged    what the log comes to
//!         edit      what the mirror showed, and shows since somebody changed it; not logged yet
//!         state     logged with the difference of the two applied
//! ```
//!
//! After each step: the process that took it sees the model's state, in content and order; the log comes
//! to what was logged, by the reference replay; the mirror is whole, and current while it is small. The
//! other process looks only when it takes a step itself, so it lags behind as real ones do.

use std::mem;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::reference::{Ordered, base_after_crash, base_of_edit, quoted, replay};
use super::support::{Bench, LOG, MIRROR, RECORD, Session, TIME, append_text, property_config, set_many};
use crate::store::answer::Answer;
use crate::store::collection;
use crate::store::request::Work;

/// Keys of every kind that JavaScript orders or escapes in its own way.
const KEYS: [&str; 8] = ["a", "b", "10", "7", "007", "__proto__", "é \"\\\n", "4294967295"];
const SMALL_VALUES: [&str; 6] = ["1", "2", "{\"n\":1,\"b\":[]}", "[1,{\"x\":\"}],\"}]", "\"é\\n\"", "null"];
/// What makes a mirror a large one, alone or in twos.
const BIG_BYTES: [usize; 3] = [30_000, 40_000, 66_000];
const SMALL_MIRROR_BYTES: usize = 64 << 10;

fn value_of(number: usize) -> String {
    match SMALL_VALUES.get(number) {
        Some(value) => (*value).to_owned(),
        None => format!("\"{}\"", "x".repeat(BIG_BYTES[number - SMALL_VALUES.len()])),
    }
}

/// One call that writes. Keys and values by their numbers.
#[derive(Clone, Debug)]
enum Write {
    Set(usize, usize),
    Many(Vec<(usize, usize)>),
    Append(usize, usize),
    AppendDelete(usize),
    /// A SET without a value.
    AppendVoid(usize),
    /// An entry that changes nothing.
    AppendNote,
    Delete(usize),
    Clear,
}

#[derive(Clone, Debug)]
enum Step {
    /// Calls of one batch.
    Writes(Vec<Write>),
    /// A compaction, and what both processes write before its result is taken.
    Compact(Vec<(bool, Write)>),
    /// The time for a large mirror has come; the same.
    Tick(Vec<(bool, Write)>),
    End,
    Crash,
    /// Somebody edits the mirror: keys set, or removed. In place, or by another file.
    Edit(Vec<(usize, Option<usize>)>, bool),
    /// Both processes end (in order or not), files are changed, both start again.
    Restart {
        is_clean: bool,
        torn_bytes: usize,
        edit: Vec<(usize, Option<usize>)>,
    },
    RemoveMirror,
    RemoveLog,
    RemoveBoth,
}

fn key() -> impl Strategy<Value = usize> {
    0..KEYS.len()
}

fn value() -> impl Strategy<Value = usize> {
    prop_oneof![30 => 0..SMALL_VALUES.len(), 1 => SMALL_VALUES.len()..SMALL_VALUES.len() + BIG_BYTES.len()]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        8 => (key(), value()).prop_map(|(key, value)| Write::Set(key, value)),
        2 => vec((key(), value()), 1..5).prop_map(Write::Many),
        3 => (key(), value()).prop_map(|(key, value)| Write::Append(key, value)),
        1 => key().prop_map(Write::AppendDelete),
        1 => key().prop_map(Write::AppendVoid),
        1 => Just(Write::AppendNote),
        4 => key().prop_map(Write::Delete),
        1 => Just(Write::Clear),
    ]
}

fn edits() -> impl Strategy<Value = Vec<(usize, Option<usize>)>> {
    vec((key(), proptest::option::weighted(0.7, value())), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let between = || vec((any::<bool>(), write()), 0..3);
    prop_oneof![
        12 => vec(write(), 1..4).prop_map(Step::Writes),
        3 => between().prop_map(Step::Compact),
        3 => between().prop_map(Step::Tick),
        1 => Just(Step::End),
        1 => Just(Step::Crash),
        4 => (edits(), any::<bool>()).prop_map(|(edits, in_place)| Step::Edit(edits, in_place)),
        3 => (any::<bool>(), 0_usize..60, proptest::option::of(edits())).prop_map(
            |(is_clean, torn_bytes, edit)| Step::Restart {
                is_clean,
                torn_bytes: torn_bytes.saturating_sub(20),
                edit: edit.unwrap_or_default(),
            }
        ),
        1 => Just(Step::RemoveMirror),
        1 => Just(Step::RemoveLog),
        1 => Just(Step::RemoveBoth),
    ]
}

/// What somebody changed in the mirror and nobody has logged.
#[derive(Clone, Debug)]
struct Edit {
    base: Ordered,
    shown: Ordered,
}

/// See the header of this file.
#[derive(Default, Debug)]
struct Model {
    logged: Ordered,
    /// What the processes remember of a log that is gone, until it is logged again.
    memory: Option<Ordered>,
    edit: Option<Edit>,
    /// The mirror with the edit that was logged last, as long as nobody wrote another one.
    taken_over: Option<Ordered>,
    /// The last that was written is a clean end.
    is_clean: bool,
}

impl Model {
    fn state(&self) -> Ordered {
        let mut state = self.memory.as_ref().unwrap_or(&self.logged).clone();
        if let Some(edit) = &self.edit {
            state.apply(&edit.base.changes_to(&edit.shown));
        }
        state
    }

    /// With any write, also one that changes nothing, an edit that was found is logged first.
    fn log_edit(&mut self) {
        self.logged = self.state();
        self.memory = None;
        self.taken_over = self.edit.take().map(|edit| edit.shown).or(self.taken_over.take());
        self.is_clean = false;
    }

    /// The mirror's content changes under a running process.
    fn edited(&mut self, logs: &[Vec<u8>], before: &Ordered, shown: Ordered) {
        let base = match self.edit.take() {
            // A further edit goes on from the one before, and both have the same base.
            Some(edit) => match base_of_edit(logs, &edit.shown, &shown) {
                base if base == edit.shown => edit.base,
                base => base,
            },
            None => base_of_edit(logs, before, &shown),
        };
        self.edit = (!base.changes_to(&shown).is_empty()).then_some(Edit { base, shown });
        if self.memory.is_some() {
            // The edit is a part of what is remembered.
            self.memory = Some(self.state());
            self.edit = None;
        } else if self.state() == self.logged {
            // All of it is there already, so it is over.
            self.edit = None;
        }
    }

    /// A process starts where none is running.
    fn started(&mut self, logs: &[Vec<u8>], mirror: Option<Ordered>) {
        self.edit = None;
        self.memory = None;
        let Some(shown) = mirror.filter(|shown| self.taken_over.as_ref() != Some(shown)) else { return };
        let base = if self.is_clean {
            base_of_edit(logs, &self.logged, &shown)
        } else {
            base_after_crash(logs, None, &shown)
        };
        // Without a log the mirror is all there is.
        let base = if logs.last().is_some_and(Vec::is_empty) { Ordered::default() } else { base };
        self.edit = (!base.changes_to(&shown).is_empty()).then_some(Edit { base, shown });
    }
}

struct World {
    bench: Bench,
    sessions: [Session; 2],
    /// Which sessions wrote something since they began.
    has_written: [bool; 2],
    /// There are bytes behind the log's last line.
    is_torn: bool,
    model: Model,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        let sessions = [bench.open(), bench.open()];
        let mut world =
            Self { bench, sessions, has_written: [false; 2], is_torn: false, model: Model::default() };
        world.look();
        world
    }

    /// Both processes look at the files.
    fn look(&mut self) {
        for session in &mut self.sessions {
            session.state();
        }
    }

    fn mirror(&self) -> Option<Ordered> {
        Ordered::parse(&self.bench.text(MIRROR))
    }

    /// The log without a torn tail.
    fn log(&self) -> Vec<u8> {
        let mut log = self.bench.read(LOG).unwrap_or_default();
        if self.is_torn {
            let end = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            log.truncate(end);
        }
        log
    }

    /// The log, and before it the backups, oldest first, if it goes on from them.
    fn logs(&self) -> Vec<Vec<u8>> {
        let log = self.log();
        let has_past = log.starts_with(b"{\"op\":\"CHECKPOINT\"");
        let mut logs = if has_past { self.bench.numbered("logs/players.log.backup.") } else { Vec::new() };
        logs.push(log);
        logs
    }

    fn is_small(&self) -> bool {
        self.model.logged.pretty().len() <= SMALL_MIRROR_BYTES
    }

    /// Does writes as one batch. True when there was something to write.
    fn write(&mut self, who: usize, writes: &[Write]) -> bool {
        let mut has_lines = false;
        let mut works = Vec::new();
        for write in writes {
            works.push(work(write));
            let state = self.model.state();
            let changes_nothing = match write {
                Write::Delete(key) => state.get(KEYS[*key]).is_none(),
                Write::Clear => state.in_order().is_empty(),
                _ => false,
            };
            if !changes_nothing || self.model.edit.is_some() || self.model.memory.is_some() {
                has_lines = true;
                self.model.log_edit();
                apply(write, &mut self.model.logged);
            }
        }
        let calls = self.sessions[who].send(works);
        for call in calls {
            self.sessions[who].answer(call).expect("an answer").expect("a success");
        }
        if has_lines {
            self.has_written[who] = true;
            self.is_torn = false;
        }
        has_lines
    }

    fn write_between(&mut self, who: usize, writes: &[(bool, Write)]) {
        for (is_other, write) in writes {
            let writer = if *is_other { 1 - who } else { who };
            self.write(writer, std::slice::from_ref(write));
        }
    }

    /// Does one step.
    fn take(&mut self, who: usize, step: &Step) -> TestCaseResult {
        match step {
            Step::Writes(writes) => {
                if self.write(who, writes) && self.is_small() {
                    self.bench.assert_files_hold(&self.model.logged.text(), "after a write");
                }
            }
            Step::Compact(between) => {
                let call = self.sessions[who].send(vec![Work::Compact])[0];
                self.model.log_edit();
                self.is_torn = false;
                let done = self.sessions[who].run_job_beside().expect("a compaction");
                self.write_between(who, between);
                self.sessions[who].deliver(done);
                self.sessions[who].run_jobs();
                let answer = self.sessions[who].answer(call).expect("an answer").expect("a success");
                prop_assert!(matches!(answer, Answer::Bool(true)));
                self.model.is_clean = false;
                self.has_written[who] = true;
            }
            Step::Tick(between) => {
                self.sessions[who].tick();
                if self.model.memory.is_some() && self.has_written[who] {
                    // Whoever wrote to a lost log writes it again soon.
                    self.model.log_edit();
                }
                if let Some(done) = self.sessions[who].run_job_beside() {
                    self.write_between(who, between);
                    self.sessions[who].deliver(done);
                    self.model.is_clean = false;
                }
            }
            Step::End => self.end(who),
            Step::Crash => self.crash(who),
            Step::Edit(edits, in_place) => {
                // What a process makes of an edit of a mirror that lags, and that it never saw, is a guess.
                // So both look at such a mirror before and after.
                let lags = self.mirror().is_some_and(|shown| shown != self.model.logged);
                let lags = lags || self.model.memory.is_some();
                if lags {
                    self.look();
                }
                if let Some((before, shown)) = self.edit_by_hand(edits, *in_place) {
                    self.model.edited(&self.logs(), &before, shown);
                }
                if lags {
                    self.look();
                }
            }
            Step::Restart { is_clean, torn_bytes, edit } => self.restart(*is_clean, *torn_bytes, edit),
            Step::RemoveMirror => self.remove(false, true),
            Step::RemoveLog => self.remove(true, false),
            Step::RemoveBoth => self.remove(true, true),
        }
        Ok(())
    }

    /// A session ends, another one begins in its place and looks.
    fn end(&mut self, who: usize) {
        self.log_edit_by(1 - who);
        let next = self.bench.open();
        mem::replace(&mut self.sessions[who], next).end();
        let has_data = self.bench.exists(LOG) || self.bench.exists(MIRROR);
        if mem::take(&mut self.has_written[who]) && has_data {
            self.model.log_edit();
            self.is_torn = false;
            // Without a log, a mirror of nothing was written at most.
            self.model.is_clean = self.bench.exists(LOG);
        }
        self.sessions[who].state();
    }

    fn crash(&mut self, who: usize) {
        self.log_edit_by(1 - who);
        let next = self.bench.open();
        mem::replace(&mut self.sessions[who], next).crash();
        self.has_written[who] = false;
        self.sessions[who].state();
    }

    /// Who starts while another process runs cannot know that an edit was made since that one started, so
    /// the one that runs logs it.
    fn log_edit_by(&mut self, who: usize) {
        if self.model.edit.is_some() || self.model.memory.is_some() {
            self.write(who, &[Write::AppendNote]);
        }
    }

    /// Both processes end, somebody does something, both start again and look.
    fn restart(&mut self, is_clean: bool, torn_bytes: usize, edits: &[(usize, Option<usize>)]) {
        if is_clean {
            self.end(0);
            self.end(1);
        }
        // Those that only looked end without a trace. Those that did not end in order were killed.
        self.sessions = [self.bench.open(), self.bench.open()];
        self.has_written = [false; 2];
        let base = self.model.edit.as_ref().map(|edit| edit.base.clone()).or_else(|| self.mirror());
        self.note_other_mirror();
        if torn_bytes > 0 && self.bench.exists(LOG) {
            self.bench.append(LOG, &torn_line()[..torn_bytes]);
            self.is_torn = true;
        }
        self.edit_by_hand(edits, true);
        let logs = self.logs();
        self.model.started(&logs, self.mirror());
        if let (false, Some(last), Some(shown)) = (self.model.is_clean, base, self.mirror())
            && last != shown
        {
            // Where a record tells of the last mirror, that is a candidate too. And where the nearest state is not the
            // one that was edited, what was really edited is right.
            let guessed = self.model.edit.take();
            let with_record = base_after_crash(&logs, Some(&last), &shown);
            let found = self.sessions[0].state();
            let of_logged = base_after_crash(&logs, Some(&self.model.logged), &shown);
            let right = [with_record, last, of_logged]
                .into_iter()
                .map(|base| Some(Edit { base, shown: shown.clone() }))
                .find(|edit| {
                    self.model.edit.clone_from(edit);
                    self.model.state().text() == found
                });
            self.model.edit = right.unwrap_or(guessed).filter(|edit| edit.base != edit.shown);
        }
        self.look();
    }

    /// Edits the mirror where there is one: what it showed and what it shows.
    fn edit_by_hand(&self, edits: &[(usize, Option<usize>)], in_place: bool) -> Option<(Ordered, Ordered)> {
        let before = self.mirror()?;
        let mut shown = before.clone();
        for (key, value) in edits {
            match value {
                Some(value) => shown.set(KEYS[*key], &value_of(*value)),
                None => shown.remove(KEYS[*key]),
            }
        }
        if before == shown {
            return None;
        }
        let text = by_hand(&shown);
        if in_place {
            self.bench.write(MIRROR, text);
        } else {
            self.bench.replace(MIRROR, text);
        }
        Some((before, shown))
    }

    fn remove(&mut self, log: bool, mirror: bool) {
        if mirror && self.bench.exists(MIRROR) {
            self.bench.remove(MIRROR);
            self.model.edit = None;
            if self.model.memory.is_some() {
                // Both files are gone now.
                self.model = Model::default();
            }
        }
        if log && self.bench.exists(LOG) {
            // Memory is the newest truth, so both have all of it.
            self.look();
            self.bench.remove(LOG);
            self.is_torn = false;
            // A large mirror may not have been there yet.
            let is_alone = self.bench.exists(MIRROR) || !self.bench.exists(RECORD);
            let memory = is_alone.then(|| self.model.state());
            self.model = Model { memory, ..Model::default() };
            self.look();
        }
    }

    fn note_other_mirror(&mut self) {
        if self.model.taken_over.is_some() && self.mirror() != self.model.taken_over {
            self.model.taken_over = None;
        }
    }

    /// Checks all that must hold after a step of `who`.
    fn check(&mut self, who: usize) -> TestCaseResult {
        self.note_other_mirror();
        prop_assert_eq!(self.sessions[who].state(), self.model.state().text(), "what the process sees");
        prop_assert_eq!(replay(&self.log()).text(), self.model.logged.text(), "what the log comes to");
        let mirror = self.bench.text(MIRROR);
        prop_assert!(mirror.is_empty() || self.mirror().is_some(), "the mirror is {mirror:?}");
        Ok(())
    }

    /// At last all is written, and each file alone has all of it.
    fn check_end(mut self) -> TestCaseResult {
        for who in [0, 1] {
            self.check(who)?;
        }
        self.write(0, &[Write::Set(0, 0)]);
        for who in [0, 1] {
            self.end(who);
            self.check(who)?;
        }
        self.bench.assert_files_hold(&self.model.logged.text(), "at last");
        Ok(())
    }
}

/// The mirror as a person might leave it.
fn by_hand(content: &Ordered) -> String {
    let members: Vec<String> =
        content.in_order().iter().map(|(key, value)| format!("\t{} :{value}", quoted(key))).collect();
    format!("{{\r\n{}}}\n\n", members.join(",\r\n"))
}

fn torn_line() -> Vec<u8> {
    append_text("torn", "{\"n\":1}").into_bytes()
}

fn work(write: &Write) -> Work {
    match write {
        Write::Set(key, value) => collection::set(&quoted(KEYS[*key]), &value_of(*value)),
        Write::Many(members) => {
            let named = |(key, value): &(usize, usize)| (KEYS[*key].to_owned(), value_of(*value));
            set_many(&members.iter().map(named).collect::<Vec<_>>())
        }
        Write::Append(key, value) => Work::Append(append_text(KEYS[*key], &value_of(*value))),
        Write::AppendDelete(key) => {
            let key = quoted(KEYS[*key]);
            Work::Append(format!("{{\"timestamp\":\"{TIME}\",\"op\":\"DELETE\",\"key\":{key}"))
        }
        Write::AppendVoid(key) => {
            let key = quoted(KEYS[*key]);
            Work::Append(format!("{{\"timestamp\":\"{TIME}\",\"key\":{key},\"op\":\"SET\""))
        }
        Write::AppendNote => Work::Append("{\"timestamp\":0,\"op\":\"NOTE\",\"key\":\"a\"".to_owned()),
        Write::Delete(key) => collection::delete(quoted(KEYS[*key])),
        Write::Clear => collection::clear(),
    }
}

fn apply(write: &Write, state: &mut Ordered) {
    match write {
        Write::Set(key, value) | Write::Append(key, value) => state.set(KEYS[*key], &value_of(*value)),
        Write::Many(members) => {
            for (key, value) in members {
                state.set(KEYS[*key], &value_of(*value));
            }
        }
        Write::AppendDelete(key) | Write::AppendVoid(key) | Write::Delete(key) => state.remove(KEYS[*key]),
        Write::AppendNote => {}
        Write::Clear => *state = Ordered::default(),
    }
}

proptest! {
    #![proptest_config(property_config(150))]

    #[test]
    fn any_history_leads_to_what_the_contract_says(
        steps in vec((0_usize..2, step()), 1..25)
    ) {
        let mut world = World::new();
        for (who, step) in &steps {
            world.take(*who, step)?;
            world.check(*who)?;
        }
        world.check_end()?;
    }
}
