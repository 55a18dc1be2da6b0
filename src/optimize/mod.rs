//! The budgeted choice.

mod level;

pub use level::{CHANCE_ONE, Level};
