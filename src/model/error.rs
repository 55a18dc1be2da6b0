//! What can be wrong with a model file.

use thiserror::Error;

/// Why a model could not be opened or read. Whoever opened the file adds its path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The bytes do not start like a model.
    #[error(
        "not a covopt model: expected the 8-byte mark of a `.covopt` file, found {found:02x?}; make one with `covopt build`"
    )]
    NotAModel {
        /// The first bytes, at most eight.
        found: Vec<u8>,
    },
    /// The format version is not one this build reads.
    #[error(
        "format version {found}, this build reads {supported}; rebuild it with `covopt build`, or use the covopt that wrote it"
    )]
    Version {
        /// The version in the header.
        found: u32,
        /// The version this build reads.
        supported: u32,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "{found} bytes where its header says {expected}: the file was cut or appended to; rebuild it with `covopt build`"
    )]
    Length {
        /// The length in the header.
        expected: u64,
        /// The length of the file.
        found: u64,
    },
    /// A required section is missing, or one that this build does not know is required.
    #[error("section {kind} is {problem}; rebuild it with `covopt build`")]
    Section {
        /// The number of the section's kind.
        kind: u32,
        /// What is wrong: missing, unknown and not optional, out of order, outside the file, overlapping.
        problem: &'static str,
    },
    /// Bytes do not match their checksum, or break a rule of the format.
    #[error("section `{section}` is damaged: {problem}; rebuild it with `covopt build`")]
    Damaged {
        /// The section's name.
        section: &'static str,
        /// What was expected of the bytes.
        problem: &'static str,
    },
    /// The bytes in memory do not start at a multiple of sixteen.
    #[error("a model in memory must start at a multiple of 16 bytes; copy it into an aligned buffer")]
    Misaligned,
}

impl ModelError {
    /// A shorthand for [`ModelError::Damaged`].
    pub(crate) fn damaged(section: &'static str, problem: &'static str) -> Self {
        Self::Damaged { section, problem }
    }
}
