//! The configuration files of the projects, read by the rules of oslo.config.
//!
//! Mirrors `sources/_environment.py` and `cfg.py` of oslo.config 10.7.0, which no INI crate does.
//! This module knows only the files and the environment; oslo.config also knows the options that a project registers,
//! and their defaults. No error contains any part of a value, which may be a database URL.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::{fmt, fs, io};

use super::ini::{self, Name, SyntaxFault, normalise};
use super::place::Place;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A configuration file.
    File {
        /// The file, as its [`Place`] names it.
        path: PathBuf,
        /// The line of the option's name, from 1; the value may continue on further lines.
        line: usize,
    },
    /// The environment variable of this name.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Why the files, or a value in them, cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document variants and fields")]
pub enum OsloError {
    #[error("cannot read {}; {}", path.display(), file_remedy(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot list the folder {}; {}", path.display(), read_remedy(source))]
    List { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {fault}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        fault: SyntaxFault,
    },
    #[error("{origin}: [{group}] {option} {fault}")]
    Value {
        origin: Origin,
        group: String,
        option: String,
        fault: ValueFault,
    },
}

/// The fault of a value. No message contains the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document the variants")]
pub enum ValueFault {
    // The message omits the name: it may be the end of a password that contains a raw dollar sign.
    #[error(
        "refers at character {position} to an option that is not set in these files or the environment; set it, \
         write a literal dollar sign as $$, or give the URL in --database.url-file"
    )]
    Reference { position: usize },
    #[error("refers to itself, directly or through other options; remove the reference")]
    Circle,
    #[error("is not an integer; write only a whole number, and comments on separate lines")]
    Integer,
    #[error("is not a number; write only a number, and comments on separate lines")]
    Number,
    #[error("is no number of seconds; write one that is not negative")]
    Negative,
    #[error("is {value}: {why}; remove this source")]
    Refused {
        value: &'static str,
        why: &'static str,
    },
}

impl OsloError {
    /// Returns the error for a value of this option.
    pub(super) fn value(origin: Origin, (group, option): Name, fault: ValueFault) -> Self {
        Self::Value {
            origin,
            group,
            option,
            fault,
        }
    }
}

type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The merged values of all files, and the environment, which overrides them.
pub struct OsloConfig {
    values: HashMap<Name, (String, Origin)>,
    environment: Environment,
}

/// Shows no values, which may be secret.
impl fmt::Debug for OsloConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsloConfig").finish_non_exhaustive()
    }
}

