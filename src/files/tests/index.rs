//! The index of a log: what is trusted when, row by row of the table in `index_file`, and every byte of it damaged.
//!
//! Whether an index was used shows in a line that no value lies in: damage to it is seen by a replay alone.

use super::reference::quoted;
use super::support::{Bench, INDEX, LOG, MIRROR, Session, set_line};
use crate::error::Code;
use crate::files::job::JobDone;
use crate::files::options::FsyncMode;
use crate::store::answer::Answer;
use crate::store::collection;
use crate::store::query::Query;
use crate::store::request::Work;

const STATE: &str = r#"{"7":7,"a":"two","é":"ü","c":{"x":[1,2]}}"#;

/// A log with all kinds of lines. Its first value, `"one"`, lies in a line of its own that counts for nothing any more.
fn fill(session: &mut Session) {
    session.set("a", "\"one\"");
    session.set("b", "[1,2]");
    session.set("a", "\"two\"");
    session.set("é", "\"ü\"");
    session.delete("b");
    session.append("c", "{\"x\":[1,2]}");
    session.set("7", "7");
}

fn indexed() -> Bench {
    let mut bench = Bench::new();
    bench.options.fsync = FsyncMode::Always;
    let mut session = bench.open();
    fill(&mut session);
    assert_eq!(session.state(), STATE);
    session.end();
    assert!(bench.exists(INDEX));
    assert_eq!(bench.take_notices(), [""; 0]);
    bench
}

/// Damages the line that counts for nothing, keeping its length.
fn damage_dead_line(bench: &Bench) {
    let text = bench.text(LOG).replacen("\"one\"", "\"0ne\"", 1);
    assert!(text.contains("0ne"));
    bench.write(LOG, text);
}

/// The state, and whether a damaged line was seen.
fn opened(bench: &Bench) -> (String, bool) {
    let mut session = bench.open();
    let state = session.state();
    session.crash();
    let notices = bench.take_notices();
    (state, notices.contains(&"PS_LOG_DAMAGED"))
}

#[test]
fn a_log_that_has_grown_is_read_by_its_index() {
    let bench = indexed();
    damage_dead_line(&bench);
    bench.append(LOG, &set_line("d", "4"));
    let state = STATE.replace("}}", "},\"d\":4}");
    assert_eq!(opened(&bench), (state.clone(), false));
    bench.remove(INDEX);
    assert_eq!(opened(&bench), (state, true), "without the index");
}

#[test]
fn a_start_writes_nothing_and_a_clean_end_renews_the_index() {
    let bench = indexed();
    let before = bench.read(INDEX);
    let contents = bench.contents();
    assert_eq!(opened(&bench), (STATE.to_owned(), false));
    assert_eq!(bench.contents(), contents);
    let mut session = bench.open();
    session.set("d", "4");
    session.end();
    assert_ne!(bench.read(INDEX), before);
    damage_dead_line(&bench);
    bench.append(LOG, &set_line("e", "5"));
    assert_eq!(opened(&bench), (STATE.replace("}}", "},\"d\":4,\"e\":5}"), false));
}

#[test]
fn a_compaction_moves_the_values_and_the_index_follows() {
    let bench = indexed();
    let mut session = bench.open();
    session.set("a", "\"three\"");
    session.compact();
    session.set("d", "[]");
    session.set("d", "{}");
    session.end();
    let state = STATE.replace("two", "three").replace("}}", "},\"d\":{}}");
    bench.write(LOG, bench.text(LOG).replace("[],\"_crc", "{ ,\"_crc"));
    bench.append(LOG, &set_line("e", "5"));
    assert_eq!(opened(&bench), (state.replace("{}}", "{},\"e\":5}"), false));
}

#[test]
fn damage_is_not_passed_over_where_it_is_to_be_refused() {
    let bench = indexed().refusing();
    damage_dead_line(&bench);
    bench.append(LOG, &set_line("d", "4"));
    assert_eq!(bench.open().try_state(), Err(Code::LogCorrupt));
}

#[test]
fn an_index_that_does_not_fit_is_none() {
    let rows: [(&str, fn(&Bench)); 7] = [
        ("no index", |bench| bench.remove(INDEX)),
        ("an empty one", |bench| bench.write(INDEX, "")),
        ("another version", |bench| {
            let mut bytes = bench.read(INDEX).expect("an index");
            bytes[7] = b'2';
            bench.write(INDEX, bytes);
        }),
        ("a log of the same length", |_| {}),
        ("another file", |bench| {
            bench.append(LOG, &set_line("d", "4"));
            bench.replace(LOG, bench.read(LOG).expect("a log"));
            bench.write(
                LOG,
                bench.text(LOG).replace(&String::from_utf8_lossy(&set_line("d", "4")).into_owned(), ""),
            );
        }),
        ("a value that was changed", |bench| {
            bench.append(LOG, b"\n");
            let text = bench.text(LOG).replace("\"two\"", "\"tvo\"");
            bench.write(LOG, text);
        }),
        ("other bytes at the end", |bench| {
            let text = bench.text(LOG);
            let cut = text.trim_end().rfind('\n').expect("lines") + 1;
            bench.write(
                LOG,
                format!("{}{}", &text[..cut], String::from_utf8_lossy(&set_line("7", "7")).repeat(2)),
            );
        }),
    ];
    for (row, change) in rows {
        let bench = indexed();
        damage_dead_line(&bench);
        change(&bench);
        let (state, is_seen) = opened(&bench);
        assert!(is_seen, "{row}: by a replay");
        // The mirror still has what is damaged; it comes behind the rest.
        let of_mirror = r#"{"7":7,"é":"ü","c":{"x":[1,2]},"a":"two"}"#;
        assert_eq!(state, if row == "a value that was changed" { of_mirror } else { STATE }, "{row}");
    }
}

