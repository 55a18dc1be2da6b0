//! One line, as serde reads it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::ingest::json::Text;
use crate::ingest::line_range;
use crate::observation::LineSet;

/// One line.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) test: Option<Text<'a>>,
    pub(super) cost: Option<f64>,
    pub(super) file: Option<Text<'a>>,
    pub(super) lines: Option<Vec<(Text<'a>, Lines)>>,
    pub(super) regions: Option<Vec<(Text<'a>, f64)>>,
    pub(super) text: Option<Text<'a>>,
    pub(super) family: Option<Text<'a>>,
    pub(super) outcome: Option<Text<'a>>,
    pub(super) time: Option<Time<'a>>,
    pub(super) commit: Option<Text<'a>>,
    pub(super) session: Option<StatedSession<'a>>,
    pub(super) unknown: Vec<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RecordVisitor;
        impl<'de> Visitor<'de> for RecordVisitor {
            type Value = Record<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the field `test` or `session`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
                let mut record = Record::default();
                while let Some(Text(key)) = map.next_key()? {
                    match key.as_ref() {
                        "test" => record.test = Some(map.next_value()?),
                        "cost" => record.cost = map.next_value()?,
                        "file" => record.file = map.next_value()?,
                        "lines" => record.lines = map.next_value::<Option<Pairs<'de, Lines>>>()?.map(|pairs| pairs.0),
                        "regions" => record.regions = map.next_value::<Option<Pairs<'de, f64>>>()?.map(|pairs| pairs.0),
                        "text" => record.text = map.next_value()?,
                        "family" => record.family = map.next_value()?,
                        "outcome" => record.outcome = map.next_value()?,
                        "time" => record.time = map.next_value()?,
                        "commit" => record.commit = map.next_value()?,
                        "session" => record.session = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            record.unknown.push(key);
                        }
                    }
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(RecordVisitor)
    }
}

/// A session as a line states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatedSession<'a> {
    pub(super) tests: u32,
    pub(super) files: u32,
    pub(super) cost_s: f64,
    pub(super) wall_s: f64,
    #[serde(borrow, default)]
    pub(super) time: Option<Time<'a>>,
}

/// An object as its pairs, in order, repetitions included.
pub(in crate::ingest) struct Pairs<'a, V>(pub(in crate::ingest) Vec<(Text<'a>, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<'de, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de, V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(std::marker::PhantomData))
    }
}

pub(super) enum Time<'a> {
    Seconds(f64),
    Stated(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Time<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are far below 2^53")]
        impl<'de> Visitor<'de> for TimeVisitor {
            type Value = Time<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as RFC 3339 or as seconds since the epoch")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time<'de>, E> {
                Ok(Time::Seconds(seconds as f64))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time<'de>, E> {
                Ok(Time::Seconds(seconds as f64))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time<'de>, E> {
                Ok(Time::Seconds(seconds))
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Time<'de>, E> {
                Ok(Time::Stated(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time<'de>, E> {
                Ok(Time::Stated(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

/// `[[10, 20], 33]`, and the first range of it that is wrong.
pub(super) struct Lines {
    pub(super) set: LineSet,
    pub(super) wrong: Option<(i128, i128)>,
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinesVisitor;
        impl<'de> Visitor<'de> for LinesVisitor {
            type Value = Lines;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of line numbers and [first, last] ranges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lines, A::Error> {
                let mut lines = Lines { set: LineSet::default(), wrong: None };
                let mut unsorted = Vec::new();
                while let Some(Span(first, last)) = seq.next_element()? {
                    match line_range("", "", first, last) {
                        Err(_) => lines.wrong = lines.wrong.or(Some((first, last))),
                        Ok(range) if lines.set.ranges().last().is_none_or(|last| last.first <= range.first) => {
                            lines.set.insert(range);
                        }
                        Ok(range) => unsorted.push(range),
                    }
                }
                if !unsorted.is_empty() {
                    lines.set.union(&unsorted.into_iter().collect::<LineSet>());
                }
                Ok(lines)
            }
        }
        deserializer.deserialize_seq(LinesVisitor)
    }
}

/// One line, or the first and last of a range, as written.
struct Span(i128, i128);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanVisitor;
        impl<'de> Visitor<'de> for SpanVisitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a line number or [first, last]")
            }

            fn visit_u64<E: de::Error>(self, line: u64) -> Result<Span, E> {
                Ok(Span(line.into(), line.into()))
            }

            fn visit_i64<E: de::Error>(self, line: i64) -> Result<Span, E> {
                Ok(Span(line.into(), line.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Span, A::Error> {
                let first: i64 = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let last: i64 = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
                match seq.next_element::<IgnoredAny>()? {
                    None => Ok(Span(first.into(), last.into())),
                    Some(_) => Err(de::Error::invalid_length(3, &self)),
                }
            }
        }
        deserializer.deserialize_any(SpanVisitor)
    }
}
