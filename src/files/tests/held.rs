//! Calls that wait because an earlier call of the same caller has to make a further try: they go on, whatever
//! becomes of that try.

use super::reference::quoted;
use super::support::{Bench, LOG, Session, set_line};
use crate::data::change::Change;
use crate::data::state::Member;
use crate::error::Code;
use crate::store::answer::Answer;
use crate::store::collection;
use crate::store::request::Expected;
use crate::store::request::Replace;
use crate::store::request::Work;

/// An update of a caller who does not know the value yet; a call of his waits behind it.
fn conflict(session: &mut Session) -> usize {
    let (keys, changes) = (vec![quoted("a")], Some(Vec::new()));
    let first = Replace { keys, expected: Expected::Unknown, changes, expiry: None, tries: 0 };
    let calls = session.send(vec![Work::Replace(first), collection::set(&quoted("b"), "2")]);
    let answer = session.answer(calls[0]).expect("an answer").expect("no error");
    assert!(matches!(answer, Answer::Conflict(_)), "{answer:?}");
    assert!(session.answer(calls[1]).is_none(), "the second call waits");
    calls[1]
}

fn again(value: &str) -> Work {
    let expected = Expected::Values(vec![Some("1".to_owned())]);
    let changes = Some(vec![Change::Set(Member::new(&quoted("a"), value))]);
    Work::Replace(Replace { keys: vec![quoted("a")], expected, changes, expiry: None, tries: 1 })
}

#[test]
fn a_further_try_on_a_log_that_is_refused_lets_the_others_go_on() {
    let bench = Bench::new().refusing();
    let mut session = bench.open();
    session.set("a", "1");
    let waiting = conflict(&mut session);
    let whole = bench.read(LOG).expect("a log");
    bench.append(LOG, b"damage\n");
    bench.append(LOG, &set_line("c", "3"));
    let tried = session.send(vec![again("5")])[0];
    let code =
        |answer: Option<crate::error::Result<Answer>>| answer.expect("an answer").expect_err("damage").code();
    assert_eq!(code(session.answer(tried)), Code::LogCorrupt);
    assert_eq!(code(session.answer(waiting)), Code::LogCorrupt);
    bench.write(LOG, whole);
    session.set("d", "4");
    assert_eq!(session.state(), r#"{"a":1,"d":4}"#);
}
