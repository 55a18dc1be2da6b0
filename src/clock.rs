//! The clock: what a session costs beside its tests, learned from sessions of which the wall clock is known.
//!
//! A session of `tests` tests in `files` files takes
//!
//! ```text
//! wall = startup + per_file * files + per_test * tests + sum of what the tests cost
//! ```
//!
//! The three unknowns are fitted by non-negative least squares on the relative error (Lawson and Hanson 1974; with three
//! unknowns every active set is tried). Only what the sessions tell apart is stated, the rest stays unknown and is charged
//! nothing: sessions that differ in neither give one equation, which goes to the tests, because a selection of a part of
//! them pays at least that part. Floats end here: what is charged is whole microseconds, by the same arithmetic everywhere.

use std::fmt;

use serde::Serialize;

use crate::observation::Session;

/// Sessions tell unknowns apart where the determinant of their columns' cosines is at least this: two sessions whose
/// numbers of tests differ by more than half, for instance. Below, noise would decide.
const APART: f64 = 0.05;

/// The unknowns, by their position in a row.
const STARTUP: usize = 0;
const PER_FILE: usize = 1;
const PER_TEST: usize = 2;

/// Where the figures of a clock come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Given by whoever asks, at least in part.
    Set,
    /// Sessions that were measured from outside.
    Measured,
    /// Sessions that JUnit reports state, which begin when the runner has started.
    Junit,
    /// Nothing.
    #[default]
    Unknown,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "set",
            Self::Measured => "measured",
            Self::Junit => "junit",
            Self::Unknown => "unknown",
        })
    }
}

/// What a session costs beside its tests, in microseconds; `None` is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The start of a session, once.
    pub startup_us: Option<u64>,
    /// Opening a file of tests (import, collection, fixtures), once a file.
    pub per_file_us: Option<u64>,
    /// What the runner spends on each test beside what it reports of it.
    pub per_test_us: Option<u64>,
    /// Where they come from.
    pub source: Source,
}

impl Clock {
    /// Whether all that is known is that nothing costs anything: no runner does so.
    pub fn is_nothing(&self) -> bool {
        [self.startup_us, self.per_file_us, self.per_test_us].into_iter().flatten().all(|cost_us| cost_us == 0)
    }

    /// Learns from sessions, whatever their order: from those measured from outside, where there are any. O(sessions).
    pub fn learn(sessions: &[Session]) -> Self {
        let any_whole = sessions.iter().any(|session| session.whole);
        let mut used: Vec<Session> = sessions.iter().copied().filter(|session| session.whole == any_whole).collect();
        used.sort_unstable();
        let rows: Vec<Row> = used.iter().map(Row::of).collect();
        let known = told_apart(&used, &rows);
        let figures = fit(&rows, known);
        let figure = |unknown: usize| known.contains(&unknown).then(|| microseconds(figures[unknown]));
        let source = match known {
            [] => Source::Unknown,
            _ if any_whole => Source::Measured,
            _ => Source::Junit,
        };
        Self { startup_us: figure(STARTUP), per_file_us: figure(PER_FILE), per_test_us: figure(PER_TEST), source }
    }

    /// The clock in which what is given, in the same units, takes the place of what is known.
    pub fn set(self, startup_us: Option<u64>, per_file_us: Option<u64>, per_test_us: Option<u64>) -> Self {
        let any = startup_us.or(per_file_us).or(per_test_us).is_some();
        Self {
            startup_us: startup_us.or(self.startup_us),
            per_file_us: per_file_us.or(self.per_file_us),
            per_test_us: per_test_us.or(self.per_test_us),
            source: if any { Source::Set } else { self.source },
        }
    }
}

/// An equation of one session, divided by its wall clock: an error counts as a share of it.
struct Row {
    columns: [f64; 3],
    gap: f64,
}

impl Row {
    fn of(session: &Session) -> Self {
        let wall = session.wall_us as f64;
        let gap = session.wall_us.saturating_sub(session.cost_us) as f64;
        Self {
            columns: [1.0 / wall, f64::from(session.files) / wall, f64::from(session.tests) / wall],
            gap: gap / wall,
        }
    }
}

