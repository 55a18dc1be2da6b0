//! What the machine has.

/// Where the machine does not say how much memory it has: a gigabyte.
const UNKNOWN_BYTES: usize = 1 << 30;

/// A quarter of the memory of the machine, in bytes.
pub(super) fn quarter_of_memory() -> usize {
    let said = std::fs::read_to_string("/proc/meminfo").ok();
    said.as_deref().and_then(total_bytes).map_or(UNKNOWN_BYTES, |bytes| bytes / 4)
}

/// The total that Linux's `/proc/meminfo` states.
fn total_bytes(meminfo: &str) -> Option<usize> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        assert_eq!(total_bytes("MemTotal:       24684320 kB\nMemFree:  1 kB\n"), Some(24_684_320 * 1024));
        assert_eq!(total_bytes("MemTotal: many kB"), None);
    }
}
