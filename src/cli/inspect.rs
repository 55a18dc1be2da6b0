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

/// Flags of `inspect`.
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
    bytes_per_posting: Option<f64>,
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
    encodings: BTreeMap<&'static str, EncodingReport>,
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
        bytes_per_posting: (root.postings > 0).then(|| bytes as f64 / root.postings as f64),
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
        encodings: encodings(model).map_err(|error| model.error(error))?,
    })
}

fn encodings(model: &Model) -> Result<BTreeMap<&'static str, EncodingReport>, ModelError> {
    let index = &model.index;
    let mut shares: BTreeMap<&'static str, EncodingReport> = BTreeMap::new();
    let mut add = |list: PostingList<'_>| {
        let name = match list.encoding() {
            _ if list.count() == 0 => "empty",
            Encoding::Runs => "runs",
            Encoding::Roaring => "roaring",
            Encoding::Range => "range",
        };
        let share = shares.entry(name).or_default();
        share.lists += 1;
        share.postings += u64::from(list.count());
    };
    for file in (0..index.root().files).map(FileId) {
        let view = index.file(file)?;
        for block in (0u32..).take(view.block_count()) {
            add(view.block(block)?);
        }
        add(view.touching()?);
        add(view.defines()?);
    }
    for feature in (0..index.root().features).map(FeatureId) {
        add(index.feature(feature)?.list);
    }
    Ok(shares)
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
    let per_posting =
        report.bytes_per_posting.map_or(String::new(), |bytes| format!(", {bytes:.2} bytes each over the whole file"));
    line("postings", format!("{}{per_posting}; {} more by file", count(report.postings), count(report.file_postings)));
    for (name, share) in &report.encodings {
        line(&format!("  {name}"), format!("{} lists, {} postings", count(share.lists), count(share.postings)));
    }
    line("bytes", count(report.bytes));
    for section in &report.sections {
        let share = section.bytes as f64 / report.bytes.max(1) as f64 * 100.0;
        line(&format!("  {}", section.name), format!("{:>12} {share:>5.1} %", count(section.bytes as u64)));
    }
    lines.join("\n") + "\n"
}
