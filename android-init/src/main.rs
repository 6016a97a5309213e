// SPDX-License-Identifier: MIT OR Apache-2.0
//! `sekisho-init`: loads the policy before anything else runs.
//!
//! Two ways to be started (reference android 3.1, 3.2):
//! * by the kernel as process 1 (`init=` or `rdinit=`): mounts what it needs, loads, activates, becomes the real init;
//! * by Android's init at `early-init` (see sekisho-init.rc): loads, activates, ends with status 0 or 1.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use sekisho_init::failure::Failure;
use sekisho_init::load::{check_lsm, Loader};
use sekisho_init::machine::{self, Console, SECURITYFS};
use sekisho_init::options::{OnFailure, Options};

fn main() -> ExitCode {
    let first = std::process::id() == 1;
    let mut console = Console::open(first);
    let mounted = machine::mount_all();
    let options = Options::parse(&machine::cmdline());
    for word in &options.unknown {
        console.say(&format!("the kernel option {word} is not known, ignored; known are sekisho.policy=/DIR, sekisho.init=/PATH, sekisho.on_failure=halt|continue"));
    }
    let result = mounted.and_then(|()| load(&options, &mut console));
    if let Err(failure) = &result {
        console.say(&failure.to_string());
    }
    if !first {
        return if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if result.is_err() {
        match options.on_failure {
            OnFailure::Halt => {
                console.say(
                    "no policy is active, powering off (sekisho.on_failure=continue would boot without)",
                );
                machine::power_off();
            }
            OnFailure::Continue => {
                console.say("no policy is active, booting without (sekisho.on_failure=continue)")
            }
        }
    }
    let error = machine::become_program(&options.init, std::env::args_os().skip(1));
    let failure = Failure::new(
        format!("cannot start {}", options.init.display()),
        error,
        "name an executable with sekisho.init= and let the policy's <kernel> domain execute it",
    );
    console.say(&failure.to_string());
    machine::power_off();
}

fn load(options: &Options, console: &mut Console) -> Result<(), Failure> {
    check_lsm(&fs::read_to_string(Path::new(SECURITYFS).join("lsm")))?;
    let kernel = Path::new(SECURITYFS).join("sekisho");
    let loaded = Loader::new(kernel, &options.policy).run(&mut |line| console.say(line))?;
    if !loaded.already_active {
        console.say(&format!("{} policy lines of {} are active", loaded.lines, options.policy.display()));
    }
    Ok(())
}
