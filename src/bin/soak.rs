//! The long form of the simulations: `cargo run --release --features simulation --bin soak -- --minutes N`.
//!
//! First the crashes and faults of the scripts, more of them the longer it may take, then random lives
//! until the time is over, each on its own seed, on `--threads` threads (as many as there are cores). Ends with
//! an error when anything failed; what is printed then plays it again. With `--script` only the crashes of the
//! scripts whose names begin so, with `--script random` only random lives.

use std::time::{Duration, Instant};

use progressive_storage::files::simulation::{crash, faults, random};

const USAGE: &str = "soak [--minutes N] [--seed S] [--threads T] [--script NAME]";

/// Of the states that a test run checks, each with more crashes of its recovery than there.
const STATES_PERCENT_A_MINUTE: usize = 2;
/// The same where only some scripts run.
const STATES_PERCENT_A_MINUTE_OF_SOME: usize = 20;
/// As a script: random lives alone.
const RANDOM: &str = "random";
/// Of all cases.
const FAULTS_PERCENT_A_MINUTE: usize = 10;

struct Wanted {
    minutes: u64,
    seed: u64,
    threads: usize,
    script: Option<String>,
}

fn wanted() -> Result<Wanted, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut wanted = Wanted { minutes: 10, seed: 1, threads, script: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let text = arguments.next().ok_or_else(|| format!("{name} needs a value: {USAGE}"))?;
        if name == "--script" {
            wanted.script = Some(text);
            continue;
        }
        let value: u64 = text.parse().map_err(|_| format!("{name} needs a number: {USAGE}"))?;
        match name.as_str() {
            "--minutes" => wanted.minutes = value,
            "--seed" => wanted.seed = value,
            "--threads" => wanted.threads = usize::try_from(value).unwrap_or(1).max(1),
            _ => return Err(format!("'{name}' is unknown: {USAGE}")),
        }
    }
    Ok(wanted)
}

fn main() {
    let wanted = wanted().unwrap_or_else(|problem| {
        eprintln!("{problem}");
        std::process::exit(2);
    });
    let started = Instant::now();
    let end = started + Duration::from_secs(60 * wanted.minutes);
    eprintln!("soak: {} minutes, seed {}", wanted.minutes, wanted.seed);
    // About half of the time goes to these two.
    let minutes = usize::try_from(wanted.minutes).unwrap_or(usize::MAX);
    let percent_a_minute =
        if wanted.script.is_some() { STATES_PERCENT_A_MINUTE_OF_SOME } else { STATES_PERCENT_A_MINUTE };
    let effort = crash::Effort {
        seed: wanted.seed,
        percent: minutes.saturating_mul(percent_a_minute),
        ..crash::Effort::LONG
    };
    let (crashes, faults) = if wanted.script.as_deref() == Some(RANDOM) {
        Default::default()
    } else {
        let crashes = crash::run_all(effort, wanted.script.as_deref().unwrap_or_default());
        if wanted.script.is_some() {
            std::process::exit(i32::from(!crashes.failures.is_empty()));
        }
        let percent = minutes.saturating_mul(FAULTS_PERCENT_A_MINUTE).min(100);
        (crashes, faults::run_all("", wanted.seed, percent))
    };
    // On a slow or busy machine the time is over by now; some lives are played all the same.
    let end = end.max(Instant::now() + Duration::from_secs(15 * wanted.minutes));
    let lives: Vec<random::Lives> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..wanted.threads as u64)
            .map(|thread| {
                let seed = wanted.seed.wrapping_mul(1000).wrapping_add(thread);
                scope.spawn(move || random::run(seed, |_| Instant::now() >= end, thread == 0))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a failing life is caught")).collect()
    });
    let failures: Vec<String> = lives.iter().flat_map(|lives| lives.failures.clone()).collect();
    crash::show_failures(&failures);
    let count: usize = lives.iter().map(|lives| lives.lives).sum();
    let states: usize = lives.iter().map(|lives| lives.states).sum();
    let calls: u64 = lives.iter().map(|lives| lives.calls).sum();
    let failed = crashes.failures.len() + faults.failures.len() + failures.len();
    println!(
        "soak: {} s, seed {}: {} states after crashes ({} of them in a recovery), {} faults, {count} random lives \
         with {states} states and {calls} calls; {failed} failures",
        started.elapsed().as_secs(),
        wanted.seed,
        crashes.states,
        crashes.again,
        faults.states,
    );
    if failed > 0 {
        std::process::exit(1);
    }
}
