//! `{"test id": seconds}`: what pytest-split keeps in `.test_durations`, also as its older list of pairs.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, SeqAccess, Visitor};

use super::json::{Text, end, failure};
use super::{Context, Ingest, IngestError, Kind, Summary, cost_us};

/// Reads the map.
pub(super) fn read(input: &str, bytes: &[u8], context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let mut reading = Reading { input, context, into, tests: 0, wrong: None };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    json.deserialize_any(&mut reading).map_err(|error| failure(input, bytes, 1, &error))?;
    let Reading { tests, wrong, .. } = reading;
    if let Some(error) = wrong {
        return Err(error);
    }
    end(input, bytes, &mut json)?;
    if tests == 0 {
        return Err(IngestError::Empty { input: input.to_owned() });
    }
    Ok(Summary { kind: Kind::Durations, tests, files: 0, pairs: 0 })
}

struct Reading<'a> {
    input: &'a str,
    context: &'a Context,
    into: &'a mut Ingest,
    tests: usize,
    wrong: Option<IngestError>,
}

impl Reading<'_> {
    fn add(&mut self, id: &str, seconds: f64) {
        if self.wrong.is_none() {
            self.wrong = self.try_add(id, seconds).err();
        }
    }

    fn try_add(&mut self, id: &str, seconds: f64) -> Result<(), IngestError> {
        let cost_us = cost_us(self.input, id, seconds)?;
        let test = self.into.test(self.input, id, self.context)?;
        self.into.cost(test, cost_us);
        self.tests += 1;
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Reading<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of test ids and seconds")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(id), seconds)) = map.next_entry()? {
            self.add(&id, seconds);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some((Text(id), seconds)) = seq.next_element()? {
            self.add(&id, seconds);
        }
        Ok(())
    }
}
