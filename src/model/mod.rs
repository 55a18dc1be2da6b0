//! THE format: what lies where in a `.covopt` file, and the [`Index`] that reads it in place.
//!
//! Open is O(1) in the size of the file; a question touches what its files need and nothing else; every part is checked
//! against its own checksum when it is touched, and against the rules of the format as it is read. Any bytes give the
//! right answer or a [`ModelError`]. This room knows nothing of diffs or weights. `docs/format.md` is the normative
//! description, byte by byte.

mod anchors;
pub(crate) mod bytes;
pub(crate) mod chunk;
#[cfg(test)]
mod crafted;
mod error;
pub(crate) mod facts;
pub(crate) mod failures;
mod file;
mod index;
pub(crate) mod layout;
pub(crate) mod names;
pub(crate) mod pace;
pub(crate) mod postings;
pub(crate) mod probe;
pub(crate) mod record;
pub(crate) mod root;
pub(crate) mod seal;
pub(crate) mod sessions;
mod verify;
pub(crate) mod vocabulary;

pub use anchors::{Anchors, BLANK, FILE_BYTES_MOST as ANCHORED_BYTES_MOST, anchor, anchors};
pub use error::ModelError;
pub use facts::{RunFact, TestRecord};
pub use file::{FileView, SymbolView};
pub use index::{Feature, Index, PathMatch};
pub(crate) use index::{LengthReader, RawFeature};
pub use layout::{Extent, Kind, Preamble, Section, VERSION};
pub use postings::{Encoding, Posting, PostingList};
pub(crate) use postings::{Entry, Reader, each_test};
pub use record::{LineRun, Stamp, dequantize_count, quantize_count};
pub use root::Root;
