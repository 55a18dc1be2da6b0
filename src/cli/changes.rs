//! `covopt changes`: how a diff is read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use super::cosmetic;
use super::diff_input::{DiffInput, empty_hint};
use super::{DiffArgs, ModelArgs, Outcome, ReportFormat, SinkArgs, note, sink};
use crate::change::{Change, Mapping, PlacedFile};
use crate::diff::{Diff, FileDiff};
use crate::output::{PlaceReport, UnmappedPart, counted, escape};

/// Show how a diff is read: files, hunks and the regions they touch
#[derive(Debug, Args)]
pub(super) struct ChangesArgs {
    #[command(flatten)]
    diff: DiffArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Match paths exactly, never by their ends
    #[arg(long)]
    strict_paths: bool,
    /// Take comments, docstrings and formatting for changes like others
    #[arg(long)]
    no_cosmetic_filter: bool,
    #[command(flatten)]
    output: SinkArgs,
    /// For people or for machines
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

#[derive(Debug, Serialize)]
struct ChangesReport {
    files: Vec<FileReport>,
    unmapped: Vec<UnmappedPart>,
}

#[derive(Debug, Serialize)]
struct FileReport {
    old_path: Option<String>,
    new_path: Option<String>,
    status: &'static str,
    added: u32,
    removed: u32,
    /// The path that the model knows it by, where that is another.
    known_as: Option<String>,
    hunks: Vec<HunkReport>,
    regions: Vec<RegionReport>,
}

#[derive(Debug, Serialize)]
struct HunkReport {
    old_start: u32,
    old_lines: u32,
    new_start: u32,
    new_lines: u32,
    /// Whether it changes nothing that runs.
    cosmetic: bool,
    /// Where the model has it, if it knows the file.
    place: Option<PlaceReport>,
}

#[derive(Debug, Serialize)]
struct RegionReport {
    kind: &'static str,
    name: String,
    lines: Vec<[u32; 2]>,
    weight: f64,
}

/// Runs `changes`.
pub(super) fn run(args: &ChangesArgs) -> Outcome {
    let place = sink::prepare_with_place(&args.output, &args.model, &[&args.diff.diff])?;
    let input = DiffInput::read(&args.diff.diff, "covopt changes")?;
    let diff = input.parse()?;
    let diff = match args.no_cosmetic_filter {
        true => Cow::Borrowed(&diff),
        false => cosmetic::marked(&diff, &place.root),
    };
    let change = if place.named || place.model.exists() {
        let model = place.open()?;
        let mapping = Mapping { strict_paths: args.strict_paths, whole_test_files: false };
        Some(Change::read(&model.index, &diff, mapping).map_err(|error| model.error(error))?)
    } else {
        None
    };
    let report = report(&diff, change.as_ref());
    if diff.files.is_empty() {
        note(&empty_hint(&diff));
    }
    match args.format {
        ReportFormat::Json => sink::write_json(args.output.file(), &report),
        ReportFormat::Text => sink::write(args.output.file(), text(&report, change.is_some()).as_bytes()),
    }
}

fn report(diff: &Diff<'_>, change: Option<&Change>) -> ChangesReport {
    let mut regions: Vec<Vec<RegionReport>> = diff.files.iter().map(|_| Vec::new()).collect();
    for region in change.map_or(&[][..], |change| &change.regions) {
        regions[region.diff_file].push(RegionReport {
            kind: region.source.kind(),
            name: region.name.clone(),
            lines: region.lines.iter().map(|range| [range.first, range.last]).collect(),
            weight: region.weight,
        });
    }
    let placed_files = change.map_or(&[][..], |change| &change.placements);
    let placed = |diff_file: usize| {
        let at = placed_files.binary_search_by_key(&diff_file, |placed| placed.diff_file).ok()?;
        Some(&placed_files[at])
    };
    let files = diff.files.iter().zip(regions).enumerate();
    ChangesReport {
        files: files.map(|(at, (file, regions))| file_report(file, placed(at), regions)).collect(),
        unmapped: change.map_or_else(Vec::new, |change| UnmappedPart::all(change, diff)),
    }
}

fn file_report(file: &FileDiff<'_>, placed: Option<&PlacedFile>, regions: Vec<RegionReport>) -> FileReport {
    let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    FileReport {
        old_path: file.old_path.as_deref().map(text),
        new_path: file.new_path.as_deref().map(text),
        status: file.status.as_str(),
        added: file.added,
        removed: file.removed,
        known_as: placed.and_then(|placed| placed.known_as.clone()),
        hunks: file
            .hunks
            .iter()
            .enumerate()
            .map(|(at, hunk)| HunkReport {
                old_start: hunk.old.start,
                old_lines: hunk.old.lines,
                new_start: hunk.new.start,
                new_lines: hunk.new.lines,
                cosmetic: hunk.is_cosmetic,
                place: placed.and_then(|placed| placed.hunks.get(at)).map(|it| PlaceReport::new(it, hunk)),
            })
            .collect(),
        regions,
    }
}

fn text(report: &ChangesReport, mapped: bool) -> String {
    let mut lines: Vec<String> = Vec::new();
    for file in &report.files {
        let path = match (&file.old_path, &file.new_path) {
            (Some(old), Some(new)) if old != new => format!("{} -> {}", escape(old), escape(new)),
            (old, new) => escape(new.as_deref().or(old.as_deref()).unwrap_or_default()).into_owned(),
        };
        lines.push(format!("{:<9} {path}  +{} -{}", file.status, file.added, file.removed));
        if let Some(path) = &file.known_as {
            lines.push(format!("  known as  {}", escape(path)));
        }
        for hunk in &file.hunks {
            let HunkReport { old_start, old_lines, new_start, new_lines, cosmetic, place } = hunk;
            let cosmetic = if *cosmetic { "  cosmetic" } else { "" };
            let place = place.as_ref().and_then(PlaceReport::words).map_or(String::new(), |words| format!("  {words}"));
            lines.push(format!("  hunk      -{old_start},{old_lines} +{new_start},{new_lines}{place}{cosmetic}"));
        }
        for region in &file.regions {
            let ranges: Vec<String> = region
                .lines
                .iter()
                .map(|[first, last]| if first == last { first.to_string() } else { format!("{first}-{last}") })
                .collect();
            let at = if ranges.is_empty() { String::new() } else { format!("  lines {}", ranges.join(", ")) };
            lines.push(format!("  {:<9} {:>5.1} %  {}{at}", region.kind, region.weight * 100.0, escape(&region.name)));
        }
    }
    for part in &report.unmapped {
        lines.push(format!("unmapped  {:>5.1} %  {} ({})", part.weight * 100.0, escape(&part.path), part.reason));
        lines.extend(part.matches.iter().map(|path| format!("            may be {}", escape(path))));
    }
    let unmapped: BTreeSet<&str> = report.unmapped.iter().map(|part| part.path.as_str()).collect();
    let files = counted(report.files.len(), "file");
    let regions: usize = report.files.iter().map(|file| file.regions.len()).sum();
    lines.push(match mapped {
        true => format!("{files}, {}, {} unmapped", counted(regions, "region"), counted(unmapped.len(), "file")),
        false => format!("{files}; no model, so no regions (`covopt build` makes one)"),
    });
    lines.join("\n") + "\n"
}
