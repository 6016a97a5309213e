// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compares engine and oracle in several threads: `sekisho-differential COUNT SEED JOBS`, behind `cargo xtask differential`.

use std::process::ExitCode;
use std::time::Instant;

use generators::choices::Choices;
use generators::compare::{self, Tally};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(count)), Some(Ok(seed)), Some(Ok(jobs)), None) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next())
    else {
        eprintln!("usage: sekisho-differential COUNT SEED JOBS (numbers)");
        return ExitCode::from(2);
    };
    let jobs = jobs.max(1);
    let start = Instant::now();
    let results: Vec<Result<Tally, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs)
            .map(|job| {
                let seed = seed.wrapping_add(job);
                scope.spawn(move || {
                    compare::run(&mut Choices::seeded(seed), count.div_ceil(jobs))
                        .map_err(|difference| format!("seed {seed}\n{difference}"))
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err("a job panicked".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    let mut sum = Tally::default();
    for result in &results {
        match result {
            Ok(tally) => {
                sum.done += tally.done;
                sum.granted += tally.granted;
            }
            Err(difference) => {
                println!("{difference}");
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64().max(0.001);
    println!(
        "{} comparisons without a difference in {seconds:.1} s ({:.0} a second, {jobs} jobs, seed {seed}); {:.1} % granted",
        sum.done,
        sum.done as f64 / seconds,
        100.0 * sum.granted as f64 / sum.done.max(1) as f64
    );
    if !sum.is_near() {
        println!("too few were granted: the requests are too far from the rules");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