/// The unknowns that the sessions tell apart: all, two of them, or one.
fn told_apart(sessions: &[Session], rows: &[Row]) -> &'static [usize] {
    let several: [&[usize]; 3] = [&[STARTUP, PER_FILE, PER_TEST], &[STARTUP, PER_TEST], &[STARTUP, PER_FILE]];
    match several.into_iter().find(|unknowns| rows.len() >= unknowns.len() && spread(rows, unknowns) >= APART) {
        Some(unknowns) => unknowns,
        None if sessions.is_empty() => &[],
        // What one test takes beside itself every session pays.
        None if sessions.iter().all(|session| session.tests == 1) => &[STARTUP],
        None => &[PER_TEST],
    }
}

/// Sum over the rows of the product of two columns.
fn product(rows: &[Row], a: usize, b: usize) -> f64 {
    rows.iter().map(|row| row.columns[a] * row.columns[b]).sum()
}

/// The determinant of the cosines between columns: 1 where they are at right angles, 0 where one follows from the others.
fn spread(rows: &[Row], unknowns: &[usize]) -> f64 {
    let length = |column: usize| product(rows, column, column).sqrt();
    let mut cosines = System::of(unknowns, |a, b| product(rows, a, b) / (length(a) * length(b)), |_| 0.0);
    cosines.eliminate()
}

/// The non-negative values of the unknowns in `known` that leave the least squares; the others are 0.
fn fit(rows: &[Row], known: &[usize]) -> [f64; 3] {
    let mut best = ([0.0; 3], rows.iter().map(|row| row.gap * row.gap).sum::<f64>());
    for set in 1..1u32 << known.len() {
        let active: Vec<usize> = (0..known.len()).filter(|at| set >> at & 1 == 1).map(|at| known[at]).collect();
        let right = |a: usize| rows.iter().map(|row| row.columns[a] * row.gap).sum();
        let mut normal = System::of(&active, |a, b| product(rows, a, b), right);
        if normal.eliminate() == 0.0 {
            continue;
        }
        let mut values = [0.0; 3];
        active.iter().zip(normal.solution()).for_each(|(&unknown, value)| values[unknown] = value);
        let error =
            |row: &Row| row.gap - row.columns.iter().zip(values).map(|(column, value)| column * value).sum::<f64>();
        let squares: f64 = rows.iter().map(&error).map(|error| error * error).sum();
        if values.iter().all(|&value| value >= 0.0) && squares < best.1 {
            best = (values, squares);
        }
    }
    best.0
}

/// Linear equations in up to three unknowns, symmetric and positive: no pivots are looked for.
struct System {
    rows: Vec<Vec<f64>>,
}

impl System {
    fn of(unknowns: &[usize], left: impl Fn(usize, usize) -> f64, right: impl Fn(usize) -> f64) -> Self {
        let row = |&a: &usize| unknowns.iter().map(|&b| left(a, b)).chain([right(a)]).collect();
        Self { rows: unknowns.iter().map(row).collect() }
    }

