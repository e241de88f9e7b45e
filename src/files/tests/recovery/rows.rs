//! The rows: each kind of part at each place of a log, and several of them together.

use super::super::support::{TIME, old_set_line, ours, set_line, set_more_line};
use super::log_in_parts::Part::{Bad, End, Garbage, Good, Mark, Missing, Torn, Unended, Wrong};
use super::log_in_parts::{BOM, Part, Row};
use crate::data::state::Member;
use crate::files::log::encoder::{Encoder, end_line};

/// All rows, by name.
pub fn named() -> impl Iterator<Item = (String, Row)> {
    let groups: [fn() -> Vec<Row>; 8] =
        [whole, damaged_lines, wrong_breaks, torn_tails, operations, several, garbage, checkpoints];
    groups.into_iter().flat_map(|group| group()).map(|row| (row.name.to_owned(), row))
}

fn row(name: &'static str, parts: Vec<Part>, state: &'static str) -> Row {
    Row::new(name, parts, state)
}

/// Logs in which nothing is lost.
fn whole() -> Vec<Row> {
    let a = || set_line("a", "1");
    let delete = || ours(&format!("{{\"timestamp\":\"{TIME}\",\"op\":\"DELETE\",\"key\":\"a\"}}"));
    let spaced = b" { \"op\" : \"SET\", \"key\" : \"b\", \"value\" : { \"x\" : [ 1 ] } } \n".to_vec();
    vec![
        Row::without_log(),
        row("an empty log", vec![], "{}"),
        row("valid lines", vec![Good(a()), Good(set_line("b", "2"))], r#"{"a":1,"b":2}"#),
        row(
            "valid lines of the old module",
            vec![Good(old_set_line("a", "1")), Good(spaced)],
            r#"{"a":1,"b":{"x":[1]}}"#,
        ),
        row("a valid last line without its break", vec![Good(a()), Unended(unended(delete()))], "{}"),
        row("one line without its break", vec![Unended(unended(a()))], r#"{"a":1}"#),
        row(
            "a last line of the old module without its break",
            vec![Good(a()), Unended(unended(old_set_line("b", "2")))],
            r#"{"a":1,"b":2}"#,
        ),
        row("empty lines", vec![Good(b"\n \t\n".to_vec()), Good(a()), Good(b"\n\n".to_vec())], r#"{"a":1}"#),
        row("an empty last line without its break", vec![Good(a()), Unended(b"  ".to_vec())], r#"{"a":1}"#),
        row("line breaks of Windows", vec![Good([unended(a()), b"\r\n".to_vec()].concat())], r#"{"a":1}"#),
        row(
            "entries that change nothing",
            vec![Good(b"{\"op\":\"NOTE\",\"key\":\"a\"}\n{}\n".to_vec())],
            "{}",
        ),
        row(
            "an operation of two lines",
            vec![Good([set_more_line("a", "1", 1), set_line("b", "2")].concat())],
            r#"{"a":1,"b":2}"#,
        ),
        row("a byte order mark", vec![Mark, Good(a())], r#"{"a":1}"#),
        row("a byte order mark is all there is", vec![Mark], "{}"),
        row(
            "a byte order mark and an entry without its break",
            vec![Mark, Unended(unended(a()))],
            r#"{"a":1}"#,
        ),
    ]
}

/// Lines that cannot be used.
fn damaged_lines() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row("a flipped bit in the middle", vec![Good(a()), Bad(flipped("c")), Good(b())], r#"{"a":1,"b":2}"#),
        row("a flipped bit in the first line", vec![Bad(flipped("c")), Good(b())], r#"{"b":2}"#),
        row("a flipped bit in the last line", vec![Good(a()), Bad(flipped("c"))], r#"{"a":1}"#),
        row("damage is all there is", vec![Bad(flipped("c"))], "{}"),
        row(
            "damage in two places",
            vec![Bad(flipped("c")), Good(a()), Bad(flipped("d")), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "two damaged lines beside each other",
            vec![Good(a()), Bad(flipped("c")), Bad(flipped("d")), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row("a line that is no JSON", vec![Good(a()), Bad(b"what is this\n".to_vec())], r#"{"a":1}"#),
        row("a line that is another JSON value", vec![Bad(b"[1]\n".to_vec()), Good(a())], r#"{"a":1}"#),
        row(
            "a line cut in its middle",
            vec![Good(a()), Bad([torn(), b"\n".to_vec()].concat())],
            r#"{"a":1}"#,
        ),
        row("a line that is not UTF-8", vec![Bad(b"{\"a\":\"\xff\"}\n".to_vec()), Good(b())], r#"{"b":2}"#),
        row("a line of zeros", vec![Good(a()), Bad([vec![0; 100], b"\n".to_vec()].concat())], r#"{"a":1}"#),
        row(
            "damage that is longer than a read",
            vec![Good(a()), Bad(long_line()), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
    ]
}

/// Line breaks that are missing or damaged.
fn wrong_breaks() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row(
            "two lines without the break between them",
            vec![Good(a()), Unended(unended(b())), Good(set_line("c", "3")), Good(set_line("d", "4"))],
            r#"{"a":1,"b":2,"c":3,"d":4}"#,
        ),
        row(
            "three lines without the breaks between them, and damage",
            vec![
                Unended(unended(a())),
                Unended(unended(b())),
                Good(set_line("c", "3")),
                Bad(flipped("d")),
                Unended(unended(a())),
                Good(b()),
            ],
            r#"{"a":1,"b":2,"c":3}"#,
        ),
        row(
            "another byte in the place of a line break",
            vec![Good(a()), Good(unended(b())), Wrong(b'x'), Good(set_line("c", "3"))],
            r#"{"a":1,"b":2,"c":3}"#,
        ),
        row(
            "zeros in the place of a line break, and a torn tail behind them",
            vec![Good(a()), Good(unended(b())), Wrong(0), Torn([vec![0; 9], torn()].concat())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "another byte in the place of the last line break",
            vec![Good(a()), Good(unended(b())), Wrong(b'x')],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "damage behind a whole line, in its line",
            vec![Good(unended(a())), Wrong(b' '), Bad(flipped("c")), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
    ]
}

/// Ends that a crash left unfinished.
fn torn_tails() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row("a torn tail", vec![Good(a()), Torn(torn())], r#"{"a":1}"#),
        row("a torn tail is all there is", vec![Torn(torn())], "{}"),
        row("a tail of zeros", vec![Good(a()), Torn(vec![0; 4096])], r#"{"a":1}"#),
        row(
            "a whole line and zeros in the place of its break",
            vec![Good(a()), Unended(unended(b())), Torn(vec![0; 300])],
            r#"{"a":1,"b":2}"#,
        ),
        row("a torn line and zeros", vec![Good(a()), Torn([torn(), vec![0; 9]].concat())], r#"{"a":1}"#),
        row("a torn tail that is no UTF-8", vec![Good(a()), Torn(b"{\"a\":\"\xc3".to_vec())], r#"{"a":1}"#),
        row(
            "a torn tail that is longer than a read",
            vec![Good(a()), Torn(unended(long_line()))],
            r#"{"a":1}"#,
        ),
        row(
            "a last line without its break, damaged",
            vec![Good(a()), Torn(unended(flipped("c")))],
            r#"{"a":1}"#,
        ),
    ]
}

/// Operations of several lines.
fn operations() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row("an unfinished operation", vec![Good(a()), Torn(set_more_line("c", "3", 1))], r#"{"a":1}"#),
        row("an unfinished operation is all there is", vec![Torn(set_more_line("c", "3", 1))], "{}"),
        row(
            "an unfinished operation of two lines",
            vec![Good(a()), Torn([set_more_line("a", "3", 2), set_more_line("c", "3", 1)].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "an unfinished operation without its last break",
            vec![Good(a()), Torn(unended(set_more_line("c", "3", 1)))],
            r#"{"a":1}"#,
        ),
        row(
            "an unfinished operation with a torn line",
            vec![Good(a()), Torn([set_more_line("c", "3", 1), torn()].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "an unfinished operation behind a whole one",
            vec![Good([set_more_line("a", "1", 1), b()].concat()), Torn(set_more_line("b", "3", 1))],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "an unfinished operation with a damaged line",
            vec![Good(a()), Torn([set_more_line("c", "3", 2), flipped_more("d", 1)].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "an operation whose last line is damaged",
            vec![Good(set_more_line("a", "1", 1)), End(flipped("c"))],
            r#"{"a":1}"#,
        ),
        row(
            "an operation with a damaged line in its middle",
            vec![Good(set_more_line("a", "1", 2)), Bad(flipped_more("c", 1)), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "an operation whose first line is damaged",
            vec![Bad(flipped_more("c", 1)), Good(b())],
            r#"{"b":2}"#,
        ),
    ]
}

/// Several of these.
fn several() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row("damage, then a torn tail", vec![Bad(flipped("c")), Good(a()), Torn(torn())], r#"{"a":1}"#),
        row("damage just before a torn tail", vec![Good(a()), Bad(flipped("c")), Torn(torn())], r#"{"a":1}"#),
        row("damage and a torn tail, nothing else", vec![Bad(flipped("c")), Torn(torn())], "{}"),
        row(
            "damage, then an unfinished operation",
            vec![Good(a()), Bad(flipped("c")), Good(b()), Torn(set_more_line("a", "3", 1))],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "damage, then an entry without its line break",
            vec![Bad(flipped("c")), Unended(unended(a()))],
            r#"{"a":1}"#,
        ),
        row(
            "damage and empty lines",
            vec![Good(b"\n".to_vec()), Bad(flipped("c")), Good(b"\n\n".to_vec())],
            "{}",
        ),
        row(
            "a byte order mark, damage and a torn tail",
            vec![Mark, Good(a()), Bad(flipped("c")), Torn(torn())],
            r#"{"a":1}"#,
        ),
        row(
            "a byte order mark and an unfinished operation",
            vec![Torn([BOM, &set_more_line("a", "1", 1)].concat())],
            "{}",
        ),
        row("a byte order mark and a torn tail", vec![Torn([BOM, &torn()].concat())], "{}"),
        row(
            "a byte order mark and a damaged first line",
            vec![Bad([BOM, &flipped("c")].concat()), Good(a())],
            r#"{"a":1}"#,
        ),
        row("a byte order mark and damage, nothing else", vec![Bad([BOM, &flipped("c")].concat())], "{}"),
    ]
}

/// Entries behind garbage on one line.
fn garbage() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row(
            "zeros before a line of ours",
            vec![Good(a()), Garbage(vec![0; 4096]), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "a torn line of the old module, and the next one appended to it",
            vec![Good(old_set_line("a", "1")), Garbage(torn()), Good(old_set_line("b", "2"))],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "the same twice, at the end without a line break",
            vec![
                Garbage(torn()),
                Unended(unended(old_set_line("a", "1"))),
                Garbage(torn()),
                Unended(unended(b())),
            ],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "lines of the old module without the breaks between them",
            vec![
                Unended(unended(old_set_line("a", "1"))),
                Unended(unended(old_set_line("c", "3"))),
                Good(old_set_line("b", "2")),
            ],
            r#"{"a":1,"c":3,"b":2}"#,
        ),
        row(
            "a value that looks like an entry, at the end of a damaged line",
            vec![Good(a()), Bad(line_cut_behind_value())],
            r#"{"a":1}"#,
        ),
        row(
            "zeros before the first line of an unfinished operation",
            vec![Good(a()), Torn([vec![0; 9], set_more_line("c", "3", 1)].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "zeros within an operation",
            vec![
                Good(set_more_line("a", "1", 2)),
                Garbage(vec![0; 9]),
                Good(set_more_line("c", "3", 1)),
                Good(b()),
            ],
            r#"{"a":1,"c":3,"b":2}"#,
        ),
    ]
}

/// Checkpoints that were cut short.
fn checkpoints() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row("a checkpoint that was cut short", vec![Bad(cut_checkpoint())], "{}"),
        row("a checkpoint of the old module that was cut short", vec![Bad(cut_old_checkpoint())], "{}"),
        row(
            "a checkpoint that was cut short behind entries",
            vec![Good(a()), Bad(cut_checkpoint())],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint that was cut short, and entries",
            vec![Garbage(cut_checkpoint()), Good(b())],
            r#"{"b":2}"#,
        ),
        row(
            "a checkpoint of which lines are missing",
            vec![Good(checkpoint_more("a", "1", 2)), Good(checkpoint_more("b", "2", 1)), Missing],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "a checkpoint of which lines are missing, without the last break",
            vec![Unended(unended(checkpoint_more("a", "1", 2))), Missing],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint of which one line is cut short and others are missing",
            vec![Good(checkpoint_more("a", "1", 2)), End(cut_checkpoint())],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint of which hardly anything of the second line is left",
            vec![Good(checkpoint_more("a", "1", 2)), End(b"{\"o".to_vec())],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint with a damaged line in its middle",
            vec![
                Good(checkpoint_more("a", "1", 2)),
                Bad(flip_checkpoint(checkpoint_more("c", "3", 1))),
                Good(end_line()),
            ],
            r#"{"a":1}"#,
        ),
    ]
}

fn checkpoint_more(key: &str, value: &str, more: u64) -> Vec<u8> {
    let mut line = Vec::new();
    let member = Member::new(&format!("\"{key}\""), value);
    Encoder::new(&mut line).checkpoint(0, &[member], more);
    line
}

fn cut_checkpoint() -> Vec<u8> {
    let line = checkpoint_more("lost", "{\"coins\":100}", 0);
    line[..line.len() - 20].to_vec()
}

fn cut_old_checkpoint() -> Vec<u8> {
    b"{\"op\":\"CHECKPOINT\",\"state\":{\"a\":1,\"b\":{\"coins\":1".to_vec()
}

fn flip_checkpoint(mut line: Vec<u8>) -> Vec<u8> {
    let at = line.windows(7).position(|bytes| bytes == b"\"state\"").expect("a state") + 12;
    line[at] ^= 2;
    line
}

fn line_cut_behind_value() -> Vec<u8> {
    let value = String::from_utf8(unended(set_line("inner", "1"))).expect("UTF-8");
    let mut line = old_set_line("outer", &value);
    line.truncate(line.len() - 2);
    line.push(b'\n');
    line
}

/// A line with one bit of its value flipped.
pub fn flipped(key: &str) -> Vec<u8> {
    flip(set_line(key, "1"))
}

/// The same in an operation that goes on.
fn flipped_more(key: &str, more: u64) -> Vec<u8> {
    flip(set_more_line(key, "1", more))
}

fn flip(mut line: Vec<u8>) -> Vec<u8> {
    let at = line.windows(7).position(|bytes| bytes == b"\"value\"").expect("a value") + 8;
    line[at] ^= 2;
    line
}

fn unended(mut line: Vec<u8>) -> Vec<u8> {
    assert_eq!(line.pop(), Some(b'\n'));
    line
}

/// The beginning of a line.
fn torn() -> Vec<u8> {
    let line = set_line("t", "{\"coins\":100}");
    line[..line.len() / 2].to_vec()
}

/// A damaged line of over a megabyte, which is what is read at once.
fn long_line() -> Vec<u8> {
    let mut line = set_line("long", &format!("\"{}\"", "x".repeat(1_200_000)));
    line[600_000] = b'y';
    line
}
