//! Where the hunks of a diff stand in a file as the model knows it, when the diff starts from another state.
//!
//! The old side of a hunk is held against the anchors of the file. If all of it stands where the diff says, for every
//! hunk of the file, nothing else is done. Otherwise each hunk is aligned, at the few shifts for which its lines vote,
//! with the lines around that place; a line counts the more, the rarer it is in the file. The hunks then choose their
//! shifts together: a shift that differs from that of the hunk before costs, as does standing before it, so that repeated
//! lines are told apart by what stands near them. What no line places falls to the symbol that the hunk names, then to
//! the file. `docs/mapping.md` gives the measured figures.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use super::scope;
use crate::diff::{FileDiff, Hunk, LineKind};
use crate::model::{Anchors, BLANK, FileView, anchor};
use crate::observation::LineRange;

/// How far lines may stand from the shift at which a hunk is aligned.
const BAND: usize = 24;
/// Shifts of a hunk's own that are tried.
const SHIFTS: usize = 6;
/// Lines of a hunk that are held against anchors; those beyond go with them.
const LINES_MOST: usize = 512;
/// Places of an anchor that vote for a shift; one that is more common tells nothing of where a hunk stands.
const PLACES_MOST: usize = 64;
/// What a blank line counts.
const BLANK_WEIGHT: f64 = 0.05;
/// What a line costs that is passed over on one of both sides, or differs.
const GAP: f64 = 0.1;
/// What another shift than that of the hunk before costs, and what it costs more with the logarithm of the difference.
const SHIFT: (f64, f64) = (1.0, 0.25);
/// What standing before the hunk before costs.
const BACKWARDS: f64 = 3.0;
/// What it brings that the function which the hunk names is around it.
const NAMED: f64 = 2.0;
/// What lines must weigh that are found, so that a hunk stands near there: one that is rare, or two that are not.
const NEAR_LEAST: f64 = 3.0;
/// Where lines that were found weigh so much, a place is half sure, though others of the hunk are not there.
const HALF_SURE: f64 = 2.0;
/// How much less a place is sure if another is as good, and no other hunk and no line number speaks for it.
const AMBIGUOUS: f64 = 0.5;
/// A place is as good as another with this share of what is found there.
const RIVAL: f64 = 0.9;
/// Names that one hunk is looked up by.
const NAMES_MOST: usize = 64;
/// How sure the symbol is that a hunk names, and the file.
const SYMBOL_CERTAINTY: f64 = 0.5;
const FILE_CERTAINTY: f64 = 0.25;

/// The step that found a hunk in the file that the model knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Nothing to hold it against: the model does not know the lines of the file, or the hunk shows none.
    #[default]
    Unchecked,
    /// All its lines are where the diff says.
    Exact,
    /// All its lines follow each other elsewhere.
    Shifted,
    /// Lines that tell it from others are there, not all of them or not in a row.
    Near,
    /// The symbol that it names.
    Symbol,
    /// The file alone.
    File,
}

impl Step {
    /// The word that output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Unchecked => "unchecked",
            Step::Exact => "exact",
            Step::Shifted => "shifted",
            Step::Near => "near",
            Step::Symbol => "symbol",
            Step::File => "file",
        }
    }
}

/// Where a hunk stands in the file as the model knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// What found it.
    pub step: Step,
    /// How sure that is, at most 1.
    pub certainty: f64,
    /// How many lines further down its first line is.
    pub shift: i64,
    /// The symbol that it names, where that is all that is known.
    pub symbol: Option<LineRange>,
    /// Lines of the diff's old side with those of the model that they are, ascending on both sides.
    pairs: Vec<(u32, u32)>,
}

impl Placement {
    fn at_its_place(step: Step) -> Self {
        Self { step, certainty: 1.0, shift: 0, symbol: None, pairs: Vec::new() }
    }

