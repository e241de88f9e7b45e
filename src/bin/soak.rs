//! The long form of the simulations: `cargo run --release --features simulation --bin soak -- --minutes N`.
//!
//! 1. Crashes and faults of the scripts. More time means more of them.
//! 2. Random lives until the time is over, on `--threads` threads (by default one for each core), each with a seed of its
//!    own.
//!
//! It ends with an error when anything failed, and prints what plays the failure again. With `--script NAME` it plays
//! only the crashes of the scripts whose names begin so; with `--script random`, only random lives.

use progressive_storage::files::simulation::crash::{self, Effort, Report};
use progressive_storage::files::simulation::faults;
use progressive_storage::files::simulation::output::Output;
use progressive_storage::files::simulation::random::{self, Lives};
use progressive_storage::vfs::monotonic_us;

const USAGE: &str = "soak [--minutes N] [--seed S] [--threads T] [--script NAME]";

/// Of the states that a test run checks, each with more crashes of its recovery than there.
const STATES_PERCENT_A_MINUTE: usize = 2;
/// The same where only some scripts run.
const STATES_PERCENT_A_MINUTE_OF_SOME: usize = 20;
/// Of all faults.
const FAULTS_PERCENT_A_MINUTE: usize = 10;
/// As a script: random lives alone.
const RANDOM: &str = "random";
const MINUTE_US: u64 = 60_000_000;

struct Wanted {
    minutes: u64,
    seed: u64,
    threads: u64,
    script: Option<String>,
}

impl Wanted {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let mut wanted = Self { minutes: 10, seed: 1, threads, script: None };
        while let Some(name) = arguments.next() {
            let text = arguments.next().ok_or_else(|| format!("{name} needs a value: {USAGE}"))?;
            let number = || text.parse().map_err(|_| format!("{name} needs a number: {USAGE}"));
            match name.as_str() {
                "--minutes" => wanted.minutes = number()?,
                "--seed" => wanted.seed = number()?,
                "--threads" => wanted.threads = number()?.max(1),
                "--script" => wanted.script = Some(text),
                _ => return Err(format!("'{name}' is unknown: {USAGE}")),
            }
        }
        Ok(wanted)
    }

    /// A share of all cases that grows with the time.
    fn percent(&self, a_minute: usize) -> usize {
        usize::try_from(self.minutes).unwrap_or(usize::MAX).saturating_mul(a_minute)
    }
}

/// Crashes of the scripts whose names begin with `prefix`.
fn crashes(wanted: &Wanted, prefix: &str) -> Report {
    let a_minute = if prefix.is_empty() { STATES_PERCENT_A_MINUTE } else { STATES_PERCENT_A_MINUTE_OF_SOME };
    let effort = Effort { seed: wanted.seed, percent: wanted.percent(a_minute), ..Effort::LONG };
    crash::run_all(effort, prefix)
}

/// Random lives on all threads until `end_us`.
fn random_lives(wanted: &Wanted, end_us: u64) -> Lives {
    let mut all = Lives::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..wanted.threads)
            .map(|thread| {
                let seed = wanted.seed.wrapping_mul(1000).wrapping_add(thread);
                let output = if thread == 0 { Output::Printed } else { Output::Silent };
                scope.spawn(move || random::run(seed, |_| monotonic_us() >= end_us, output))
            })
            .collect();
        for thread in threads {
            all.add(thread.join().expect("a failing life is caught"));
        }
    });
    crash::show_failures(&all.failures);
    all
}

fn main() {
    let wanted = Wanted::parse(std::env::args().skip(1)).unwrap_or_else(|problem| {
        eprintln!("{problem}");
        std::process::exit(2);
    });
    let started_us = monotonic_us();
    eprintln!("soak: {} minutes, seed {}", wanted.minutes, wanted.seed);
    let (mut crashed, mut faulty) = (Report::default(), Report::default());
    match wanted.script.as_deref() {
        Some(RANDOM) => {}
        Some(prefix) => {
            let report = crashes(&wanted, prefix);
            std::process::exit(i32::from(!report.failures.is_empty()));
        }
        // These two take about half of the time.
        None => {
            crashed = crashes(&wanted, "");
            faulty = faults::run_all("", wanted.seed, wanted.percent(FAULTS_PERCENT_A_MINUTE).min(100));
        }
    }
    // On a slow or busy machine the time may be over by now. Some lives are played all the same.
    let end_us = started_us + wanted.minutes * MINUTE_US;
    let lives = random_lives(&wanted, end_us.max(monotonic_us() + wanted.minutes * MINUTE_US / 4));
    let failed = crashed.failures.len() + faulty.failures.len() + lives.failures.len();
    println!(
        "soak: {} s, seed {}: {} states after crashes ({} of them in a recovery), {} faults, {} random lives with {} \
         states and {} calls; {failed} failures",
        (monotonic_us() - started_us) / 1_000_000,
        wanted.seed,
        crashed.states,
        crashed.again,
        faulty.states,
        lives.lives,
        lives.states,
        lives.calls,
    );
    if failed > 0 {
        std::process::exit(1);
    }
}
