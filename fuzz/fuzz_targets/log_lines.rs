//! A log of lines as they occur, whole and damaged: the same checks, and no undamaged entry is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use progressive_storage::files::options::OnCorruption;
use progressive_storage_fuzz::pieces::{Entry, Piece, log_of};
use progressive_storage_fuzz::{Place, check_beginnings, check_log, elements_of, is_object};

fuzz_target!(|input: (Vec<Piece>, u8)| {
    let (pieces, choice) = input;
    let bytes = log_of(&pieces);
    check_log(&bytes);
    check_beginnings(&bytes, usize::from(choice));
    check_survivors(&pieces, &bytes);
});

/// Whole lines that stand alone are all there, in their order. (Where operations of several lines occur, a line of one that
/// is not whole may be lost.)
fn check_survivors(pieces: &[Piece], bytes: &[u8]) {
    if pieces.iter().any(|piece| matches!(piece, Piece::Goes(..)) || is_many_lines(piece)) {
        return;
    }
    let found = Place::with_log(bytes).open(OnCorruption::Salvage).entries().expect("it reads");
    // Lines with a forged checksum may be no JSON.
    let Some(found) = elements_of(&found) else { return };
    let mut found = found.into_iter();
    let mut begins_line = true;
    for piece in pieces {
        let whole: &[Entry] = match piece {
            Piece::Ours(entry) | Piece::Old(entry) => std::slice::from_ref(entry),
            Piece::Group(entries) => entries,
            _ => &[],
        };
        let texts: Vec<String> = whole.iter().map(Entry::text).collect();
        if begins_line && texts.iter().all(|text| is_object(text.as_bytes()) && !is_reserved(text)) {
            for text in texts {
                assert!(found.any(|shown| shown == text), "{text} is lost");
            }
        }
        begins_line = piece.bytes().last().map_or(begins_line, |last| *last == b'\n');
    }
}

/// Lines within a piece could look like anything, a part of an operation of several lines included.
fn is_many_lines(piece: &Piece) -> bool {
    !matches!(piece, Piece::Group(_)) && piece.bytes().trim_ascii().contains(&b'\n')
}

/// Entries with names of ours are refused by the binding, so they are never written.
fn is_reserved(text: &str) -> bool {
    ["\"_crc\"", "\"_more\"", "\"_edit\"", "\"_end\""].iter().any(|name| text.contains(name)) || text == "{}"
}