    /// The line of the model that a line of the diff's old side is, or comes after.
    pub fn line(&self, line: u32) -> u32 {
        let after = self.pairs.partition_point(|&(old, _)| old <= line);
        let moved = |line: i64| u32::try_from(line.max(1)).unwrap_or(u32::MAX);
        match (after.checked_sub(1).map(|at| self.pairs[at]), self.pairs.get(after)) {
            (None, None) => moved(i64::from(line) + self.shift),
            (None, Some(&(old, known))) => moved(i64::from(known) - i64::from(old - line)),
            (Some((old, known)), None) => moved(i64::from(known) + i64::from(line - old)),
            (Some((old, known)), Some(&(_, next))) => known.saturating_add(line - old).min(next - 1).max(known),
        }
    }
}

/// The lines of a hunk's old side that the diff shows, those around its first change if they are many.
struct Shown<'a> {
    /// The number of the first.
    first: u32,
    anchors: Vec<u16>,
    /// Whether these are all.
    is_whole: bool,
    hunk: &'a Hunk<'a>,
}

impl<'a> Shown<'a> {
    fn of(hunk: &'a Hunk<'a>) -> Self {
        let old = || hunk.lines().filter(|line| line.kind != LineKind::Added);
        let lines = old().count();
        let before = hunk.lines().take_while(|line| line.kind == LineKind::Context).count();
        let left_out =
            if lines > LINES_MOST { before.saturating_sub(LINES_MOST / 2).min(lines - LINES_MOST) } else { 0 };
        let first = hunk.old.first().saturating_add(u32::try_from(left_out).unwrap_or(u32::MAX));
        let anchors = old().skip(left_out).take(LINES_MOST).map(|line| anchor(line.text)).collect();
        Self { first, anchors, is_whole: lines <= LINES_MOST, hunk }
    }

    fn lines(&self) -> impl Iterator<Item = (u32, u16)> {
        self.anchors.iter().copied().zip(self.first..).map(|(anchor, line)| (line, anchor))
    }

    /// Whether every line is where the diff says, those that are not kept here too.
    fn is_at_its_place(&self, anchors: Anchors<'_>) -> bool {
        let is_at = |line: u32, anchor| anchors.line(line) == Some(anchor);
        let mut all = self.hunk.lines().filter(|line| line.kind != LineKind::Added);
        self.lines().all(|(line, anchor)| is_at(line, anchor))
            && (self.is_whole || all.all(|line| is_at(line.old_line, anchor(line.text))))
    }

    /// Whether a line tells it from nothing at all.
    fn tells(&self) -> bool {
        self.anchors.iter().any(|&anchor| anchor != BLANK)
    }
}

/// The places of all hunks of `file` among the anchors of the file that the model knows.
pub(super) fn place(anchors: Anchors<'_>, view: &FileView<'_>, file: &FileDiff<'_>) -> Vec<Placement> {
    if anchors.is_empty() || file.old_path.is_none() {
        return file.hunks.iter().map(|_| Placement::at_its_place(Step::Unchecked)).collect();
    }
    let shown: Vec<Shown<'_>> = file.hunks.iter().map(Shown::of).collect();
    if shown.iter().all(|hunk| hunk.is_at_its_place(anchors)) {
        let step = |hunk: &Shown<'_>| if hunk.tells() { Step::Exact } else { Step::Unchecked };
        return shown.iter().map(|hunk| Placement::at_its_place(step(hunk))).collect();
    }
    let known = Known::new(anchors, view, &shown);
    let own: Vec<Vec<i64>> = shown.iter().map(|hunk| known.shifts(hunk)).collect();
    let around = nearest(&own);
    let tried: Vec<Vec<Aligned>> = (0..shown.len()).map(|at| known.aligned(&shown[at], &own[at], around[at])).collect();
    let chosen = choose(&tried);
    (0..shown.len()).map(|at| known.placement(at, &shown, &tried, &chosen)).collect()
}

/// How much of what is shown of a file is found: the mean certainty of its hunks, 0 for those that no line placed.
pub(super) fn share_found(placements: &[Placement]) -> f64 {
    let is_found = |it: &&Placement| matches!(it.step, Step::Exact | Step::Shifted | Step::Near);
    let sure = |it: &Placement| Some(it).filter(is_found).map_or(0.0, |it| it.certainty);
    placements.iter().map(sure).sum::<f64>() / placements.len().max(1) as f64
}

