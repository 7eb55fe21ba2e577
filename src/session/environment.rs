//! The environment: what the variables `KUBECLASH_…` ask for. Nothing else in the library reads a setting from there.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Settings;
use super::builder::SettingsBuilder;
use super::setting::Setting;
use crate::cases::Library;
use crate::expectation::Expectations;

/// The variable of folders of cases beside the built-in ones, apart by `:`.
pub const CASES: &str = "KUBECLASH_CASES";

/// The variable of a file of what arms are expected to end with.
pub const EXPECT: &str = "KUBECLASH_EXPECT";

/// What the environment asks for.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The settings; what no variable says is as the command has it without a flag.
    pub settings: SettingsBuilder,
    /// Folders of cases beside the built-in ones.
    pub cases: Vec<PathBuf>,
    /// A file of what arms are expected to end with.
    pub expect: Option<PathBuf>,
}

/// Everything that is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct EnvironmentError {
    /// One sentence a mistake, with its variable.
    pub mistakes: Vec<String>,
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn read() -> Result<Self, EnvironmentError> {
        Self::of(|variable| std::env::var_os(variable))
    }

    /// The same of any variables.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, EnvironmentError> {
        let mut mistakes = Vec::new();
        let mut settings = SettingsBuilder::default();
        for setting in Setting::ALL {
            let name = setting.variable();
            let Some(value) = variable(name) else { continue };
            let set = match value.to_str() {
                Some(text) => settings.clone().set(setting, text).map_err(|error| error.why),
                None => Err("it is no UTF-8".to_owned()),
            };
            match set {
                Ok(set) => settings = set,
                Err(why) => mistakes.push(format!("{name}: \"{}\": {why}", value.display())),
            }
        }
        if !mistakes.is_empty() {
            return Err(EnvironmentError { mistakes });
        }
        let cases = variable(CASES).unwrap_or_default();
        Ok(Self {
            settings,
            cases: std::env::split_paths(&cases)
                .filter(|folder| !folder.as_os_str().is_empty())
                .collect(),
            expect: variable(EXPECT).map(PathBuf::from),
        })
    }

    /// What arms are expected to end with; nothing where no file says so.
    ///
    /// # Errors
    /// When the file can't be read, and all mistakes in it together.
    pub fn expectations(&self, library: &Library) -> Result<Expectations, EnvironmentError> {
        let Some(path) = &self.expect else {
            return Ok(Expectations::default());
        };
        let file = path.display().to_string();
        let wrong = |why: String| EnvironmentError { mistakes: vec![why] };
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(format!("{EXPECT}: \"{file}\" can't be read: {error}")))?;
        Expectations::parse(&file, &text, library).map_err(|error| wrong(error.to_string()))
    }
}

impl Settings {
    /// The settings as the environment (`KUBECLASH_…`) has them.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn from_environment() -> Result<Self, EnvironmentError> {
        Environment::read().map(|environment| environment.settings.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        Environment::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn mistakes_are_told_together_each_with_its_variable() {
        let wrong = [
            ("KUBECLASH_PACE", "slow"),
            ("KUBECLASH_SCHEDULER", "v1.35"),
            ("KUBECLASH_READY_TIMEOUT", "0s"),
            ("KUBECLASH_WITH", "keeper=src:.,keeper=path:./keeper"),
            ("KUBECLASH_DESCHEDULER_POLICY", "/no/such/file"),
        ];
        let mistakes = of(&wrong).unwrap_err().mistakes;
        assert_eq!(mistakes.len(), 5, "{mistakes:?}");
        for (name, value) in wrong {
            let start = format!("{name}: \"{value}\": ");
            assert!(
                mistakes.iter().any(|told| told.starts_with(&start)),
                "{start}: {mistakes:?}"
            );
        }
    }

    #[test]
    fn cases_and_expectations_are_named_by_variables_of_their_own() {
        let environment = of(&[(CASES, "a:/b"), (EXPECT, "/no/such/file")]).unwrap();
        assert_eq!(environment.cases, [PathBuf::from("a"), PathBuf::from("/b")]);
        let refused = environment.expectations(&Library::builtin()).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("KUBECLASH_EXPECT: \"/no/such/file\" can't be read")
        );
        assert!(of(&[]).unwrap().cases.is_empty());
    }
}
