//! Lines on standard error that say what is under way.
//!
//! A [`Task`] is one line that changes: label, elapsed time, how far it is, what it does just now. On a terminal that
//! is a bar or a spinner; elsewhere a plain line every few seconds, so that a log shows life without being flooded.
//! Results do not belong here: they go to standard output.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize, Style as Ink};

/// How often a task may print when standard error is not a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Where the lines go; cheap to clone.
#[derive(Debug, Clone)]
pub struct Progress {
    mode: Mode,
    colour: bool,
}

#[derive(Clone)]
enum Mode {
    Terminal(MultiProgress),
    Plain(Arc<Plain>),
    Hidden,
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminal(_) => "Terminal",
            Self::Plain(_) => "Plain",
            Self::Hidden => "Hidden",
        })
    }
}

struct Plain {
    out: Mutex<Box<dyn Write + Send>>,
    every: Duration,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    tasks: Vec<Weak<Line>>,
    /// Whether a thread prints for them.
    running: bool,
}

impl Progress {
    /// Bars when standard error is a terminal, plain lines when it is not.
    #[must_use]
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() {
            Self::of(Mode::Terminal(MultiProgress::new()))
        } else {
            Self::plain(std::io::stderr(), PLAIN_EVERY)
        }
    }

    /// Plain lines into `out`, of each task at most one per `every` besides its last.
    #[must_use]
    pub fn plain(out: impl Write + Send + 'static, every: Duration) -> Self {
        Self::of(Mode::Plain(Arc::new(Plain {
            out: Mutex::new(Box::new(out)),
            every,
            watched: Mutex::default(),
        })))
    }

    /// Nothing at all.
    #[must_use]
    pub fn hidden() -> Self {
        Self::of(Mode::Hidden)
    }

    fn of(mode: Mode) -> Self {
        Self { mode, colour: false }
    }

    /// The same with or without colour.
    #[must_use]
    pub fn with_colour(self, colour: bool) -> Self {
        Self { colour, ..self }
    }

    /// Prints a line that stays, above the bars.
    pub fn println(&self, line: impl AsRef<str>) {
        match &self.mode {
            // A standard error that is gone is no reason to fail what is being reported on.
            Mode::Terminal(bars) => drop(bars.println(line)),
            Mode::Plain(plain) => plain.println(line.as_ref()),
            Mode::Hidden => {}
        }
    }

    /// Prints a line of something that does not stop the command, and that its user should know: `warning: …`.
    pub fn warn(&self, line: impl fmt::Display) {
        let ink = if self.colour {
            Ink::new().yellow().bold()
        } else {
            Ink::new()
        };
        self.println(format!("{} {line}", "warning:".style(ink)));
    }

    /// Runs `print`, which writes to the terminal by itself, without the bars getting into its way.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.mode {
            Mode::Terminal(bars) => bars.suspend(print),
            Mode::Plain(_) | Mode::Hidden => print(),
        }
    }

    /// Starts a line. It goes away when the task is dropped; [`Task::finish`] leaves a last word.
    #[must_use]
    pub fn task(&self, label: impl Into<String>) -> Task {
        let line = Arc::new(Line {
            label: label.into(),
            started: Instant::now(),
            message: Mutex::default(),
            length: AtomicU64::new(0),
            position: AtomicU64::new(0),
        });
        let bar = match &self.mode {
            Mode::Terminal(bars) => {
                let bar = bars.add(
                    ProgressBar::new_spinner()
                        .with_style(style("{spinner} {prefix:<24} {elapsed:>4}  {wide_msg}")),
                );
                bar.set_prefix(line.label.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                Some(bar)
            }
            Mode::Plain(plain) => {
                plain.watch(&line);
                None
            }
            Mode::Hidden => None,
        };
        Task {
            line,
            bar,
            progress: self.clone(),
        }
    }
}

impl Plain {
    fn println(&self, line: &str) {
        let mut out = lock(&self.out);
        drop(writeln!(out, "{line}").and_then(|()| out.flush()));
    }

    /// A thread prints for the tasks, as a task that has nothing to say (a linker at work) needs its line as well.
    fn watch(self: &Arc<Self>, line: &Arc<Line>) {
        let mut watched = lock(&self.watched);
        watched.tasks.push(Arc::downgrade(line));
        if std::mem::replace(&mut watched.running, true) {
            return;
        }
        let plain = Arc::downgrade(self);
        let every = self.every;
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(every);
                let Some(plain) = plain.upgrade() else { return };
                let alive: Vec<_> = {
                    let mut watched = lock(&plain.watched);
                    watched.tasks.retain(|task| task.strong_count() > 0);
                    watched.running = !watched.tasks.is_empty();
                    if !watched.running {
                        return;
                    }
                    watched.tasks.iter().filter_map(Weak::upgrade).collect()
                };
                for line in alive.iter().filter(|line| line.started.elapsed() >= every) {
                    plain.println(&line.to_string());
                }
            }
        });
    }
}

