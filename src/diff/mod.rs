//! Unified diff bytes in, files and hunks out.
