//! The rules of the rooms, checked on the sources: `bindings → game → store → data`, `files → store`, `files → vfs`,
//! `postgres → store`, never back. And one of the documents: the assumptions about a disk stand in two places, word for word.

use std::collections::{BTreeMap, BTreeSet};
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

/// Whether a text has `crate::NAME`, as a whole name.
fn names_room(text: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.split(&format!("crate::{name}")).skip(1).any(|rest| !rest.starts_with(is_name))
}

#[test]
fn a_room_is_found_however_it_is_used() {
    for used in ["use crate::files;", "crate::files::lock", "use crate::files as f;", "crate::files"] {
        assert!(names_room(used, "files"), "{used}");
    }
    for other in ["crate::files_of", "crate::store::files", "crate::filesystem"] {
        assert!(!names_room(other, "files"), "{other}");
    }
}

#[test]
fn no_layer_knows_one_above_it() {
    for (layer, above) in [
        ("error", ["data", "vfs", "store", "files", "postgres", "memory", "game", "bindings"].as_slice()),
        ("data", &["vfs", "store", "files", "postgres", "memory", "game", "bindings"]),
        ("vfs", &["data", "store", "files", "postgres", "memory", "game", "bindings"]),
        ("store", &["vfs", "files", "postgres", "memory", "game", "bindings"]),
        ("files", &["postgres", "memory", "game", "bindings"]),
        ("postgres", &["files", "memory", "game", "bindings"]),
        ("memory", &["files", "postgres", "game", "bindings"]),
        ("game", &["bindings", "files", "postgres", "memory", "vfs"]),
    ] {
        for (path, text) in room(layer) {
            assert!(!text.contains("crate::{"), "{} names rooms in one list", path.display());
            for name in above {
                assert!(!names_room(&text, name), "{} uses {name}", path.display());
            }
        }
    }
}

#[test]
fn only_the_binding_knows_node() {
    for layer in ["vfs", "data", "store", "files", "postgres", "memory", "game"] {
        for (path, text) in room(layer) {
            for name in ["use napi", " napi::", "(napi::", "napi_derive", "#[napi"] {
                assert!(!text.contains(name), "{} has {name}", path.display());
            }
        }
    }
}

#[test]
fn only_vfs_opens_files() {
    for layer in ["data", "store", "files", "postgres", "memory", "game", "bindings"] {
        for (path, text) in room(layer) {
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            // Every way to the standard library's files begins with this name.
            assert!(is_test || !product(&text).contains("std::fs"), "{} uses std::fs", path.display());
        }
    }
}

#[test]
fn only_vfs_reads_a_clock() {
    for layer in ["data", "store", "files", "postgres", "memory", "game", "bindings"] {
        for (path, text) in room(layer) {
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            for clock in ["Instant", "SystemTime", "UNIX_EPOCH"] {
                assert!(is_test || !product(&text).contains(clock), "{} uses {clock}", path.display());
            }
        }
    }
}

/// Statements are constants of these files. Only the name of the schema is put into them, by `SchemaName`.
#[test]
fn statements_are_in_few_files_of_the_server_room() {
    let holders =
        ["statements.rs", "schema.rs", "session.rs", "connection.rs", "compaction.rs", "inspection.rs"];
    for (path, text) in room("") {
        let is_holder = path.components().any(|part| part.as_os_str() == "postgres")
            && holders.iter().any(|holder| path.ends_with(holder));
        for word in ["SELECT ", "INSERT INTO", "DELETE FROM", "COMMIT\"", "ROLLBACK"] {
            assert!(is_holder || !product(&text).contains(word), "{} has a statement", path.display());
        }
        let fills_in = product(&text).contains("\"{schema}\"");
        assert!(!fills_in || path.ends_with("schema_name.rs"), "{} fills in a statement", path.display());
    }
}

#[test]
fn only_the_server_room_knows_its_client() {
    for (path, text) in room("") {
        let is_postgres = path.components().any(|part| part.as_os_str() == "postgres");
        for name in ["tokio", "rustls", "futures_util"] {
            assert!(is_postgres || !product(&text).contains(name), "{} has {name}", path.display());
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

/// The files of a room that a file uses, by the paths in it that begin with `crate::` or `super::`. Tests may use what they
/// like, and `mod.rs` only declares.
fn uses_of_files(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: BTreeMap<String, String> = room(name)
        .into_iter()
        .filter(|(path, _)| !path.ends_with("mod.rs"))
        .filter_map(|(path, text)| {
            let inside = path.strip_prefix(&src).ok()?.with_extension("");
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let is_test = parts.iter().any(|part| part == "tests");
            (!is_test).then(|| (parts.join("::"), text))
        })
        .collect();
    let uses = files.iter().map(|(file, text)| {
        let code: String =
            product(text).lines().map(|line| line.split("//").next().unwrap_or(line)).collect();
        let above = file.rsplit_once("::").map_or("", |(above, _)| above);
        let paths = code.split("crate::").skip(1).map(str::to_owned);
        let beside = code.split("super::").skip(1).map(|rest| format!("{above}::{rest}"));
        let used = paths.chain(beside).filter_map(|path| {
            let end = path.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(path.len());
            let parts: Vec<&str> = path[..end].split("::").collect();
            (1..=parts.len())
                .rev()
                .map(|count| parts[..count].join("::"))
                .find(|used| files.contains_key(used))
        });
        (file.clone(), used.filter(|used| used != file).collect())
    });
    uses.collect()
}

/// What can be reached from a place and leads back to it, if anything does.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in uses.get(way.last()?).into_iter().flatten() {
            let mut longer = way.clone();
            longer.push(next.clone());
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}

/// The same for folders: the files of one count as one. A file that stands in the room itself counts for itself.
fn uses_of_folders(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let folder = |file: &String| match file.matches("::").count() {
        0 | 1 => file.clone(),
        _ => file.rsplit_once("::").map_or_else(|| file.clone(), |(folder, _)| folder.to_owned()),
    };
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, used) in uses {
        let (from, to) = (folder(file), used.iter().map(folder));
        found.entry(from.clone()).or_default().extend(to.filter(|to| *to != from));
    }
    found
}

/// The folders of `src`, so that no new room is forgotten.
fn rooms() -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let items = fs::read_dir(src).expect("a folder").map(|item| item.expect("an item"));
    let folders = items.filter(|item| item.path().is_dir() && item.file_name() != "bin");
    folders.map(|item| item.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn no_circle_of_files_or_folders() {
    assert!(rooms().len() >= 9, "{:?}", rooms());
    for room in &rooms() {
        let files = uses_of_files(room);
        let folders = uses_of_folders(&files);
        for (what, uses) in [("file", files), ("folder", folders)] {
            for place in uses.keys() {
                assert_eq!(circle(&uses, place), None, "a {what} of src/{room} leads back to itself");
            }
        }
    }
}

#[test]
fn a_circle_is_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        uses
    };
    let files = uses(&[("r::a::x", "r::b::y"), ("r::b::z", "r::a::w"), ("r::c", "r::a::x")]);
    assert!(files.keys().all(|file| circle(&files, file).is_none()), "no file leads back");
    assert!(circle(&uses_of_folders(&files), "r::a").is_some(), "a and b use one another");
    let three = uses(&[("r::a", "r::b"), ("r::b", "r::c"), ("r::c", "r::a")]);
    assert_eq!(circle(&three, "r::b").map(|way| way.len()), Some(4));
    assert!(uses_of_files("files").values().map(BTreeSet::len).sum::<usize>() > 100, "uses are found");
}