    /// Makes the left side triangular; gives its determinant, 0 where it has no inverse.
    fn eliminate(&mut self) -> f64 {
        let mut determinant = 1.0;
        for at in 0..self.rows.len() {
            let (above, below) = self.rows.split_at_mut(at + 1);
            let pivot = &above[at];
            if pivot[at].is_nan() || pivot[at] <= 0.0 {
                return 0.0;
            }
            determinant *= pivot[at];
            for row in below {
                let factor = row[at] / pivot[at];
                row.iter_mut().zip(pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        determinant
    }

    /// The unknowns, after [`System::eliminate`].
    fn solution(&self) -> Vec<f64> {
        let count = self.rows.len();
        let mut values = vec![0.0; count];
        for at in (0..count).rev() {
            let known: f64 = (at + 1..count).map(|later| self.rows[at][later] * values[later]).sum();
            values[at] = (self.rows[at][count] - known) / self.rows[at][at];
        }
        values
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and a float cast saturates")]
fn microseconds(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session(whole: bool, files: u32, tests: u32, cost_us: u64, gap_us: u64) -> Session {
        Session { whole, time_us: 0, tests, files, cost_us, wall_us: cost_us + gap_us }
    }

    /// What `measure` runs: one test, one in each of eight files, many of one file.
    const PROBES: [(u32, u32); 3] = [(1, 1), (8, 8), (1, 60)];

    fn probed((startup, per_file, per_test): (u64, u64, u64)) -> Vec<Session> {
        let gap = |files: u32, tests: u32| startup + per_file * u64::from(files) + per_test * u64::from(tests);
        PROBES.iter().map(|&(files, tests)| session(true, files, tests, 1000, gap(files, tests))).collect()
    }

    fn figures(clock: Clock) -> [Option<u64>; 3] {
        [clock.startup_us, clock.per_file_us, clock.per_test_us]
    }

    proptest! {
        #[test]
        fn what_sessions_state_exactly_is_found(
            startup in 1000u64..3_000_000, per_file in 0u64..200_000, per_test in 0u64..20_000,
        ) {
            let clock = Clock::learn(&probed((startup, per_file, per_test)));
            prop_assume!(clock.per_file_us.is_some() && clock.startup_us.is_some());
            let want = [startup, per_file, per_test];
            for (found, want) in figures(clock).into_iter().zip(want) {
                prop_assert!(found.unwrap().abs_diff(want) <= 1, "{clock:?}");
            }
        }

        #[test]
        fn any_sessions_give_one_clock_in_any_order(
            (sessions, shuffled) in proptest::collection::vec(
                (any::<bool>(), 1u32..60, 0u32..500, 0u64..9_000_000, 1u64..90_000_000), 0..12,
            ).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            let of = |all: &[(bool, u32, u32, u64, u64)]| -> Vec<Session> {
                let one = |&(whole, files, more, cost_us, wall_us): &(bool, u32, u32, u64, u64)| {
                    Session { whole, time_us: 0, tests: files + more, files, cost_us, wall_us }
                };
                all.iter().map(one).collect()
            };
            let clock = Clock::learn(&of(&sessions));
            prop_assert_eq!(clock, Clock::learn(&of(&shuffled)));
            prop_assert_eq!(clock.source == Source::Unknown, sessions.is_empty());
            prop_assert!(figures(clock).into_iter().flatten().all(|us| us <= 90_000_000), "no session took longer");
        }
    }

    #[test]
    fn nothing_is_known_of_nothing() {
        assert_eq!(Clock::learn(&[]), Clock::default());
        assert_eq!(figures(Clock::default()), [None; 3]);
    }

    #[test]
    fn one_report_speaks_of_its_tests() {
        let clock = Clock::learn(&[session(false, 34, 2000, 3_000_000, 4_000_000)]);
        assert_eq!((figures(clock), clock.source), ([None, None, Some(2000)], Source::Junit));
        // The reports of a suite that hardly grows say no more than one.
        let grown = [1000, 1003, 1009].map(|tests| session(false, 34, tests, 3_000_000, 2000 * u64::from(tests)));
        assert_eq!(figures(Clock::learn(&grown)), [None, None, Some(2000)]);
    }

    #[test]
    fn one_test_alone_tells_the_start() {
        let clock = Clock::learn(&[session(true, 1, 1, 0, 400_000), session(true, 1, 1, 0, 400_000)]);
        assert_eq!((figures(clock), clock.source), ([Some(400_000), None, None], Source::Measured));
    }

    #[test]
    fn without_several_files_their_share_stays_unknown() {
        let clock = Clock::learn(&[session(true, 1, 1, 0, 401_000), session(true, 1, 60, 0, 460_000)]);
        assert_eq!(figures(clock), [Some(400_000), None, Some(1000)]);
    }

    #[test]
    fn measured_sessions_go_before_reports() {
        let mut sessions = probed((300_000, 20_000, 1000));
        sessions.push(session(false, 3, 500, 1000, 90_000_000));
        assert_eq!(figures(Clock::learn(&sessions)), [Some(300_000), Some(20_000), Some(1000)]);
    }

    /// More files were faster: no file costs less than nothing, and the others make up for it.
    #[test]
    fn no_figure_is_negative() {
        let sessions = [(1, 1, 400_000), (8, 8, 350_000), (1, 60, 460_000)];
        let clock = Clock::learn(&sessions.map(|(files, tests, gap)| session(true, files, tests, 0, gap)));
        assert_eq!(clock.per_file_us, Some(0));
        assert!(clock.startup_us.is_some_and(|us| (350_000..400_000).contains(&us)), "{clock:?}");
    }

    #[test]
    fn what_is_set_wins() {
        let clock = Clock::learn(&probed((300_000, 20_000, 1000))).set(Some(0), None, Some(5));
        assert_eq!((figures(clock), clock.source), ([Some(0), Some(20_000), Some(5)], Source::Set));
        assert_eq!(Clock::default().set(None, None, None), Clock::default());
    }
}
