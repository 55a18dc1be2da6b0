//! How far a long work is: a bar on a terminal, lines where they are asked for, and nothing in the first second.

use std::cell::RefCell;
use std::io::{IsTerminal as _, Read};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{machine, note, units};
use crate::build::Phase;

/// How long a work goes on before anything is shown.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it is between two lines.
const BETWEEN_LINES: Duration = Duration::from_secs(2);
/// Steps of a bar: of a thousandth each.
const STEPS: u64 = 1000;

/// What is done in a phase of a build.
pub(super) fn stage(phase: Phase) -> &'static str {
    match phase {
        Phase::Models => "join models",
        Phase::Files => "lay out files",
        Phase::Words => "lay out words",
    }
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Shown {
    /// A bar if standard error is a terminal, else nothing
    #[default]
    Auto,
    /// A line every two seconds
    Plain,
    /// Nothing
    None,
}

/// Flags of a work that may take long and much memory.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct WorkArgs {
    /// How much memory to use, such as 512M or 4G; what does not fit waits in unnamed files beside the model. By default a
    /// quarter of the machine's
    #[arg(long, value_name = "SIZE", value_parser = units::memory)]
    memory: Option<usize>,
    /// How far the work is, once it takes longer than a second
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    progress: Shown,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(super) quiet: bool,
}

impl WorkArgs {
    /// How many bytes of what is said of pairs may be held. The other half of the memory is for what is known of tests and
    /// files by themselves, and for what is being laid out.
    pub(super) fn bytes_of_pairs(self) -> usize {
        self.memory.unwrap_or_else(machine::quarter_of_memory) / 2
    }

    /// What shows how far the work is.
    pub(super) fn progress(self) -> Progress {
        Progress::new(self.progress, self.quiet)
    }
}

/// Shows how far a work is.
pub(super) struct Progress {
    shown: Shown,
    began: Instant,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Progress {
    /// Nothing is shown yet; nothing ever where only errors are wanted.
    pub(super) fn new(shown: Shown, quiet: bool) -> Self {
        let shown = match shown {
            _ if quiet => Shown::None,
            Shown::Auto if !std::io::stderr().is_terminal() => Shown::None,
            shown => shown,
        };
        let now = Instant::now();
        Self { shown, began: now, bar: None, last_line: now }
    }

    /// `done` of `total` of a stage are done; what its end is, none where nobody knows.
    pub(super) fn at(&mut self, stage: &str, done: u64, total: Option<u64>) {
        if self.shown == Shown::None || self.began.elapsed() < PATIENCE {
            return;
        }
        let steps = total.map(|total| done.saturating_mul(STEPS).checked_div(total).unwrap_or(STEPS).min(STEPS));
        if self.shown == Shown::Auto {
            return self.draw(stage, steps);
        }
        if self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            match steps {
                Some(steps) => note(&format!("{stage}: {} %", steps * 100 / STEPS)),
                None => note(stage),
            }
        }
    }

    fn draw(&mut self, stage: &str, steps: Option<u64>) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("covopt: {msg} [{bar:30}] {percent:>3} %  {elapsed}");
            style.map_or(bar.clone(), |style| bar.with_style(style.progress_chars("=> ")))
        });
        if bar.message() != stage {
            bar.set_message(stage.to_owned());
        }
        bar.set_position(steps.unwrap_or(0));
    }
}

impl Drop for Progress {
    /// What follows begins on a line of its own.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// An input whose reading is shown.
pub(super) struct Watched<'a, R> {
    pub(super) input: R,
    pub(super) stage: String,
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    pub(super) progress: &'a RefCell<Progress>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.done += read as u64;
        self.progress.borrow_mut().at(&self.stage, self.done, self.total);
        Ok(read)
    }
}
