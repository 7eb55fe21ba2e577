//! The small grammars of claims and of the case format: durations, ranges, counts, conditions.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration of the real world: `90s`, `5m`, `1h30m`, `500ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Span(pub Duration);

/// The longest duration that a case may name: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || format!("\"{text}\" is no duration: write it as 90s, 5m or 1h30m");
        if text.contains(char::is_whitespace) {
            return Err(unreadable());
        }
        let duration = humantime::parse_duration(text).map_err(|_| unreadable())?;
        if duration > LONGEST {
            return Err(format!("\"{text}\" is longer than a day"));
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = humantime::format_duration(self.0).to_string();
        f.pad(&text.replace(' ', ""))
    }
}

/// What a number must be: `3`, `">= 3"`, `"> 3"`, `"<= 3"`, `"< 50 %"`, `"1..3"` (both included). A `%` is for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// The least that it may be.
    pub least: i64,
    /// The most that it may be.
    pub most: i64,
}

impl Range {
    /// Exactly this.
    #[must_use]
    pub const fn exactly(number: i64) -> Self {
        Self {
            least: number,
            most: number,
        }
    }

    /// Whether a number is in it.
    #[must_use]
    pub const fn contains(&self, number: i64) -> bool {
        self.least <= number && number <= self.most
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable =
            || format!("\"{text}\" is no number to compare with: write 3, \">= 3\", \"< 3\" or 1..3");
        let number = |part: &str| part.trim().parse::<i64>().map_err(|_| unreadable());
        let bare = text.trim().strip_suffix('%').unwrap_or(text.trim()).trim();
        let (least, most) = if let Some(rest) = bare.strip_prefix(">=") {
            (number(rest)?, i64::MAX)
        } else if let Some(rest) = bare.strip_prefix("<=") {
            (i64::MIN, number(rest)?)
        } else if let Some(rest) = bare.strip_prefix('>') {
            (number(rest)?.saturating_add(1), i64::MAX)
        } else if let Some(rest) = bare.strip_prefix('<') {
            (i64::MIN, number(rest)?.saturating_sub(1))
        } else if let Some((from, to)) = bare.split_once("..") {
            (number(from)?, number(to)?)
        } else {
            let exact = number(bare)?;
            (exact, exact)
        };
        if least > most {
            return Err(format!("\"{text}\" holds for no number"));
        }
        Ok(Self { least, most })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(f, "{least}"),
            (i64::MIN, most) => write!(f, "<= {most}"),
            (least, i64::MAX) => write!(f, ">= {least}"),
            (least, most) => write!(f, "{least}..{most}"),
        }
    }
}

/// How often: `3 rounds`, `20 pods`, `1 node`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Count {
    /// The number.
    pub number: usize,
    /// Of what.
    pub unit: Unit,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Returns to an earlier state.
    Rounds,
    /// Distinct pods, by UID.
    Pods,
    /// Replica sets.
    ReplicaSets,
    /// Nodes.
    Nodes,
}

impl Unit {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Rounds, "round", "rounds"),
        (Self::Pods, "pod", "pods"),
        (Self::ReplicaSets, "replicaset", "replicasets"),
        (Self::Nodes, "node", "nodes"),
    ];
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL[*self as usize].2)
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || {
            format!(
                "\"{text}\" is no count: write a number and what is counted (rounds, pods, replicasets, nodes)"
            )
        };
        let (number, unit) = text.trim().split_once(' ').ok_or_else(unreadable)?;
        let number = number.parse().map_err(|_| unreadable())?;
        let known = Unit::ALL
            .into_iter()
            .find(|(_, one, many)| [*one, *many].contains(&unit.trim()));
        let (unit, ..) = known.ok_or_else(unreadable)?;
        if number == 0 {
            return Err(format!("\"{text}\": at least none is always so"));
        }
        Ok(Self { number, unit })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, one, many) = Unit::ALL[self.unit as usize];
        write!(f, "{} {}", self.number, if self.number == 1 { one } else { many })
    }
}

