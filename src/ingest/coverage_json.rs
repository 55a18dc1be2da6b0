//! `coverage json --show-contexts`, in both shapes: for each file, lines with their contexts (as coverage.py writes it)
//! or contexts with their lines.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{Text, end, failure};
use super::recording::{RecordedFile, Recording};
use super::{Context, Ingest, IngestError, Kind, Summary, line_range};

/// Reads the report.
pub(super) fn read(input: &str, bytes: &[u8], context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let mut reading = Reading { input, recording: Recording::default(), has_contexts: false, wrong: None };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    json.deserialize_map(Report(&mut reading)).map_err(|error| failure(input, bytes, 1, &error))?;
    end(input, bytes, &mut json)?;
    let Reading { recording, has_contexts, wrong, .. } = reading;
    if let Some(error) = wrong {
        return Err(error);
    }
    if !has_contexts {
        let found = "a report without contexts".to_owned();
        let also = " and export with `coverage json --show-contexts`";
        return Err(IngestError::NoContexts { input: input.to_owned(), found, also });
    }
    recording.settle(input, Kind::CoverageJson, context, into, |_| ())
}

struct Reading<'a> {
    input: &'a str,
    recording: Recording,
    has_contexts: bool,
    /// The first wrong value; the rest of the input is only parsed.
    wrong: Option<IngestError>,
}

impl Reading<'_> {
    fn line(&mut self, context: u32, line: i128) {
        let Some(file) = self.recording.files.last_mut() else { return };
        match line_range(self.input, &file.path, line, line) {
            Ok(range) => file.add_line(context, range),
            Err(error) => self.wrong = self.wrong.take().or(Some(error)),
        }
    }
}

/// The report as a whole: `files` is read, the rest passed over.
struct Report<'r, 'a>(&'r mut Reading<'a>);

impl<'de> Visitor<'de> for Report<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the report of `coverage json`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            if key == "files" {
                map.next_value_seed(Files(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Files<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Files<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Files<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of paths and files")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(path)) = map.next_key()? {
            self.0.recording.files.push(RecordedFile::new(&path));
            map.next_value_seed(File(&mut *self.0))?;
        }
        Ok(())
    }
}

/// One file: `contexts` is read. Its `functions` and `classes` repeat parts of it.
struct File<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for File<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file's object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            if key == "contexts" {
                self.0.has_contexts = true;
                map.next_value_seed(Contexts(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Contexts<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Contexts<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Contexts<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lines with their contexts, or contexts with their lines")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            map.next_value_seed(Entry { reading: &mut *self.0, key: &key })?;
        }
        Ok(())
    }
}

/// The array under one key: strings are contexts of the line that the key is, numbers are lines of the context.
struct Entry<'r, 'a, 'k> {
    reading: &'r mut Reading<'a>,
    key: &'k str,
}

enum Item<'a> {
    Context(Text<'a>),
    Line(i128),
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;
        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a context or a line number")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Item<'de>, E> {
                Ok(Item::Context(Text(text.into())))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Item<'de>, E> {
                Ok(Item::Context(Text(text.to_owned().into())))
            }

            fn visit_u64<E: de::Error>(self, line: u64) -> Result<Item<'de>, E> {
                Ok(Item::Line(line.into()))
            }

            fn visit_i64<E: de::Error>(self, line: i64) -> Result<Item<'de>, E> {
                Ok(Item::Line(line.into()))
            }
        }
        deserializer.deserialize_any(ItemVisitor)
    }
}

impl<'de> DeserializeSeed<'de> for Entry<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of contexts or of line numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element()? {
            match item {
                Item::Context(Text(name)) => {
                    let line: i64 = self.key.parse().map_err(|_| {
                        de::Error::custom(format_args!(
                            "contexts under {:?}, expected a line number as their key",
                            self.key
                        ))
                    })?;
                    let context = self.reading.recording.context(&name);
                    self.reading.line(context, line.into());
                }
                Item::Line(line) => {
                    let context = self.reading.recording.context(self.key);
                    self.reading.line(context, line);
                }
            }
        }
        Ok(())
    }
}
