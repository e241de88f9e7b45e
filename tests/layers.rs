//! The rules of the layers, checked on the sources: `bindings → game → store → data`, `files → store`, `files → vfs`, never back. And one of the documents:
//! what is assumed of a disk stands in two places.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).expect("a folder") {
        let path = item.expect("an item").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            found.push((path, text));
        }
    }
    found
}

fn room(name: &str) -> Vec<(PathBuf, String)> {
    let found = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name));
    assert!(!found.is_empty(), "there are sources in src/{name}");
    found
}

/// Without the tests at the end of a file, which may use what they like.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn no_layer_knows_one_above_it() {
    for (layer, above) in [
        ("data", ["vfs", "store", "files", "game", "bindings"].as_slice()),
        ("vfs", &["data", "store", "files", "game", "bindings"]),
        ("store", &["vfs", "files", "game", "bindings"]),
        ("files", &["game", "bindings"]),
        ("game", &["bindings", "files", "vfs"]),
    ] {
        for (path, text) in room(layer) {
            for name in above.iter().map(|room| format!("crate::{room}::")) {
                assert!(!text.contains(&name), "{} uses {name}", path.display());
            }
        }
    }
}

#[test]
fn only_the_binding_knows_node() {
    for layer in ["vfs", "data", "store", "files", "game"] {
        for (path, text) in room(layer) {
            for name in ["use napi", " napi::", "(napi::", "napi_derive", "#[napi"] {
                assert!(!text.contains(name), "{} has {name}", path.display());
            }
        }
    }
}

#[test]
fn only_vfs_opens_files() {
    for layer in ["data", "store", "files", "game", "bindings"] {
        for (path, text) in room(layer) {
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            // Every way to the standard library's files begins with this name.
            assert!(is_test || !product(&text).contains("std::fs"), "{} uses std::fs", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    for (path, text) in room("") {
        let is_js = path.ends_with("bindings/js.rs");
        let has_unsafe = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or(line);
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        assert!(is_js || !has_unsafe, "{} has unsafe code", path.display());
    }
}

#[test]
fn every_file_says_what_it_holds() {
    for (path, text) in room("") {
        assert!(text.starts_with("//!"), "{} has no header", path.display());
    }
}

#[test]
fn modules_only_declare() {
    for (path, text) in room("").into_iter().filter(|(path, _)| path.ends_with("mod.rs")) {
        let is_part_of_the_tests = path
            .components()
            .any(|part| ["tests", "simulation"].iter().any(|name| part.as_os_str() == *name));
        // The bot's list of logs is all that a declaring file holds beside declarations.
        let is_game = path.ends_with("game/mod.rs");
        let defines = text.lines().any(|line| {
            let line = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
            ["fn ", "struct ", "enum ", "impl ", "trait "].iter().any(|word| line.starts_with(word))
        });
        assert!(is_part_of_the_tests || is_game || !defines, "{} defines something", path.display());
    }
}

/// The simulated disk is exactly what the document promises to rest on.
#[test]
fn the_assumptions_about_disks_are_documented_word_for_word() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(project.join(name)).expect("a file of the project");
    let header: Vec<String> = read("src/vfs/simulated.rs")
        .lines()
        .map_while(|line| line.strip_prefix("//!").map(|rest| rest.trim().to_owned()))
        .skip_while(|line| !line.starts_with("1. "))
        .take_while(|line| !line.starts_with("`node`"))
        .filter(|line| !line.is_empty())
        .collect();
    assert!(header.len() > 20, "the header has the assumptions");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let documented = words(&read("docs/durability.md"));
    assert!(documented.contains(&words(&header.join(" "))), "docs/durability.md says the same");
}