/// A text, or a number or a truth value that stands for the text of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// `true`.
    Bool(bool),
    /// `1`.
    Number(i64),
    /// `spot`.
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(n) => write!(f, "{n}"),
            Self::Text(t) => f.write_str(t),
        }
    }
}

/// One thing, or several in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A condition: objects, and what their numbers must be; all of it must hold at once.
///
/// | object | numbers |
/// |---|---|
/// | `deployment/web` and any other workload | `wanted`, `replicas`, `updated`, `ready`, `available`, `pods` (there, and not terminating), `running` (pods that are ready), `pending`, `unschedulable`, `terminating`, `skew` (fullest node less emptiest) |
/// | `hpa/web` | `min`, `max`, `current`, `desired`, `cpu` (percent of the request) |
/// | `pdb/web` | `floor`, `healthy`, `allowed` |
/// | `nodes` | `open` (ready and not cordoned), `ready`, `all` |
/// | `node/kind-worker` | `ready`, `cordoned` (1 or 0), `pods` |
/// | `pods` | `all`, `running`, `pending`, `unschedulable`, `terminating` |
pub type Condition = IndexMap<String, IndexMap<String, Range>>;

/// A condition in words: `deployment/web available 3 and nodes open >= 2`.
#[must_use]
pub fn condition(condition: &Condition) -> String {
    let numbers = condition.iter().flat_map(|(object, numbers)| {
        numbers
            .iter()
            .map(move |(number, range)| format!("{object} {number} {range}"))
    });
    numbers.collect::<Vec<_>>().join(" and ")
}

macro_rules! as_text {
    ($type:ident, $pattern:literal, $description:literal $(, $number:literal)?) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let value = serde_json::Value::deserialize(from)?;
                let text = match value {
                    serde_json::Value::String(text) => text,
                    serde_json::Value::Number(number) => number.to_string(),
                    other => return Err(de::Error::custom(format!("expected {}, found {other}", $description))),
                };
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["string" $(, $number)?],
                    "pattern": $pattern,
                    "description": $description,
                })
            }
        }
    };
}

as_text!(
    Span,
    r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$",
    "a duration, e.g. 90s, 5m, 1h30m"
);
as_text!(
    Range,
    r"^\s*((>=|<=|>|<)?\s*-?[0-9]+|-?[0-9]+\.\.-?[0-9]+)\s*%?\s*$",
    "a number, or what it is compared with: 3, \">= 3\", \"< 50 %\", 1..3",
    "integer"
);
as_text!(
    Count,
    r"^\s*[1-9][0-9]*\s+(rounds?|pods?|replicasets?|nodes?)\s*$",
    "how often: 3 rounds, 20 pods"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        assert_eq!("90s".parse(), Ok(Span(Duration::from_secs(90))));
        assert_eq!("1h30m".parse(), Ok(Span(Duration::from_secs(5_400))));
        assert_eq!(Span(Duration::from_millis(1_500)).to_string(), "1s500ms");
        for text in ["", "90", "five minutes", "-1s", "25h", "1m 30s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_is_a_number_a_comparison_or_from_and_to() {
        let range = |text: &str| text.parse::<Range>().unwrap();
        assert!(range("3").contains(3) && !range("3").contains(2));
        assert!(range(">= 3").contains(3) && !range("> 3").contains(3));
        assert!(range("<3").contains(2) && !range("< 50 %").contains(50));
        assert!(range("1..3").contains(1) && range("1..3").contains(3) && !range("1..3").contains(4));
        assert_eq!(range("> 3").to_string(), ">= 4");
        for text in ["", "three", "3..1", "=> 3", "1...3", "99999999999999999999"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_count_has_a_unit() {
        let count = "3 rounds".parse::<Count>().unwrap();
        assert_eq!((count.number, count.unit), (3, Unit::Rounds));
        assert_eq!("1 pod".parse::<Count>().unwrap().to_string(), "1 pod");
        for text in ["3", "rounds", "0 rounds", "3 turns"] {
            assert!(text.parse::<Count>().is_err(), "{text}");
        }
    }
}