/// The file, as far as the hunks speak of it.
struct Known<'a> {
    anchors: Anchors<'a>,
    view: &'a FileView<'a>,
    /// How often each anchor of the hunks is in the file, and the first places of it.
    places: HashMap<u16, (usize, Vec<u32>)>,
    /// The symbols of the file by the last part of their names, once one is asked for.
    symbols: OnceCell<HashMap<String, Vec<(String, LineRange)>>>,
}

/// A hunk held against the lines around a shift.
#[derive(Clone, Debug)]
struct Aligned {
    shift: i64,
    score: f64,
    /// What its matching lines weigh, of all.
    found: f64,
    pairs: Vec<(u32, u32)>,
}

impl Aligned {
    fn first_shift(&self) -> i64 {
        self.pairs.first().map_or(self.shift, |&(old, known)| i64::from(known) - i64::from(old))
    }

    fn last_shift(&self) -> i64 {
        self.pairs.last().map_or(self.shift, |&(old, known)| i64::from(known) - i64::from(old))
    }
}

impl<'a> Known<'a> {
    fn new(anchors: Anchors<'a>, view: &'a FileView<'a>, shown: &[Shown<'_>]) -> Self {
        let asked = shown.iter().flat_map(|hunk| hunk.anchors.iter().copied());
        let mut places: HashMap<u16, (usize, Vec<u32>)> = asked.map(|anchor| (anchor, (0, Vec::new()))).collect();
        for (line, anchor) in (1..).zip(anchors.iter()) {
            if let Some((count, lines)) = places.get_mut(&anchor) {
                *count += 1;
                if lines.len() < PLACES_MOST {
                    lines.push(line);
                }
            }
        }
        Self { anchors, view, places, symbols: OnceCell::new() }
    }

    /// What a line of this anchor tells.
    fn weight(&self, anchor: u16) -> f64 {
        if anchor == BLANK {
            return BLANK_WEIGHT;
        }
        let count = self.places.get(&anchor).map_or(0, |(count, _)| *count).max(1);
        libm::log(1.0 + self.anchors.len() as f64 / count as f64)
    }

    /// The shifts for which the lines of a hunk vote most, the first the best.
    fn shifts(&self, hunk: &Shown<'_>) -> Vec<i64> {
        let mut votes: BTreeMap<i64, f64> = BTreeMap::new();
        for (line, anchor) in hunk.lines().filter(|&(_, anchor)| anchor != BLANK) {
            let (count, lines) = &self.places[&anchor];
            if *count <= PLACES_MOST {
                let weight = self.weight(anchor);
                lines.iter().for_each(|&known| *votes.entry(i64::from(known) - i64::from(line)).or_default() += weight);
            }
        }
        let mut votes: Vec<(i64, f64)> = votes.into_iter().collect();
        votes.sort_by(|a, b| b.1.total_cmp(&a.1).then((a.0.abs(), a.0).cmp(&(b.0.abs(), b.0))));
        votes.into_iter().take(SHIFTS).map(|(shift, _)| shift).collect()
    }

    /// A hunk at its own shifts, the best ones of those around it, and none.
    fn aligned(&self, hunk: &Shown<'_>, own: &[i64], around: [Option<i64>; 2]) -> Vec<Aligned> {
        let mut shifts: Vec<i64> = own.iter().copied().chain(around.into_iter().flatten()).chain([0]).collect();
        shifts.sort_unstable();
        shifts.dedup();
        shifts.into_iter().map(|shift| self.align(hunk, shift)).collect()
    }

    /// The best alignment of a hunk with the lines around a shift: at each line both sides go on, or one of them waits.
    fn align(&self, hunk: &Shown<'_>, shift: i64) -> Aligned {
        const WIDTH: usize = 2 * BAND + 1;
        let known_line = |row: usize, column: usize| {
            let line = i64::from(hunk.first) + row as i64 + shift + column as i64 - BAND as i64;
            u32::try_from(line).ok()
        };
        let start = |column: usize| -GAP * column.abs_diff(BAND) as f64;
        let mut before: [f64; WIDTH] = std::array::from_fn(start);
        let mut came_by = vec![[Move::Both; WIDTH]; hunk.anchors.len()];
        for (row, &anchor) in hunk.anchors.iter().enumerate() {
            let weight = self.weight(anchor);
            let mut now = [0.0; WIDTH];
            for column in 0..WIDTH {
                let is_same = known_line(row, column).and_then(|line| self.anchors.line(line)) == Some(anchor);
                let mut best = (before[column] + if is_same { weight } else { -GAP }, Move::Both);
                if column + 1 < WIDTH && before[column + 1] - GAP > best.0 {
                    best = (before[column + 1] - GAP, Move::Hunk);
                }
                if column > 0 && now[column - 1] - GAP > best.0 {
                    best = (now[column - 1] - GAP, Move::File);
                }
                (now[column], came_by[row][column]) = best;
            }
            before = now;
        }
        let nearest_first = (0..WIDTH).map(|column| (column.abs_diff(BAND), column));
        let mut columns: Vec<(usize, usize)> = nearest_first.collect();
        columns.sort_unstable();
        let best = columns
            .into_iter()
            .map(|(_, column)| column)
            .reduce(|best, column| if before[column] > before[best] { column } else { best });
        let mut column = best.unwrap_or(BAND);
        let mut score = before[column];
        let (mut pairs, mut found, mut row) = (Vec::new(), 0.0, hunk.anchors.len());
        while let Some(above) = row.checked_sub(1) {
            match came_by[above][column] {
                Move::Both => {
                    let anchor = hunk.anchors[above];
                    let line = known_line(above, column).filter(|&line| self.anchors.line(line) == Some(anchor));
                    if let Some(line) = line {
                        let above = u32::try_from(above).unwrap_or(u32::MAX);
                        pairs.push((hunk.first.saturating_add(above), line));
                        found += self.weight(anchor);
                    }
                    row = above;
                }
                Move::Hunk => (row, column) = (above, column + 1),
                Move::File => column -= 1,
            }
        }
        pairs.reverse();
        if let Some(&(_, line)) = pairs.first()
            && self.is_in_named(hunk.hunk, line)
        {
            score += NAMED;
        }
        Aligned { shift, score, found, pairs }
    }

    /// Whether the function that a hunk's heading names is around a line.
    fn is_in_named(&self, hunk: &Hunk<'_>, line: u32) -> bool {
        let Some(name) = scope::heading(hunk) else { return false };
        self.view.symbol_at(line).is_some_and(|symbol| symbol.name().split('.').any(|part| part == name))
    }

    fn placement(&self, at: usize, shown: &[Shown<'_>], tried: &[Vec<Aligned>], chosen: &[usize]) -> Placement {
        let of = |at: usize| &tried[at][chosen[at]];
        let (hunk, own) = (&shown[at], of(at));
        let shift = own.first_shift();
        let placed = |step, certainty| Placement { step, certainty, shift, symbol: None, pairs: own.pairs.clone() };
        let agrees = |other: usize, its_shift: i64| shown[other].tells() && its_shift == shift;
        let before = at.checked_sub(1).map(|other| agrees(other, of(other).last_shift()));
        let after = (at + 1 < shown.len()).then(|| agrees(at + 1, of(at + 1).first_shift()));
        let is_corroborated = before == Some(true) || after == Some(true);
        if !hunk.tells() {
            return placed(Step::Unchecked, if is_corroborated { 1.0 } else { AMBIGUOUS });
        }
        let is_elsewhere = |other: &&Aligned| other.first_shift() != shift && other.last_shift() != own.last_shift();
        let rivals = tried[at].iter().filter(is_elsewhere);
        let rival = rivals.map(|other| other.found).fold(0.0, f64::max);
        let is_ambiguous = shift != 0 && !is_corroborated && (rival >= RIVAL * own.found || !self.votes(hunk));
        let sure = if is_ambiguous { AMBIGUOUS } else { 1.0 };
        let is_whole = hunk.is_whole && own.pairs.len() == hunk.anchors.len() && own.last_shift() == shift;
        if is_whole {
            let (step, sure) = if shift == 0 { (Step::Exact, 1.0) } else { (Step::Shifted, sure) };
            return placed(step, sure);
        }
        if own.found >= NEAR_LEAST {
            return placed(Step::Near, sure * own.found / (own.found + HALF_SURE));
        }
        match self.named(hunk.hunk, i64::from(hunk.first) + shift) {
            Some(symbol) => Placement { symbol: Some(symbol), ..placed(Step::Symbol, SYMBOL_CERTAINTY) },
            None => placed(Step::File, FILE_CERTAINTY),
        }
    }

    /// Whether a line of a hunk is rare enough to vote.
    fn votes(&self, hunk: &Shown<'_>) -> bool {
        let is_rare = |anchor| self.places.get(anchor).is_some_and(|(count, _)| (1..=PLACES_MOST).contains(count));
        hunk.anchors.iter().any(|anchor| *anchor != BLANK && is_rare(anchor))
    }

    /// The symbol that a hunk names, of several of that name the one nearest to a line.
    fn named(&self, hunk: &Hunk<'_>, line: i64) -> Option<LineRange> {
        let symbols = self.symbols.get_or_init(|| {
            let mut symbols: HashMap<String, Vec<(String, LineRange)>> = HashMap::new();
            for symbol in self.view.symbols() {
                let name = symbol.name();
                let last = name.rsplit('.').next().unwrap_or(&name).to_owned();
                symbols.entry(last).or_default().push((name, symbol.lines));
            }
            symbols
        });
        let names = scope::changed_symbols(hunk);
        let of_name = |name: &scope::SymbolName<'_>| {
            let known = name.function.or(name.group).and_then(|last| symbols.get(last));
            let known = known.into_iter().flatten().filter(|(qualified, _)| name.is(qualified));
            known.map(|(_, lines)| *lines).min_by_key(|lines| i64::from(lines.first).abs_diff(line))
        };
        let found = names.iter().take(NAMES_MOST).filter_map(of_name);
        found.min_by_key(|lines| i64::from(lines.first).abs_diff(line))
    }
}

