//! The functions that cut JSON text: they never panic, and in valid JSON they find what a parser finds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use progressive_storage::data::state::Member;
use progressive_storage::data::json::Members;
use progressive_storage::data::state::State;
use progressive_storage::data::json::array_index;
use progressive_storage::data::json::elements;
use progressive_storage::data::json::number;
use progressive_storage::data::json::quote;
use progressive_storage::data::json::quote_utf16;
use progressive_storage_fuzz::is_object;
use serde_json::value::RawValue;

fuzz_target!(|text: &str| {
    let members: Vec<(&str, &str)> = Members::of(text).collect();
    let parts: Vec<&str> = elements(text).collect();
    let _ = (number(text), array_index(text));
    if is_object(text.as_bytes()) {
        let again: Vec<String> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        let again = format!("{{{}}}", again.join(","));
        assert!(is_object(again.as_bytes()), "{again}");
        assert_eq!(Members::of(&again).collect::<Vec<_>>(), members);
        if let (Ok(one), Ok(other)) = (parse(text), parse(&again)) {
            assert_eq!(one, other, "the members are those of the object");
        }
        check_state(&State::from_object(text));
    }
    if let Ok(found) = serde_json::from_str::<Vec<Box<RawValue>>>(text)
        && text.starts_with('[')
    {
        let found: Vec<&str> = found.iter().map(|value| value.get()).collect();
        assert_eq!(parts, found);
    }
    let quoted = quote(text);
    assert_eq!(serde_json::from_str::<String>(&quoted).expect("a literal"), text);
    assert_eq!(quote_utf16(&text.encode_utf16().collect::<Vec<_>>()), quoted);
});

fn parse(text: &str) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(text)
}

/// A state holds each key once, in JavaScript's order, and finds it again.
fn check_state(state: &State) {
    let members: Vec<&Member> = state.iter().collect();
    assert_eq!(members.len(), state.len());
    let indices: Vec<Option<u32>> = members.iter().map(|member| array_index(member.key())).collect();
    let first_other = indices.iter().position(Option::is_none).unwrap_or(indices.len());
    assert!(indices[..first_other].is_sorted() && indices[first_other..].iter().all(Option::is_none));
    for member in members {
        assert_eq!(state.get(member.key()), Some(member));
    }
    let mut emptied = state.clone();
    for member in state.iter() {
        assert!(emptied.remove(member.key()));
    }
    assert!(emptied.is_empty() && emptied.live_bytes() == <State>::default().live_bytes());
}
