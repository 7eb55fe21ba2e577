//! `kubeclash`: parse, dispatch, exit code. Everything else is in the library.

fn main() -> std::process::ExitCode {
    kubeclash::cli::run()
}
