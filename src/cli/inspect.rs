//! `covopt inspect`: what is in a model.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::model_source::{Model, Place};
use super::{ModelArgs, Outcome, ReportFormat, sink, units::seconds_of};
use crate::clock::Clock;
use crate::error::Error;
use crate::id::{FeatureId, FileId};
use crate::model::{Encoding, Kind, ModelError, PostingList};
use crate::output::{ClockReport, counted, escape, group_digits, seconds};

/// Show what is in a model
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// For people or for machines
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

#[derive(Debug, Serialize)]
struct InspectReport {
    path: String,
    version: u32,
    base: Option<String>,
    bytes: u64,
    size: SizeReport,
    tests: u32,
    tests_with_cost: u32,
    tests_without_cost: u32,
    tests_recorded: u32,
    tests_declared: u32,
    tests_failed: u32,
    files: u32,
    features: u32,
    symbols: u64,
    blocks: u64,
    postings: u64,
    file_postings: u64,
    runs: u64,
    commits: u32,
    sessions: usize,
    clock: ClockReport,
    pace_spread: Option<f64>,
    constants_stated: BTreeMap<&'static str, f64>,
    suite_s: f64,
    median_cost_s: f64,
    sections: Vec<SectionReport>,
    lists: Lists,
}

/// What the file costs a posting of blocks and features, and what words add.
#[derive(Debug, Serialize)]
struct SizeReport {
    words_bytes: u64,
    /// Names, costs, facts and tables of tests and files, which do not grow with the postings.
    tables_bytes: u64,
    bytes_per_posting: Option<f64>,
    bytes_per_posting_without_words: Option<f64>,
    bytes_per_posting_without_words_and_tables: Option<f64>,
    /// Words over all the rest.
    words_on_top: f64,
}

/// The sections of words.
const WORD_KINDS: [Kind; 3] = [Kind::Vocabulary, Kind::WordPostings, Kind::WordCounts];
/// The sections that grow with what is recorded of tests and files; all others are fixed by the numbers of these.
const RECORDED_KINDS: [Kind; 4] = [Kind::Records, Kind::Postings, Kind::Features, Kind::FeatureNames];

impl SizeReport {
    fn new(bytes: u64, postings: u64, bytes_of: impl Fn(Kind) -> u64) -> Self {
        let words_bytes: u64 = WORD_KINDS.into_iter().map(&bytes_of).sum();
        let recorded_bytes: u64 = RECORDED_KINDS.into_iter().map(&bytes_of).sum();
        let rest_bytes = bytes.saturating_sub(words_bytes);
        let per_posting = |bytes: u64| (postings > 0).then(|| bytes as f64 / postings as f64);
        Self {
            words_bytes,
            tables_bytes: rest_bytes.saturating_sub(recorded_bytes),
            bytes_per_posting: per_posting(bytes),
            bytes_per_posting_without_words: per_posting(rest_bytes),
            bytes_per_posting_without_words_and_tables: per_posting(recorded_bytes),
            words_on_top: words_bytes as f64 / rest_bytes.max(1) as f64,
        }
    }
}

#[derive(Debug, Serialize)]
struct SectionReport {
    name: &'static str,
    kind: u32,
    bytes: usize,
}

/// Lists as they are referred to: a list that is stored once and shared counts at each reference.
#[derive(Debug, Default, Serialize)]
struct EncodingReport {
    lists: u64,
    postings: u64,
    bytes: u64,
}

/// Runs `inspect`.
pub(super) fn run(args: &InspectArgs) -> Outcome {
    let model = Place::find(&args.model)?.open()?;
    let report = report(&model)?;
    match args.format {
        ReportFormat::Json => sink::write_json(None, &report),
        ReportFormat::Text => sink::write(None, text(&report).as_bytes()),
    }
}

fn report(model: &Model) -> Result<InspectReport, Error> {
    let index = &model.index;
    let root = index.root();
    let bytes = index.bytes().len() as u64;
    let sessions = index.sessions().map_err(|error| model.error(error))?;
    let name = |kind: u32| Kind::ALL.iter().find(|&&known| known as u32 == kind).map_or("unknown", |kind| kind.name());
    let parts = index.preamble().sections.iter();
    Ok(InspectReport {
        path: model.path.display().to_string(),
        version: index.version(),
        base: root.base.clone(),
        bytes,
        size: SizeReport::new(bytes, root.postings, |kind| index.preamble().extent(kind).length as u64),
        tests: root.tests,
        tests_with_cost: root.tests_with_cost,
        tests_without_cost: root.tests.saturating_sub(root.tests_with_cost),
        tests_recorded: root.tests_recorded,
        tests_declared: root.tests_declared,
        tests_failed: root.tests_failed,
        files: root.files,
        features: root.features,
        symbols: root.symbols,
        blocks: root.blocks,
        postings: root.postings,
        file_postings: root.file_postings,
        runs: root.runs,
        commits: root.commits,
        sessions: sessions.len(),
        clock: ClockReport::from(Clock::learn(&sessions)),
        pace_spread: root.pace_spread_ppm.map(|ppm| f64::from(ppm) / 1e6),
        constants_stated: root.calibration.stated(root.constants_stated).collect(),
        suite_s: seconds_of(root.total_cost_us),
        median_cost_s: seconds_of(root.median_cost_us),
        sections: parts
            .map(|section| SectionReport { name: name(section.kind), kind: section.kind, bytes: section.extent.length })
            .collect(),
        lists: lists(model).map_err(|error| model.error(error))?,
    })
}

