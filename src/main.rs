//! The covopt command.
fn main() {}
