//! A log of lines as they occur, whole and damaged: the same checks, and no undamaged entry is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use progressive_storage::engine::OnCorruption;
use progressive_storage_fuzz::pieces::{Piece, log_of};
use progressive_storage_fuzz::{Place, check_beginnings, check_log, elements, is_object};

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
    if pieces.iter().any(|piece| matches!(piece, Piece::Goes(_)) || !ends_line(piece) && piece.bytes().contains(&b'\n')) {
        return;
    }
    let found = Place::with_log(bytes).open(OnCorruption::Salvage).entries().expect("it reads");
    let Ok(found) = std::panic::catch_unwind(|| elements(&found)) else { return };
    let mut found = found.into_iter();
    let mut begins_line = true;
    for piece in pieces {
        if let (true, Piece::Ours(entry) | Piece::Old(entry)) = (begins_line, piece) {
            let text = entry.text();
            if is_object(text.as_bytes()) && !is_reserved(&text) {
                assert!(found.any(|shown| shown == text), "{text} is lost");
            }
        }
        begins_line = ends_line(piece);
    }
}

fn ends_line(piece: &Piece) -> bool {
    piece.bytes().ends_with(b"\n") || piece.bytes().is_empty()
}

/// Entries with names of ours are refused by the binding, so they are never written.
fn is_reserved(text: &str) -> bool {
    ["\"_crc\"", "\"_more\"", "\"_edit\""].iter().any(|name| text.contains(name)) || text == "{}"
}