/// For each hunk the best shift of the nearest one before it that has any, and of the nearest one after it.
fn nearest(own: &[Vec<i64>]) -> Vec<[Option<i64>; 2]> {
    let mut around = vec![[None; 2]; own.len()];
    let mut last = None;
    for (at, shifts) in own.iter().enumerate() {
        around[at][0] = last;
        last = shifts.first().copied().or(last);
    }
    last = None;
    for (at, shifts) in own.iter().enumerate().rev() {
        around[at][1] = last;
        last = shifts.first().copied().or(last);
    }
    around
}

/// What an alignment does at a line of the hunk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Move {
    /// Both sides go on.
    Both,
    /// The line is not in the file.
    Hunk,
    /// A line of the file is not in the hunk.
    File,
}

/// For each hunk the alignment that makes the most of all together.
fn choose(tried: &[Vec<Aligned>]) -> Vec<usize> {
    let change = |from: i64, to: i64| match from.abs_diff(to) {
        0 => 0.0,
        far => SHIFT.0 + SHIFT.1 * libm::log(1.0 + far as f64),
    };
    let mut came_by: Vec<Vec<usize>> = Vec::with_capacity(tried.len());
    let mut sums: Vec<f64> = Vec::new();
    for (at, own) in tried.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &tried[before]);
        let mut next = Vec::with_capacity(own.len());
        let mut links = Vec::with_capacity(own.len());
        for aligned in own {
            let after = |sum: f64, earlier: &Aligned| {
                let is_backwards = matches!(
                    (earlier.pairs.last(), aligned.pairs.first()),
                    (Some((_, last)), Some((_, first))) if first <= last
                );
                sum - change(earlier.last_shift(), aligned.first_shift()) - if is_backwards { BACKWARDS } else { 0.0 }
            };
            let (link, sum) = match before {
                None => (0, -change(0, aligned.first_shift())),
                Some(before) => {
                    let sums = before.iter().zip(&sums).map(|(earlier, &sum)| after(sum, earlier)).enumerate();
                    sums.reduce(|best, next| if next.1 > best.1 { next } else { best }).unwrap_or_default()
                }
            };
            next.push(sum + aligned.score);
            links.push(link);
        }
        sums = next;
        came_by.push(links);
    }
    let best = sums.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    let mut last = best.map_or(0, |(at, _)| at);
    let mut chosen = vec![0; tried.len()];
    for at in (0..tried.len()).rev() {
        chosen[at] = last;
        last = came_by[at][last];
    }
    chosen
}