/// The encodings of lists of one kind.
#[derive(Default)]
struct Shares(BTreeMap<&'static str, EncodingReport>);

impl Shares {
    fn add(&mut self, list: PostingList<'_>) {
        let name = match list.encoding() {
            _ if list.count() == 0 => "empty",
            Encoding::Runs => "runs",
            Encoding::Roaring => "roaring",
            Encoding::Range => "range",
        };
        let share = self.0.entry(name).or_default();
        share.lists += 1;
        share.postings += u64::from(list.count());
        share.bytes += u64::from(list.bytes());
    }
}

/// By what the lists are of, then by encoding.
type Lists = BTreeMap<&'static str, BTreeMap<&'static str, EncodingReport>>;

fn lists(model: &Model) -> Result<Lists, ModelError> {
    let index = &model.index;
    let [mut blocks, mut files, mut features, mut words]: [Shares; 4] = Default::default();
    for file in (0..index.root().files).map(FileId) {
        let view = index.file(file)?;
        for block in (0u32..).take(view.block_count()) {
            blocks.add(view.block(block)?);
        }
        files.add(view.touching()?);
        files.add(view.defines()?);
    }
    for feature in (0..index.root().features).map(FeatureId) {
        features.add(index.feature(feature)?.list);
    }
    index.each_word(|_, list| {
        words.add(list);
        Ok(())
    })?;
    Ok([("blocks", blocks.0), ("features", features.0), ("files", files.0), ("words", words.0)].into())
}

fn text(report: &InspectReport) -> String {
    let mut lines = vec![format!("model {}, format version {}", escape(&report.path), report.version)];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<20} {value}"));
    let count = |number: u64| group_digits(number);
    line("base", report.base.as_deref().map_or("not known".to_owned(), |base| escape(base).into_owned()));
    line(
        "tests",
        format!(
            "{}: {} recorded, {} declared, {} without a cost (taken as {})",
            count(report.tests.into()),
            count(report.tests_recorded.into()),
            count(report.tests_declared.into()),
            count(report.tests_without_cost.into()),
            seconds(report.median_cost_s)
        ),
    );
    line("suite", format!("{} in all, median {}", seconds(report.suite_s), seconds(report.median_cost_s)));
    line(
        "runs",
        format!(
            "{} of {}, {} with a failure",
            count(report.runs),
            counted(report.commits as usize, "commit"),
            counted(report.tests_failed as usize, "test")
        ),
    );
    let pace = report.pace_spread.map_or("unknown".to_owned(), |spread| format!("{:.1} %", spread * 100.0));
    line(
        "clock",
        format!(
            "{} ({}, {}); spread of the pace {pace}",
            report.clock,
            report.clock.source,
            counted(report.sessions, "session")
        ),
    );
    if !report.constants_stated.is_empty() {
        let stated = report.constants_stated.iter().map(|(name, value)| format!("{name} {value:.2}"));
        line("fitted constants", stated.collect::<Vec<_>>().join(", "));
    }
    line(
        "files",
        format!("{}, {} symbols, {} blocks", count(report.files.into()), count(report.symbols), count(report.blocks)),
    );
    if report.features > 0 {
        line("declared features", count(report.features.into()));
    }
    line("postings", format!("{}; {} more by file", count(report.postings), count(report.file_postings)));
    for (of, encodings) in report.lists.iter().filter(|(_, encodings)| !encodings.is_empty()) {
        let share = |(name, share): (&&str, &EncodingReport)| {
            let [lists, postings, bytes] = [share.lists, share.postings, share.bytes].map(count);
            format!("{name} {lists} ({postings} postings, {bytes} bytes)")
        };
        line(&format!("  lists of {of}"), encodings.iter().map(share).collect::<Vec<_>>().join(", "));
    }
    let size = &report.size;
    if let (Some(all), Some(without_words), Some(recorded)) =
        (size.bytes_per_posting, size.bytes_per_posting_without_words, size.bytes_per_posting_without_words_and_tables)
    {
        let without = format!("{without_words:.2} without words, {recorded:.2} without names and tables too");
        line("bytes per posting", format!("{all:.2}: {without}"));
    }
    line("words", format!("{} bytes, {:.0} % on top", count(size.words_bytes), size.words_on_top * 100.0));
    line("bytes", count(report.bytes));
    for section in &report.sections {
        let share = section.bytes as f64 / report.bytes.max(1) as f64 * 100.0;
        line(&format!("  {}", section.name), format!("{:>12} {share:>5.1} %", count(section.bytes as u64)));
    }
    lines.join("\n") + "\n"
}
