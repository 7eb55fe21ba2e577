//! Which arm of which case, and of which variant of it: the name of an experiment's half.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Arm;

/// An arm of a case, or of a variant of it.
///
/// Written as people read it, `c7_taint_recreate_loop broken` or `c3_two_spread_keys control (without-hpa)`, and read back
/// from that. Ordered as tables list them: the arms of a variant stand together, broken first.
///
/// # Examples
///
/// ```
/// use kubeclash_timeline::{Arm, ArmId};
///
/// let id: ArmId = "c3_two_spread_keys control (without-hpa)".parse()?;
/// assert_eq!(id, ArmId::new("c3_two_spread_keys", Arm::Control, Some("without-hpa")));
/// assert_eq!(id.folder(), "control-without-hpa");
/// # Ok::<(), kubeclash_timeline::ArmIdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArmId {
    /// The case's folder, which is also its name.
    pub case: String,
    /// Which half of the experiment.
    pub arm: Arm,
    /// Which of the case's variants, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl ArmId {
    /// An arm of a case, and of a variant of it where it has several.
    #[must_use]
    pub fn new(case: &str, arm: Arm, variant: Option<&str>) -> Self {
        Self {
            case: case.to_owned(),
            arm,
            variant: variant.map(str::to_owned),
        }
    }

    /// The case's id, with which its name begins: `c7`.
    #[must_use]
    pub fn case_id(&self) -> &str {
        case_id(&self.case)
    }

    /// Case and variant, without the arm: `c3_two_spread_keys (with-hpa)`.
    #[must_use]
    pub fn case_name(&self) -> String {
        with_variant(&self.case, self.variant.as_deref())
    }

    /// Arm and variant, without the case: `control (without-hpa)`.
    #[must_use]
    pub fn arm_name(&self) -> String {
        with_variant(&self.arm.to_string(), self.variant.as_deref())
    }

    /// Short, for progress lines: `c3 control (without-hpa)`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{} {}", self.case_id(), self.arm_name())
    }

    /// The folder of its evidence, below its case's: `broken`, `control-without-hpa`.
    #[must_use]
    pub fn folder(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}-{variant}", self.arm),
            None => self.arm.to_string(),
        }
    }
}

/// A case's id, with which its name begins; also of a case that only another kubeclash has.
#[must_use]
pub fn case_id(case: &str) -> &str {
    case.split_once('_').map_or(case, |(id, _)| id)
}

/// A name, with a variant in parentheses where there is one: `c3_two_spread_keys (with-hpa)`.
#[must_use]
pub fn with_variant(name: &str, variant: Option<&str>) -> String {
    match variant {
        Some(variant) => format!("{name} ({variant})"),
        None => name.to_owned(),
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.case, self.arm_name()))
    }
}

/// A text that names no arm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" names no arm: write it as in \"c7_taint_recreate_loop broken\" or \"c3_two_spread_keys control (with-hpa)\""
)]
pub struct ArmIdError(String);

impl FromStr for ArmId {
    type Err = ArmIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = || {
            let (case, rest) = text.split_once(' ')?;
            let (arm, variant) = match rest.split_once(' ') {
                Some((arm, variant)) => (arm, Some(variant.strip_prefix('(')?.strip_suffix(')')?)),
                None => (rest, None),
            };
            let arm = arm.parse().ok()?;
            let named = !case.is_empty() && variant != Some("");
            named.then(|| Self::new(case, arm, variant))
        };
        parts().ok_or_else(|| ArmIdError(text.to_owned()))
    }
}

impl Ord for ArmId {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |id: &Self| (id.case.clone(), id.variant.clone(), id.arm);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for ArmId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> ArmId {
        text.parse().unwrap()
    }

    #[test]
    fn an_arm_has_one_name_and_parts_of_it() {
        let one = ArmId::new("c7_taint_recreate_loop", Arm::Broken, None);
        assert_eq!(one.to_string(), "c7_taint_recreate_loop broken");
        assert_eq!(
            (one.short().as_str(), one.folder().as_str()),
            ("c7 broken", "broken")
        );
        let other = ArmId::new("c3_two_spread_keys", Arm::Control, Some("without-hpa"));
        assert_eq!(other.to_string(), "c3_two_spread_keys control (without-hpa)");
        assert_eq!(other.folder(), "control-without-hpa");
        assert_eq!(other.arm_name(), "control (without-hpa)");
        assert_eq!(other.case_name(), "c3_two_spread_keys (without-hpa)");
        assert_eq!(other.short(), "c3 control (without-hpa)");
    }

    #[test]
    fn what_names_no_arm_is_refused() {
        for text in [
            "",
            "c7",
            "c7 ",
            " broken",
            "c7 both",
            "c7 broken with-hpa",
            "c7 broken ()",
            "c7 broken (a",
        ] {
            let error = text.parse::<ArmId>().unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("\"{text}\" names no arm")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_arms_of_a_variant_stand_together() {
        let mut ids = [
            "c3 control (b)",
            "c3 broken (b)",
            "c5 broken",
            "c3 control (a)",
            "c3 broken (a)",
        ]
        .map(id);
        ids.sort();
        assert_eq!(
            ids.map(|id| id.to_string()),
            [
                "c3 broken (a)",
                "c3 control (a)",
                "c3 broken (b)",
                "c3 control (b)",
                "c5 broken"
            ]
        );
    }

    #[test]
    fn it_pads_like_a_text() {
        assert_eq!(format!("{:<12}|", id("c7 broken")), "c7 broken   |");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(case in "[^ ]+", control: bool, variant in proptest::option::of(".+")) {
            let arm = if control { Arm::Control } else { Arm::Broken };
            let id = ArmId::new(&case, arm, variant.as_deref());
            prop_assert_eq!(id.to_string().parse(), Ok(id.clone()));
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<ArmId>(&json).unwrap(), id);
        }
    }
}
