//! The budgeted choice.
