//! Any mirror beside any log: opening never fails, the next write stores the resulting state in both, and the next start
//! finds it.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use progressive_storage::files::options::OnCorruption;
use progressive_storage::store::collection;
use progressive_storage_fuzz::pieces::{Json, Key, Piece, log_of};
use progressive_storage_fuzz::{Place, is_object};

#[derive(Arbitrary, Debug)]
enum Mirror {
    Bytes(Vec<u8>),
    Object(Vec<(Key, Json)>),
    /// With white space, as an editor leaves it.
    Edited(Vec<(Key, Json)>),
    /// What a process of ours wrote, then edited in one key.
    Ours(Key, Json),
}

fuzz_target!(|input: (Option<Vec<Piece>>, Mirror)| {
    let (pieces, mirror) = input;
    let log = pieces.map(|pieces| log_of(&pieces));
    // What a forged line means is not asked here.
    if let Some(log) = &log {
        let mut reader = Place::with_log(log).open(OnCorruption::Salvage);
        if !is_object(reader.rebuilt().expect("it reads").as_bytes()) {
            return;
        }
    }
    let place = log.as_deref().map_or_else(Place::new, Place::with_log);
    let bytes = match mirror {
        Mirror::Bytes(bytes) => bytes,
        Mirror::Object(members) => Json::Object(members).text().into_bytes(),
        Mirror::Edited(members) => {
            Json::Object(members).text().replace(":{", ": {\n\t").replace("},", "} ,\r\n").into_bytes()
        }
        Mirror::Ours(key, value) => {
            let mut writer = collection_on(&place);
            writer.call(collection::set("\"before\"", "1")).expect("a write works");
            writer.finish().expect("it ends cleanly");
            let text = String::from_utf8(place.mirror().expect("it is written")).expect("UTF-8");
            let member = format!("{{\"edited\":{},{}:0", value.text(), key.literal());
            text.replacen('{', &format!("{member},"), 1).into_bytes()
        }
    };
    place.wait();
    place.put_mirror(&bytes);

    let log_before = place.log();
    let mut session = collection_on(&place);
    let state = session.state().expect("any mirror can be read");
    assert!(is_object(state.as_bytes()), "the state is no object: {state}");
    assert_eq!((place.log(), place.mirror()), (log_before, Some(bytes)), "reading changes nothing");

    session.call(collection::set("\"fuzz-set\"", "[1]")).expect("a write works");
    let state = session.state().expect("it reads");
    session.finish().expect("it ends cleanly");
    let mirror = place.mirror().expect("the mirror is written");
    assert!(is_object(&mirror), "the mirror is no object");

    // Either file alone has all of it.
    let mut again = collection_on(&place);
    assert_eq!(again.state().expect("it reads"), state);
    assert_eq!(again.notices(), Vec::<&str>::new(), "nothing is left to be reported");
    let log = place.log().expect("the log is written");
    assert_eq!(Place::with_log(&log).open(OnCorruption::Refuse).rebuilt().expect("it reads"), state);
    let alone = Place::new();
    alone.put_mirror(&mirror);
    assert_eq!(collection_on(&alone).state().expect("it reads"), state);
});

fn collection_on(place: &Place) -> progressive_storage_fuzz::Session {
    place.wait();
    let mut session = place.open(OnCorruption::Salvage);
    session.is_collection = true;
    session
}