impl OsloConfig {
    /// Reads all files. The last of several assignments wins, by order of places, then of lines.
    ///
    /// `environment` is read at each [`get`](Self::get) and overrides the files. Unlike in oslo.config, a leading `~`
    /// is literal, and a [`Place::Dir`] that is a file is an error.
    ///
    /// # Errors
    ///
    /// All faults of all files, in order: unreadable files, and every line that oslo.config would refuse.
    pub fn load(
        places: &[Place],
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, Vec<OsloError>> {
        let mut values = HashMap::new();
        let mut errors = Vec::new();
        for path in files(places, &mut errors) {
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(source) => {
                    errors.push(OsloError::Read { path, source });
                    continue;
                }
            };
            for (line, parsed) in ini::parse(&bytes) {
                let path = path.clone();
                match parsed {
                    Ok((name, value)) => {
                        values.insert(name, (value, Origin::File { path, line }));
                    }
                    Err(fault) => errors.push(OsloError::Syntax { path, line, fault }),
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            values,
            environment: Box::new(environment),
        })
    }

    /// Returns an option's value after substitution, and its origin.
    ///
    /// `None` if it is not set; an option without text is the empty string. As in oslo.config, `group` is
    /// case-insensitive, except that `DEFAULT` and `default` are different groups.
    ///
    /// # Errors
    ///
    /// A `$name` that is not set, even if oslo.config knows a default for it, or a cycle of references.
    pub fn get(&self, group: &str, option: &str) -> Result<Option<(String, Origin)>, OsloError> {
        let name = (normalise(group), option.to_owned());
        self.resolve(name, &mut Vec::new())
    }

    /// Returns an option as oslo.config's `IntOpt` does; `None` also for a blank value.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), and a value that is not an integer. Python's `1_000` is not accepted.
    pub fn get_integer(
        &self,
        group: &str,
        option: &str,
    ) -> Result<Option<(i64, Origin)>, OsloError> {
        self.parsed(group, option, ValueFault::Integer)
    }

    /// Returns an option as oslo.config's `FloatOpt` does; `None` also for a blank value.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), and a value that is not a number.
    pub(super) fn get_float(
        &self,
        group: &str,
        option: &str,
    ) -> Result<Option<(f64, Origin)>, OsloError> {
        self.parsed(group, option, ValueFault::Number)
    }

    fn parsed<T: FromStr>(
        &self,
        group: &str,
        option: &str,
        fault: ValueFault,
    ) -> Result<Option<(T, Origin)>, OsloError> {
        let found = self.get(group, option)?;
        let Some((text, origin)) = found.filter(|(text, _)| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let Ok(number) = text.trim().parse() else {
            let name = (group.to_owned(), option.to_owned());
            return Err(OsloError::value(origin, name, fault));
        };
        Ok(Some((number, origin)))
    }

    fn written(&self, name: &Name) -> Option<(String, Origin)> {
        let variable = variable(&name.0, &name.1);
        match (self.environment)(&variable) {
            Some(value) => Some((value, Origin::Environment(variable))),
            None => self.values.get(name).cloned(),
        }
    }

    /// Resolves an option; `above` are the options whose values lead to it, so that a cycle ends.
    fn resolve(
        &self,
        name: Name,
        above: &mut Vec<Name>,
    ) -> Result<Option<(String, Origin)>, OsloError> {
        let Some((text, origin)) = self.written(&name) else {
            return Ok(None);
        };
        if above.contains(&name) {
            return Err(OsloError::value(origin, name, ValueFault::Circle));
        }
        above.push(name.clone());
        // Like oslo.config, replace `\$` first: `$\$x` is `$$` followed by `$x`.
        let value = ini::substitute(&text.replace(r"\$", "$$"), |reference, position| {
            let fault = ValueFault::Reference { position };
            let found = self.refer(&name.0, reference, above)?;
            found.ok_or_else(|| OsloError::value(origin.clone(), name.clone(), fault))
        })?;
        above.pop();
        Ok(Some((value, origin)))
    }

    /// Resolves `group.option`, or an option of the same group, or else of DEFAULT.
    ///
    /// oslo.config considers only registered options; this accepts any option that is set in the same group.
    fn refer(
        &self,
        group: &str,
        reference: &str,
        above: &mut Vec<Name>,
    ) -> Result<Option<String>, OsloError> {
        let names = match reference.split_once('.') {
            Some(name) => &[name][..],
            None => &[(group, reference), ("DEFAULT", reference)],
        };
        for &(group, option) in names {
            let name = (group.to_owned(), option.to_owned());
            if let Some((text, _)) = self.resolve(name, above)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// Returns the environment variable that overrides an option.
pub(super) fn variable(group: &str, option: &str) -> String {
    format!("OS_{}__{}", group.to_uppercase(), option.to_uppercase())
}

fn files(places: &[Place], errors: &mut Vec<OsloError>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for place in places {
        match place.files() {
            Ok(found) => files.extend(found),
            Err(source) => errors.push(OsloError::List {
                path: place.path().to_owned(),
                source,
            }),
        }
    }
    files
}

fn file_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::IsADirectory => "it is a folder; use config-dir",
        _ => read_remedy(error),
    }
}

/// Returns what to do about a file that cannot be read.
pub(super) fn read_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "create it or correct the path",
        _ => "make it readable by the exporter's user",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads this text as `cinder.conf`; returns option `x` of group `g` with its origin, or all errors.
    fn load(text: &str) -> Result<Option<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cinder.conf");
        fs::write(&path, text).unwrap();
        let shorten = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
        let environment = |name: &str| (name == "OS_G__Y").then(|| "from outside".to_owned());
        let config = OsloConfig::load(&[Place::File(path)], environment);
        let config = config.map_err(|errors| shorten(lines(&errors).join("\n")))?;
        let found = config
            .get("g", "x")
            .map_err(|error| shorten(error.to_string()))?;
        Ok(found.map(|(value, origin)| (value, shorten(origin.to_string()))))
    }

    fn lines(errors: &[OsloError]) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    /// Checks the start of each error.
    #[track_caller]
    fn check_errors(text: &str, expected: &[&str]) {
        let errors = load(text).unwrap_err();
        let starts: Vec<&str> = errors.lines().collect();
        assert_eq!(starts.len(), expected.len(), "{errors}");
        for (error, expected) in starts.iter().zip(expected) {
            let expected = format!("cinder.conf:{expected}");
            assert!(error.starts_with(&expected), "{error}: {expected}");
        }
        assert!(!errors.contains("secret"), "{errors}");
    }

    #[test]
    fn the_origin_is_the_line_of_the_name() {
        for (text, value, line) in [
            ("[g]\n# c\nx = 1", "1", 3),
            ("[g]\r\n\r\nx =\r\n  1\r\n  2", "\n1\n2", 3),
            ("[g]\nx = 1\n[G]\nx = 2\n", "2", 4),
            ("[g]\ny = 1\nx = $y", "from outside", 3),
        ] {
            let expected = (value.to_owned(), format!("cinder.conf:{line}"));
            assert_eq!(load(text), Ok(Some(expected)), "{text:?}");
        }
    }

    #[test]
    fn all_faults_are_reported_once_with_their_lines_and_without_the_text() {
        check_errors(
            "secret = secret\nsecret = secret\n[g\n  secret\n[]\nsecret\n  secret\n\n  secret\n= secret\n",
            &[
                "1: the option precedes the first section header",
                "3: the section header does not end",
                "4: the line is indented",
                "5: the section header is empty",
                "6: the line has neither",
                "9: the line is indented",
                "10: the option has no name",
            ],
        );
    }

    #[test]
    fn a_faulty_reference_is_reported_by_position_without_its_text() {
        let fault = "2: [g] x refers at character 13 to an option";
        check_errors("[g]\nx = mysql://u:pä$secret@h/d", &[fault]);
        let circle = "2: [g] x refers to itself";
        check_errors("[g]\nx = $z\nz = secret ${x}", &[circle]);
    }

    #[test]
    fn a_faulty_integer_is_reported_without_its_text() {
        let config = OsloConfig::load(&[], |_| Some("secret".to_owned())).unwrap();
        let error = config.get_integer("g", "x").unwrap_err().to_string();
        let expected = "environment variable OS_G__X: [g] x is not an integer";
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let error = OsloConfig::load(&[Place::File(path.clone())], |_| None).unwrap_err();
        let expected = format!(
            "cannot read {}; it is a folder; use config-dir",
            path.display()
        );
        assert_eq!(error[0].to_string(), expected);
    }

    #[test]
    fn every_unreadable_place_is_reported() {
        let places = [
            Place::File("/missing/a".into()),
            Place::Dir("/missing/b".into()),
        ];
        let errors = lines(&OsloConfig::load(&places, |_| None).unwrap_err());
        let expected = [
            "cannot list the folder /missing/b",
            "cannot read /missing/a",
        ];
        let remedy = "create it or correct the path";
        assert_eq!(errors, expected.map(|fault| format!("{fault}; {remedy}")));
    }
}
