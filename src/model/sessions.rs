//! Sessions of the runner: a few entries of one size, each with its own checksum. `docs/format.md` is normative.

use bytemuck::{Pod, Zeroable};

use super::bytes::checksum;
use super::error::ModelError;
use crate::observation::{SESSIONS_KEPT, Session};

const SECTION: &str = "sessions";
/// Length of an entry in bytes.
pub(crate) const SESSION_BYTES: usize = size_of::<RawSession>();
/// Flag of an entry: it was measured from outside.
const WHOLE: u32 = 1;

/// A session as it lies in its section, little-endian.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct RawSession {
    time_us: [u8; 8],
    cost_us: [u8; 8],
    wall_us: [u8; 8],
    tests: [u8; 4],
    files: [u8; 4],
    flags: [u8; 4],
    checksum: [u8; 4],
}

impl RawSession {
    fn expected_checksum(&self, position: usize) -> u32 {
        checksum(&bytemuck::bytes_of(self)[..SESSION_BYTES - 4], position as u64)
    }
}

/// Lays out sessions, ascending.
pub(crate) fn encode<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Vec<u8> {
    let mut out = Vec::new();
    for (position, session) in sessions.into_iter().enumerate() {
        let mut raw = RawSession {
            time_us: session.time_us.to_le_bytes(),
            cost_us: session.cost_us.to_le_bytes(),
            wall_us: session.wall_us.to_le_bytes(),
            tests: session.tests.to_le_bytes(),
            files: session.files.to_le_bytes(),
            flags: (if session.whole { WHOLE } else { 0 }).to_le_bytes(),
            checksum: [0; 4],
        };
        raw.checksum = raw.expected_checksum(position).to_le_bytes();
        out.extend_from_slice(bytemuck::bytes_of(&raw));
    }
    out
}

/// Checks the length alone: whole entries, and no more than are ever kept.
pub(crate) fn check_length(bytes: &[u8]) -> Result<(), ModelError> {
    match bytes.len().is_multiple_of(SESSION_BYTES) && bytes.len() <= SESSIONS_KEPT * SESSION_BYTES {
        true => Ok(()),
        false => Err(ModelError::damaged(SECTION, "its length is not that of sixteen entries at most")),
    }
}

/// All sessions, ascending.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Session>, ModelError> {
    let damaged = |problem| Err(ModelError::damaged(SECTION, problem));
    check_length(bytes)?;
    let mut sessions: Vec<Session> = Vec::with_capacity(bytes.len() / SESSION_BYTES);
    for (position, raw) in bytemuck::cast_slice::<u8, RawSession>(bytes).iter().enumerate() {
        if raw.expected_checksum(position) != u32::from_le_bytes(raw.checksum) {
            return damaged("the checksum of an entry does not match");
        }
        let flags = u32::from_le_bytes(raw.flags);
        let session = Session {
            whole: flags & WHOLE != 0,
            time_us: u64::from_le_bytes(raw.time_us),
            tests: u32::from_le_bytes(raw.tests),
            files: u32::from_le_bytes(raw.files),
            cost_us: u64::from_le_bytes(raw.cost_us),
            wall_us: u64::from_le_bytes(raw.wall_us),
        };
        if flags & !WHOLE != 0 || !session.is_sound() || sessions.last().is_some_and(|last| *last >= session) {
            return damaged("an entry is no session, or the entries do not ascend");
        }
        sessions.push(session);
    }
    Ok(sessions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Vec<Session> {
        let session = |at: u32| Session {
            whole: at > 1,
            time_us: u64::from(at) << 40,
            tests: 7 + at,
            files: 2,
            cost_us: 9,
            wall_us: 1 << at,
        };
        (0..4).map(session).collect()
    }

    #[test]
    fn sessions_come_back_and_flips_do_not() {
        let bytes = encode(&sessions());
        assert_eq!(SESSION_BYTES, 40);
        assert_eq!(read(&bytes), Ok(sessions()));
        assert_eq!(read(&[]), Ok(Vec::new()));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(read(&flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn entries_that_are_no_sessions_are_errors() {
        let broken = |change: &dyn Fn(&mut Vec<Session>)| {
            let mut sessions = sessions();
            change(&mut sessions);
            read(&encode(&sessions)).is_err()
        };
        assert!(broken(&|all| all.reverse()));
        assert!(broken(&|all| all[1] = all[0]));
        assert!(broken(&|all| all[2].wall_us = 0));
        assert!(broken(&|all| all[2].files = all[2].tests + 1));
        assert!(broken(&|all| (all[2].files, all[2].tests) = (0, 0)));
        assert!(check_length(&[0; SESSION_BYTES * (SESSIONS_KEPT + 1)]).is_err());
        assert!(check_length(&[0; SESSION_BYTES - 1]).is_err());
    }
}
