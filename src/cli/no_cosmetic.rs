//! What stands for `cosmetic` where reading source is left out of the crate: no hunk is known to be.

use std::borrow::Cow;
use std::path::Path;

use crate::diff::Diff;

pub(super) fn marked<'d, 'a>(diff: &'d Diff<'a>, _root: &Path) -> Cow<'d, Diff<'a>> {
    Cow::Borrowed(diff)
}
