//! The SQLite database that coverage.py writes, schema 7 (coverage 5 to 7): lines (`line_bits`) or arcs (`arc`).
//!
//! The user's file and its neighbours are never written: it is opened read-only, and a database with an unfinished
//! journal or write-ahead log is read from a copy in a temporary directory. The schema is as untrusted as the rows: no
//! views, triggers, functions in the schema or extensions run, no column is computed, and each column's type is checked.
//!
//! SQLite follows what its pages refer to, however often one of them is referred to: a few crafted pages can stand for more
//! rows than there is memory or time for. So what is read is held against the size of the file.

#[cfg(not(feature = "sqlite"))]
use super::{Context, Ingest, IngestError, Summary};

#[cfg(feature = "sqlite")]
pub(super) use sqlite::{read_bytes, read_path};

#[cfg(not(feature = "sqlite"))]
pub(super) fn read_bytes(input: &str, _: &[u8], _: &Context, _: &mut Ingest) -> Result<Summary, IngestError> {
    Err(IngestError::NoSqlite { input: input.to_owned() })
}

#[cfg(not(feature = "sqlite"))]
pub(super) fn read_path(
    input: &str,
    _: &std::path::Path,
    _: &Context,
    _: &mut Ingest,
    _: impl FnMut(u64, u64),
) -> Result<Summary, IngestError> {
    Err(IngestError::NoSqlite { input: input.to_owned() })
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::collections::{HashMap, HashSet};
    use std::ffi::OsString;
    use std::io::{Read, Write};
    use std::path::{Path, PathBuf};

    use rusqlite::config::DbConfig;
    use rusqlite::types::ValueRef;
    use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

    use super::super::recording::{RecordedFile, Recording};
    use super::super::{Context, Ingest, IngestError, Kind, MAX_LINE, Summary};
    use crate::observation::{LineRange, LineSet};

    /// The schema of coverage 5.0a6 to 7.
    const SCHEMA_VERSION: i64 = 7;
    const TABLES: [&str; 5] = ["coverage_schema", "file", "context", "line_bits", "arc"];

    /// What a row takes of a page at least: a pointer to it, and its length and number.
    const ROW_BYTES_LEAST: u64 = 4;
    /// Text of UTF-16 is half as long again in UTF-8.
    const LONGER_IN_MEMORY: u64 = 2;
    /// Steps of SQLite's machine for each byte of the file. A row takes about six, and at least as many bytes.
    const STEPS_PER_BYTE: u64 = 4;
    /// So many more whatever the size, for the statements themselves.
    const STEPS_LEAST: u64 = 1 << 20;
    /// Steps between two counts of them.
    const STEPS_COUNTED: u16 = 1 << 12;

    /// Reads a database from memory, as it comes from standard input.
    pub(in super::super) fn read_bytes(
        input: &str,
        bytes: &[u8],
        context: &Context,
        into: &mut Ingest,
    ) -> Result<Summary, IngestError> {
        let io = |source| IngestError::Io { input: input.to_owned(), source };
        let mut file = tempfile::NamedTempFile::new().map_err(io)?;
        file.write_all(bytes).and_then(|()| file.flush()).map_err(io)?;
        read_path(input, file.path(), context, into, |_, _| ())
    }

    /// Reads a database where it lies; `told` hears how much of how much is done.
    pub(in super::super) fn read_path(
        input: &str,
        path: &Path,
        context: &Context,
        into: &mut Ingest,
        mut told: impl FnMut(u64, u64),
    ) -> Result<Summary, IngestError> {
        let io = |source| IngestError::Io { input: input.to_owned(), source };
        let path = std::path::absolute(path).map_err(io)?;
        let mut head = [0; 20];
        let mut file = std::fs::File::open(&path).map_err(io)?;
        let length = file.read(&mut head).map_err(io)?;
        if length == 0 {
            return Err(IngestError::Empty { input: input.to_owned() });
        }
        let held = ["", "-wal", "-journal"]
            .map(|suffix| std::fs::metadata(beside(&path, suffix)).map_or(0, |held| held.len()));
        let source = Source { input, bytes: held.iter().sum() };
        if !head.starts_with(b"SQLite format 3\0") {
            return Err(source.broken("its first bytes are not those of SQLite"));
        }
        let mut progress = RowProgress { told: &mut told, rows: 0, total: 0 };
        // Byte 18 is the write version: 2 stands for a write-ahead log.
        let recording = if ["-wal", "-journal"].iter().any(|suffix| is_filled(&beside(&path, suffix))) {
            let copy = copied(&path).map_err(io)?;
            source.recording(&copy.path().join("db"), Access::Copy, &mut progress)?
        } else if head[18] == 2 {
            source.recording(&path, Access::Immutable, &mut progress)?
        } else {
            source.recording(&path, Access::ReadOnly, &mut progress)?
        };
        let (rows, total) = (progress.rows, progress.whole());
        let files = recording.files.len() as u64;
        // Joining what was read file by file takes about as long as reading it.
        recording.settle(input, Kind::CoverageDb, context, into, |file| {
            told(rows + rows * file as u64 / files.max(1), total);
        })
    }

    /// How many rows are read, for who waits.
    struct RowProgress<'t> {
        told: &'t mut dyn FnMut(u64, u64),
        rows: u64,
        /// All rows, as far as their numbers tell; a database may state anything.
        total: u64,
    }

    impl RowProgress<'_> {
        const ROWS_BETWEEN: u64 = 4096;

        fn row(&mut self) {
            self.rows += 1;
            if self.rows.is_multiple_of(Self::ROWS_BETWEEN) {
                let whole = self.whole();
                (self.told)(self.rows, whole);
            }
        }

        /// Reading and joining.
        fn whole(&self) -> u64 {
            self.total.max(self.rows).saturating_mul(2)
        }
    }

    fn beside(path: &Path, suffix: &str) -> PathBuf {
        let mut name = OsString::from(path);
        name.push(suffix);
        name.into()
    }

    fn is_filled(path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > 0)
    }

    fn copied(path: &Path) -> std::io::Result<tempfile::TempDir> {
        let directory = tempfile::tempdir()?;
        std::fs::copy(path, directory.path().join("db"))?;
        for suffix in ["-wal", "-journal"] {
            if is_filled(&beside(path, suffix)) {
                std::fs::copy(beside(path, suffix), directory.path().join(format!("db{suffix}")))?;
            }
        }
        Ok(directory)
    }

    /// How a database may be opened without touching the user's files.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Access {
        /// With SQLite's own shared lock, so that a running writer is waited for.
        ReadOnly,
        /// A cleanly closed write-ahead database: any other way creates files beside it.
        Immutable,
        /// Our own copy, whose journal must be played back.
        Copy,
    }

    struct Source<'a> {
        input: &'a str,
        /// Size of the database, with what stands in its journals.
        bytes: u64,
    }

    impl Source<'_> {
        fn broken(&self, reason: impl ToString) -> IngestError {
            IngestError::BrokenDatabase { input: self.input.to_owned(), reason: reason.to_string() }
        }

        fn foreign(&self, reason: String) -> IngestError {
            IngestError::ForeignDatabase { input: self.input.to_owned(), reason }
        }

        fn sqlite(&self, error: &rusqlite::Error) -> IngestError {
            let missing = error.to_string();
            match error.sqlite_error_code() {
                Some(ErrorCode::Unknown) if missing.contains("no such column") => self.foreign(missing),
                Some(ErrorCode::DatabaseBusy) => IngestError::Io {
                    input: self.input.to_owned(),
                    source: std::io::Error::new(std::io::ErrorKind::WouldBlock, "another process is writing it"),
                },
                Some(ErrorCode::OperationInterrupted) => {
                    self.broken(format!("its {} bytes take more work to read than so many can stand for", self.bytes))
                }
                _ => self.broken(error),
            }
        }

        fn recording(
            &self,
            path: &Path,
            access: Access,
            progress: &mut RowProgress<'_>,
        ) -> Result<Recording, IngestError> {
            let database = self.open(path, access)?;
            self.check_schema(&database)?;
            let mut recording = Recording::default();
            let files = self.files(&database, &mut recording)?;
            let contexts = self.contexts(&database, &mut recording)?;
            progress.total = rows_of(&database, "line_bits").saturating_add(rows_of(&database, "arc"));
            self.lines(&database, &files, &contexts, &mut recording, progress)?;
            self.arcs(&database, &files, &contexts, &mut recording, progress)?;
            Ok(recording)
        }

        fn open(&self, path: &Path, access: Access) -> Result<Connection, IngestError> {
            let mode = match access {
                Access::ReadOnly => "mode=ro",
                Access::Immutable => "mode=ro&immutable=1",
                Access::Copy => "mode=rw",
            };
            let rights = if access == Access::Copy {
                OpenFlags::SQLITE_OPEN_READ_WRITE
            } else {
                OpenFlags::SQLITE_OPEN_READ_ONLY
            };
            let flags = rights | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let sqlite = |error: rusqlite::Error| self.sqlite(&error);
            let mut database = Connection::open_with_flags(uri(path, mode), flags).map_err(sqlite)?;
            bound_work(&mut database, self.bytes).map_err(sqlite)?;
            harden(&database).map_err(sqlite)?;
            Ok(database)
        }

        fn check_schema(&self, database: &Connection) -> Result<(), IngestError> {
            let sqlite = |error: rusqlite::Error| self.sqlite(&error);
            // Virtual tables have no root page; views have no rows of type `table`.
            let mut statement = database
                .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")
                .map_err(sqlite)?;
            let mut names = HashSet::new();
            let mut rows = statement.query([]).map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                names.insert(self.text(row, 0, "a table name")?.to_owned());
            }
            for table in TABLES {
                if !names.contains(table) {
                    return Err(self.foreign(format!("it has no table `{table}`")));
                }
                self.check_columns(database, table)?;
            }
            let mut statement = database.prepare("SELECT version FROM coverage_schema").map_err(sqlite)?;
            let mut rows = statement.query([]).map_err(sqlite)?;
            let Some(row) = rows.next().map_err(sqlite)? else {
                return Err(self.foreign("its table `coverage_schema` is empty".to_owned()));
            };
            match self.integer(row, 0, "the schema version")? {
                SCHEMA_VERSION => Ok(()),
                found => {
                    Err(IngestError::DatabaseSchema { input: self.input.to_owned(), found, expected: SCHEMA_VERSION })
                }
            }
        }

        /// A column that is computed can be of any length, of which the file holds nothing.
        fn check_columns(&self, database: &Connection, table: &str) -> Result<(), IngestError> {
            self.each(database, &format!("PRAGMA main.table_xinfo({table})"), |row| {
                match self.integer(row, 6, "how a column is stored")? {
                    0 => Ok(()),
                    _ => Err(self.foreign(format!("its table `{table}` has columns that are computed"))),
                }
            })
        }

        /// Visits every row of a query whose last column alone may be long.
        fn each(
            &self,
            database: &Connection,
            query: &str,
            mut row: impl FnMut(&Row<'_>) -> Result<(), IngestError>,
        ) -> Result<(), IngestError> {
            let sqlite = |error: rusqlite::Error| self.sqlite(&error);
            let mut statement = database.prepare(query).map_err(sqlite)?;
            let last = statement.column_count().saturating_sub(1);
            let mut rows = statement.query([]).map_err(sqlite)?;
            let mut left = self.bytes.saturating_mul(LONGER_IN_MEMORY);
            while let Some(found) = rows.next().map_err(sqlite)? {
                let taken = ROW_BYTES_LEAST + length_of(value(found, last));
                left = left
                    .checked_sub(taken)
                    .ok_or_else(|| self.broken(format!("its {} bytes claim more rows than fit", self.bytes)))?;
                row(found)?;
            }
            Ok(())
        }

        fn files(&self, database: &Connection, recording: &mut Recording) -> Result<Ids, IngestError> {
            let mut files = Ids::default();
            self.each(database, "SELECT id, path FROM file", |row| {
                let position = u32::try_from(recording.files.len()).expect("files of one input fit its size");
                files.insert(self.integer(row, 0, "a file's id")?, position);
                recording.files.push(RecordedFile::new(self.text(row, 1, "a file's path")?));
                Ok(())
            })?;
            Ok(files)
        }

        fn contexts(&self, database: &Connection, recording: &mut Recording) -> Result<Ids, IngestError> {
            let mut contexts = Ids::default();
            self.each(database, "SELECT id, context FROM context", |row| {
                let position = recording.context(self.text(row, 1, "a context's name")?);
                contexts.insert(self.integer(row, 0, "a context's id")?, position);
                Ok(())
            })?;
            Ok(contexts)
        }

        fn lines(
            &self,
            database: &Connection,
            files: &Ids,
            contexts: &Ids,
            recording: &mut Recording,
            progress: &mut RowProgress<'_>,
        ) -> Result<(), IngestError> {
            self.each(database, "SELECT file_id, context_id, numbits FROM line_bits", |row| {
                progress.row();
                let (file, context) = self.keys(row, files, contexts, "line_bits")?;
                let file = &mut recording.files[file];
                let ValueRef::Blob(bits) = value(row, 2) else {
                    return Err(self.broken(format!("the lines of `{}` are not a blob", file.path)));
                };
                if bits.len() > MAX_LINE as usize / 8 + 1 {
                    let (input, path) = (self.input.to_owned(), file.path.clone());
                    let found = i128::try_from(bits.len()).unwrap_or(i128::MAX).saturating_mul(8);
                    return Err(IngestError::LineTooLarge { input, path, found, limit: MAX_LINE });
                }
                file.add(context, lines_of(bits));
                Ok(())
            })
        }

        fn arcs(
            &self,
            database: &Connection,
            files: &Ids,
            contexts: &Ids,
            recording: &mut Recording,
            progress: &mut RowProgress<'_>,
        ) -> Result<(), IngestError> {
            // Rows of one file and context follow each other as they were written: gather, then add once.
            let mut group: Option<(usize, u32)> = None;
            let mut arcs: Vec<(i64, i64)> = Vec::new();
            self.each(database, "SELECT file_id, context_id, fromno, tono FROM arc", |row| {
                progress.row();
                let key = self.keys(row, files, contexts, "arc")?;
                if let Some((file, context)) = group.filter(|&known| known != key) {
                    add_arcs(&mut recording.files[file], context, &mut arcs);
                }
                group = Some(key);
                let path = &recording.files[key.0].path;
                arcs.push((self.arc_end(row, 2, path)?, self.arc_end(row, 3, path)?));
                Ok(())
            })?;
            if let Some((file, context)) = group {
                add_arcs(&mut recording.files[file], context, &mut arcs);
            }
            Ok(())
        }

        /// A line of an arc; entries and exits are negative numbers, not lines.
        fn arc_end(&self, row: &Row<'_>, column: usize, path: &str) -> Result<i64, IngestError> {
            let line = self.integer(row, column, "a line number of an arc")?;
            if line > i64::from(MAX_LINE) {
                let (input, path) = (self.input.to_owned(), path.to_owned());
                return Err(IngestError::LineTooLarge { input, path, found: line.into(), limit: MAX_LINE });
            }
            Ok(line)
        }

        fn keys(&self, row: &Row<'_>, files: &Ids, contexts: &Ids, table: &str) -> Result<(usize, u32), IngestError> {
            let file = self.integer(row, 0, "a file_id")?;
            let context = self.integer(row, 1, "a context_id")?;
            match (files.get(file), contexts.get(context)) {
                (Some(file), Some(context)) => Ok((file as usize, context)),
                (None, _) => Err(self.broken(format!("table `{table}` names file {file}, which is not there"))),
                (_, None) => Err(self.broken(format!("table `{table}` names context {context}, which is not there"))),
            }
        }

        fn integer(&self, row: &Row<'_>, column: usize, what: &str) -> Result<i64, IngestError> {
            match value(row, column) {
                ValueRef::Integer(number) => Ok(number),
                other => Err(self.broken(format!("{what} is {}, expected an integer", other.data_type()))),
            }
        }

        fn text<'r>(&self, row: &'r Row<'_>, column: usize, what: &str) -> Result<&'r str, IngestError> {
            match value(row, column) {
                ValueRef::Text(text) => {
                    std::str::from_utf8(text).map_err(|_| self.broken(format!("{what} is not valid UTF-8")))
                }
                other => Err(self.broken(format!("{what} is {}, expected text", other.data_type()))),
            }
        }
    }

    /// Positions by the ids of a table, which are nearly always 1, 2, 3 and so on.
    #[derive(Default)]
    struct Ids {
        /// By the id less 1.
        dense: Vec<u32>,
        others: HashMap<i64, u32>,
    }

    impl Ids {
        fn insert(&mut self, id: i64, position: u32) {
            match usize::try_from(id) {
                Ok(id) if id == self.dense.len() + 1 => self.dense.push(position),
                _ => drop(self.others.insert(id, position)),
            }
        }

        fn get(&self, id: i64) -> Option<u32> {
            let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
            at.and_then(|at| self.dense.get(at)).or_else(|| self.others.get(&id)).copied()
        }
    }

    /// How many rows a table has at most, by their numbers; 0 where it has none.
    fn rows_of(database: &Connection, table: &str) -> u64 {
        let last =
            database.query_row(&format!("SELECT max(rowid) FROM {table}"), [], |row| row.get::<_, Option<i64>>(0));
        last.ok().flatten().and_then(|last| u64::try_from(last).ok()).unwrap_or(0)
    }

    /// Adds arcs of one context and the lines that they join.
    fn add_arcs(file: &mut RecordedFile, context: u32, arcs: &mut Vec<(i64, i64)>) {
        let lines = arcs.iter().flat_map(|&(from, to)| [from, to]);
        let lines = lines.filter_map(|line| u32::try_from(line).ok().filter(|&line| line > 0));
        file.add(context, lines.map(LineRange::single).collect());
        file.add_arcs(context, arcs.drain(..));
    }

    fn value<'r>(row: &'r Row<'_>, column: usize) -> ValueRef<'r> {
        row.get_ref(column).unwrap_or(ValueRef::Null)
    }

    fn length_of(value: ValueRef<'_>) -> u64 {
        match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() as u64,
            _ => 0,
        }
    }

    /// The lines of coverage.py's numbits: bit `n % 8` of byte `n / 8` stands for line n. There is no line 0: where the
    /// bit is set, an empty module was entered.
    pub(super) fn lines_of(bits: &[u8]) -> LineSet {
        let mut lines = LineSet::default();
        let mut open: Option<u32> = None;
        let mut base = 0;
        for part in bits.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            let mut left = u64::from_le_bytes(word);
            if base == 0 {
                left &= !1;
            }
            // What is left of the word begins at this line.
            let mut line = base;
            base += u64::BITS;
            while line < base {
                let same = if open.is_some() { left.trailing_ones() } else { left.trailing_zeros() };
                line += same;
                if line >= base {
                    break;
                }
                left >>= same;
                open = match open {
                    None => Some(line),
                    Some(first) => {
                        lines.insert(LineRange { first, last: line - 1 });
                        None
                    }
                };
            }
        }
        if let Some(first) = open {
            lines.insert(LineRange { first, last: base - 1 });
        }
        lines
    }

    /// Interrupts what takes more steps than a database of so many bytes can need. It is SQLite that reads the schema.
    fn bound_work(database: &mut Connection, bytes: u64) -> rusqlite::Result<()> {
        let steps = bytes.saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_LEAST);
        let mut left = steps / u64::from(STEPS_COUNTED);
        let is_over = move || {
            left = left.saturating_sub(1);
            left == 0
        };
        database.progress_handler(STEPS_COUNTED.into(), Some(is_over))
    }

    fn harden(database: &Connection) -> rusqlite::Result<()> {
        for (setting, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        ] {
            database.set_db_config(setting, value)?;
        }
        database.pragma_update(None, "cell_size_check", true)?;
        database.pragma_update(None, "mmap_size", 0)?;
        database.busy_timeout(std::time::Duration::from_secs(5))
    }

    /// A `file:` URI; every byte that could mean something in one is escaped.
    fn uri(path: &Path, mode: &str) -> String {
        let mut uri = String::from("file:");
        for (at, &byte) in path.as_os_str().as_encoded_bytes().iter().enumerate() {
            match byte {
                b'\\' if cfg!(windows) => uri.push('/'),
                b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => {
                    // A drive letter follows a slash of its own.
                    if at == 0 {
                        uri.push('/');
                    }
                    uri.push(char::from(byte));
                }
                _ => uri.push_str(&format!("%{byte:02X}")),
            }
        }
        uri + "?" + mode
    }

    #[cfg(test)]
    mod tests {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            /// Bit by bit, across the bytes and words that are read at once.
            #[test]
            fn numbits_are_their_lines(
                bits in proptest::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..40),
            ) {
                let lines = lines_of(&bits);
                for line in 0..400u32 {
                    let is_set = bits.get(line as usize / 8).is_some_and(|byte| byte >> (line % 8) & 1 == 1);
                    prop_assert_eq!(lines.contains(line), is_set && line > 0, "line {}", line);
                }
            }

            /// Ids as coverage.py numbers them, and as nobody does.
            #[test]
            fn positions_are_found_by_their_ids(ids in proptest::collection::btree_set(prop_oneof![-3i64..20, any::<i64>()], 0..30)) {
                let mut known = Ids::default();
                (0..).zip(&ids).for_each(|(position, &id)| known.insert(id, position));
                for (position, &id) in (0..).zip(&ids) {
                    prop_assert_eq!(known.get(id), Some(position));
                }
                for id in (-5..25).chain([i64::MIN, i64::MAX]).filter(|id| !ids.contains(id)) {
                    prop_assert_eq!(known.get(id), None);
                }
            }
        }
    }
}
