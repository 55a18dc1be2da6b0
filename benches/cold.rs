//! One query of a model: `cold MODEL DIFF [--unadvised]` prints the milliseconds from opening the model to the selection.
//!
//! For `benches/table.py`, which takes the model out of the page cache before: what the advice to the system brings.

#![allow(clippy::print_stdout, reason = "a program that prints its answer")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use covopt::change::{Change, Mapping};
use covopt::choose::{Terms, choose};
use covopt::diff;
use covopt::mmap;
use covopt::optimize::Options;
use covopt::relevance::{Query, Relevance};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, diff, rest @ ..] = &arguments[..] else { return Err("cold MODEL DIFF [--unadvised]".into()) };
    let text = std::fs::read(diff)?;
    let diff = diff::parse(&text)?;
    let start = Instant::now();
    let index = match rest {
        [] => mmap::open(Path::new(model))?,
        _ => mmap::open_unadvised(Path::new(model))?,
    };
    let change = Change::read(&index, &diff, Mapping::default())?;
    let relevance = Relevance::score(&index, &Query::of(&diff, &change))?;
    let terms = Terms { options: Options { budget_us: Some(10_000_000), ..Options::default() }, ..Terms::default() };
    let choice = choose(&index, &change, &relevance, &terms, &mut |id| Ok(Some(id.to_owned())))?;
    println!("{} {}", start.elapsed().as_secs_f64() * 1e3, choice.named.len());
    Ok(())
}
