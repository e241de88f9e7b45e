//! A read returns what was written: entries as the caller gave them, and keyed values as a model has them, also after
//! compaction and in the mirror.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use progressive_storage::files::options::OnCorruption;
use progressive_storage::store::request::Work;
use progressive_storage::data::json::array_index;
use progressive_storage::store::collection;
use progressive_storage_fuzz::pieces::{Entry, Json, Key};
use progressive_storage_fuzz::{Place, elements};

#[derive(Arbitrary, Debug)]
enum Call {
    Set(Key, Json),
    Delete(Key),
    Clear,
    Compact,
    Reopen,
    Finish,
}

fuzz_target!(|input: (Vec<Entry>, Vec<Call>)| {
    check_entries(&input.0);
    check_collection(&input.1);
});

fn check_entries(entries: &[Entry]) {
    let place = Place::new();
    let mut writer = place.open(OnCorruption::Salvage);
    let mut expected = Vec::new();
    for entry in entries {
        let text = entry.text();
        // As the binding sees to it: each entry has a timestamp, and none has names of ours.
        if text == "{}"
            || ["\"_crc\"", "\"_more\"", "\"_edit\"", "\"_end\""].iter().any(|name| text.contains(name))
        {
            continue;
        }
        writer.append(&text).expect("an append works");
        expected.push(text);
    }
    assert_eq!(elements(&writer.entries().expect("it reads")), expected);
    let mut again = place.open(OnCorruption::Refuse);
    assert_eq!(elements(&again.entries().expect("it reads")), expected);
    assert_eq!(again.rebuilt().expect("it reads"), writer.rebuilt().expect("it reads"));
    assert!(again.notices().is_empty());
}

fn check_collection(calls: &[Call]) {
    let place = Place::new();
    let open = || {
        place.wait();
        let mut session = place.open(OnCorruption::Refuse);
        session.is_collection = true;
        session
    };
    let mut session = open();
    let mut model = Model::default();
    for call in calls {
        if matches!(call, Call::Set(key, _) | Call::Delete(key) if key.literal() == "\"\"") {
            // The binding refuses the empty key.
            continue;
        }
        let work: Work = match call {
            Call::Set(key, value) => {
                let (key, value) = (key.literal(), value.text());
                model.set(&key, &value);
                collection::set(&key, &value)
            }
            Call::Delete(key) => {
                model.0.retain(|(known, _)| *known != key.literal());
                collection::delete(key.literal())
            }
            Call::Clear => {
                model.0.clear();
                collection::clear()
            }
            Call::Compact => Work::Compact,
            Call::Reopen => {
                session = open();
                continue;
            }
            Call::Finish => {
                session.finish().expect("it ends cleanly");
                session = open();
                continue;
            }
        };
        session.call(work).expect("every call works");
        assert_eq!(session.state().expect("it reads"), model.text());
    }
    assert_eq!(session.state().expect("it reads"), model.text());
    // That a compaction was made, and left a backup, is no complaint.
    let news = ["PS_COMPACTION", "PS_BACKUP"];
    let complaints: Vec<&str> = session.notices().into_iter().filter(|code| !news.contains(code)).collect();
    assert_eq!(complaints, Vec::<&str>::new());
    session.finish().expect("it ends cleanly");
    assert_eq!(open().state().expect("it reads"), model.text());
    if let Some(log) = place.log() {
        assert_eq!(
            Place::with_log(&log).open(OnCorruption::Refuse).rebuilt().expect("it reads"),
            model.text()
        );
        let mirror =
            String::from_utf8(place.mirror().expect("a log that was written has a mirror")).expect("UTF-8");
        assert_eq!(compact(&mirror), model.text());
    }
}

/// Keys and values in JavaScript's order.
#[derive(Default)]
struct Model(Vec<(String, String)>);

impl Model {
    fn set(&mut self, key: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value.to_owned(),
            None => self.0.push((key.to_owned(), value.to_owned())),
        }
    }

    fn text(&self) -> String {
        let mut members: Vec<_> = self.0.iter().collect();
        members.sort_by_key(|(key, _)| array_index(key).map_or((1, 0), |index| (0, index)));
        let texts: Vec<String> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        format!("{{{}}}", texts.join(","))
    }
}

/// JSON without white space between its parts.
fn compact(text: &str) -> String {
    let mut out = String::new();
    let (mut is_in_text, mut is_escaped) = (false, false);
    for character in text.chars() {
        if is_in_text || !character.is_ascii_whitespace() {
            out.push(character);
        }
        if character == '"' && !is_escaped {
            is_in_text = !is_in_text;
        }
        is_escaped = is_in_text && character == '\\' && !is_escaped;
    }
    out
}