/// Behind the end that the index names there must be whole lines and nothing else.
#[test]
fn what_is_not_plain_is_replayed() {
    for behind in [&b"{\"op\":\"SET\""[..], b"\0\0\0", b"garbage\n", &set_line("d", "4")[..60]] {
        let bench = indexed();
        damage_dead_line(&bench);
        bench.append(LOG, behind);
        let mut session = bench.open();
        assert_eq!(session.state(), STATE);
        session.crash();
        assert!(bench.take_notices().contains(&"PS_LOG_DAMAGED"), "{behind:?}");
    }
}

#[test]
fn every_byte_of_it_may_be_damaged_and_it_may_end_anywhere() {
    let bench = indexed();
    let index = bench.read(INDEX).expect("an index");
    damage_dead_line(&bench);
    bench.append(LOG, &set_line("d", "4"));
    let state = STATE.replace("}}", "},\"d\":4}");
    let check = |bytes: &[u8], what: &str| {
        bench.write(INDEX, bytes);
        assert_eq!(opened(&bench), (state.clone(), true), "{what}");
    };
    for at in 0..index.len() {
        let mut damaged = index.clone();
        damaged[at] ^= 0x10;
        check(&damaged, &format!("byte {at}"));
        check(&index[..at], &format!("{at} bytes"));
    }
    check(&[&index[..], b"x"].concat(), "a byte more");
    bench.write(INDEX, &index);
    assert_eq!(opened(&bench), (state, false), "as it was");
}

/// Times at which keys are over, an edit, and values that the log spells otherwise.
#[test]
fn all_of_the_state_is_in_it() {
    let mut bench = Bench::new();
    bench.options.fsync = FsyncMode::Always;
    let line = "{\"timestamp\":\"2026-01-02T03:04:05.678Z\",\"op\":\"SET\",\"key\":\"spelt\",\"value\":{ \"x\" : 1 }}\n";
    let expiring = "\"value\":5,\"_expires\":99999999999999";
    let end = format!(
        "{{\"timestamp\":\"2026-01-02T03:04:05.678Z\",\"op\":\"SET\",\"key\":\"ends\",{expiring}}}\n"
    );
    bench.write(LOG, format!("{line}{end}"));
    let mut session = bench.open();
    session.set("dead", "\"one\"");
    session.set("dead", "2");
    bench.write(MIRROR, "{\"spelt\":{\"x\":1},\"ends\":5,\"dead\":2,\"edited\":3}");
    session.set("z", "0");
    let state = session.state();
    session.end();
    bench.take_notices();
    damage_dead_line(&bench);
    bench.append(LOG, &set_line("y", "1"));
    let mut session = bench.open();
    assert_eq!(session.state(), state.replace("\"z\":0", "\"z\":0,\"y\":1"));
    let ends = session.call(Work::Read(Query::ExpiresAt("\"ends\"".into())));
    assert!(
        matches!(ends, Ok(Answer::Number(end)) if end.to_bits() == 99_999_999_999_999_f64.to_bits()),
        "{ends:?}"
    );
    session.crash();
    assert_eq!(bench.take_notices(), [""; 0], "by the index");
}

/// What a killed process leaves of one is swept up by the next that writes.
#[test]
fn an_index_that_was_not_finished_is_swept_up() {
    let mut bench = Bench::new();
    bench.options.fsync = FsyncMode::Always;
    let mut session = bench.open();
    session.send(vec![collection::set(&quoted("a"), &quoted(&"x".repeat(3000)))]);
    let done = session.run_job_beside();
    assert!(matches!(done, Some(JobDone::Index(_))));
    drop(done);
    session.crash();
    let temporaries = |bench: &Bench| {
        bench.contents().into_keys().filter(|path| path.extension().is_some_and(|it| it == "tmp")).count()
    };
    assert_eq!(temporaries(&bench), 1);
    let mut session = bench.open();
    session.set("b", "1");
    assert_eq!(temporaries(&bench), 0);
    session.end();
}

/// Its index would not tell a later start that the log has such lines, which another process would then take for news.
#[test]
fn a_log_with_what_damage_had_lost_has_none_until_it_is_compacted() {
    let bench = indexed();
    bench.write(LOG, bench.text(LOG).replacen("\"two\"", "\"tw0\"", 1));
    bench.remove(INDEX);
    let mut session = bench.open();
    session.set("d", "4");
    session.end();
    let notices = bench.take_notices();
    assert!(notices.contains(&"PS_RECOVERED_FROM_MIRROR"), "{notices:?}");
    assert!(bench.text(LOG).contains("_memory"));
    assert!(!bench.exists(INDEX));
    let mut session = bench.open();
    session.compact();
    session.end();
    let mut session = bench.open();
    session.set("e", "5");
    session.end();
    assert!(bench.exists(INDEX));
}