struct Line {
    label: String,
    started: Instant,
    message: Mutex<String>,
    length: AtomicU64,
    position: AtomicU64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.label, elapsed(self.started.elapsed()))?;
        let (position, length) = (
            self.position.load(Ordering::Relaxed),
            self.length.load(Ordering::Relaxed),
        );
        if length > 0 {
            write!(f, ", {} of {}", HumanBytes(position), HumanBytes(length))?;
        } else if position > 0 {
            write!(f, ", {}", HumanBytes(position))?;
        }
        let message = lock(&self.message);
        if message.is_empty() {
            Ok(())
        } else {
            write!(f, ", {message}")
        }
    }
}

/// One line that changes until it is done.
pub struct Task {
    line: Arc<Line>,
    bar: Option<ProgressBar>,
    progress: Progress,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.line.to_string()).finish()
    }
}

impl Task {
    /// How many bytes there are in all; turns a spinner into a bar.
    pub fn length(&self, bytes: u64) {
        self.line.length.store(bytes, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_length(bytes);
            bar.set_style(style(
                "{spinner} {prefix:<24} {elapsed:>4}  [{bar:24}] {bytes} of {total_bytes}, {bytes_per_sec} {wide_msg}",
            ));
        }
    }

    /// So many bytes more are done.
    pub fn inc(&self, bytes: u64) {
        self.position(self.line.position.load(Ordering::Relaxed) + bytes);
    }

    /// So many bytes are done.
    pub fn position(&self, bytes: u64) {
        self.line.position.store(bytes, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    /// What it does just now.
    pub fn say(&self, message: impl Into<String>) {
        let message = message.into();
        if let Some(bar) = &self.bar {
            bar.set_message(message.clone());
        }
        *lock(&self.line.message) = message;
    }

    /// How long it has been under way.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.line.started.elapsed()
    }

    /// Ends the line with a last word that stays.
    pub fn finish(self, message: impl AsRef<str>) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.println(format!(
            "{}: {} ({})",
            self.line.label,
            message.as_ref(),
            elapsed(self.line.started.elapsed())
        ));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A duration as a person reads it on a clock: `0.4 s`, `12 s`, `4 min 16 s`.
#[must_use]
pub fn elapsed(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// A panic while one line was being written must not silence all others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Out {
        fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    #[test]
    fn durations_read_as_on_a_clock() {
        for (seconds, text) in [
            (0.44, "0.4 s"),
            (9.9, "9.9 s"),
            (12.7, "12 s"),
            (256.0, "4 min 16 s"),
        ] {
            assert_eq!(elapsed(Duration::from_secs_f64(seconds)), text);
        }
    }

    #[test]
    fn a_task_that_says_nothing_shows_life_and_ends_with_its_last_word() {
        let out = Out::default();
        let progress = Progress::plain(out.clone(), Duration::from_millis(20));
        let task = progress.task("building etcd");
        let started = Instant::now();
        while out.text().lines().count() < 2 && started.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        task.finish("built");
        let text = out.text();
        assert!(text.lines().count() > 2, "{text}");
        assert!(
            text.lines().all(|line| line.starts_with("building etcd: ")),
            "{text}"
        );
        assert!(
            text.lines().last().unwrap().starts_with("building etcd: built ("),
            "{text}"
        );
    }

    #[test]
    fn a_warning_is_one_line_and_has_colour_only_where_that_is_asked_for() {
        let out = Out::default();
        let progress = Progress::plain(out.clone(), Duration::from_secs(1));
        progress.warn("a: 1");
        assert_eq!(out.text(), "warning: a: 1\n");
        progress.with_colour(true).warn("b");
        let coloured = out.text().lines().last().unwrap().to_owned();
        assert!(
            coloured.starts_with("\u{1b}[") && coloured.ends_with("m b"),
            "{coloured:?}"
        );
    }

    #[test]
    fn a_line_says_how_far_it_is() {
        let task = Progress::hidden().task("etcd");
        task.length(4 << 20);
        task.inc(1 << 20);
        task.say("from here");
        assert_eq!(
            task.line.to_string(),
            "etcd: 0.0 s, 1.00 MiB of 4.00 MiB, from here"
        );
    }
}
