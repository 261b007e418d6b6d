//! The files that oslo.config reads (`cinder.conf`), read by its own rules.
//!
//! Mirrors `sources/_environment.py` and `cfg.py` of oslo.config 10.7.0, which no INI crate does.
//! Known here is only what stands in the files and in the environment: oslo.config knows as well which options
//! Cinder registers, and their defaults. No error holds a value or a part of one: it may be a database URL.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::ini::{self, Name, SyntaxFault, normalise};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A configuration file.
    File {
        /// The file as named by its [`Place`].
        path: PathBuf,
        /// The line of the option's name, from 1; the value may continue below it.
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

/// One `--config-file` or `--config-dir` of a Cinder process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, which must exist.
    File(PathBuf),
    /// A folder, which must exist: its visible `*.conf`, sorted by name, and no folders below it.
    Dir(PathBuf),
}

/// Why the files, or one value in them, cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document variants and fields")]
pub enum Error {
    #[error("cannot read {}; it must be readable for the exporter's user", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot list the folder {}; it must be readable for the exporter's user", path.display())]
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

/// What is wrong with a value, without the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document the variants")]
pub enum ValueFault {
    // The name is left out: it may be the end of a password that has a raw dollar.
    #[error(
        "refers at character {position} to an option that is set neither in these files nor in the environment; \
         set it in the file, write a literal dollar as $$, or give the URL by --database.url-file"
    )]
    Reference { position: usize },
    #[error("refers to itself, perhaps through other options; break the circle")]
    Circle,
    #[error("is not an integer; write a whole number alone, a comment on a line of its own")]
    Integer,
    #[error("is negative; write a whole number of seconds")]
    Negative,
}

type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The merged values of all files, and the environment above them.
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
    /// Reads all files; of several assignments the last wins, by order of the places and then of the lines.
    ///
    /// `environment` is asked at each [`get`](Self::get) and beats the files. Unlike in oslo.config a leading
    /// `~` stands for itself, and a [`Place::Dir`] that is a file is an error.
    ///
    /// # Errors
    ///
    /// All faults of all files, in order: what cannot be read, and every line that oslo.config would refuse.
    pub fn load(
        places: &[Place],
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, Vec<Error>> {
        let mut values = HashMap::new();
        let mut errors = Vec::new();
        for path in files(places, &mut errors) {
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(source) => {
                    errors.push(Error::Read { path, source });
                    continue;
                }
            };
            for (line, parsed) in ini::parse(&bytes) {
                let path = path.clone();
                match parsed {
                    Ok((name, value)) => {
                        values.insert(name, (value, Origin::File { path, line }));
                    }
                    Err(fault) => errors.push(Error::Syntax { path, line, fault }),
                }
            }
        }
        let environment = Box::new(environment);
        if errors.is_empty() {
            Ok(Self {
                values,
                environment,
            })
        } else {
            Err(errors)
        }
    }

    /// Returns an option's value after substitution, and where the option was written.
    ///
    /// `None` if it is written nowhere; an option without text is the empty string. `group` is case-insensitive
    /// but for `DEFAULT`, as in oslo.config, where `[default]` is another group.
    ///
    /// # Errors
    ///
    /// A `$name` that is written nowhere, even where oslo.config would know a default, and a circle of names.
    pub fn get(&self, group: &str, option: &str) -> Result<Option<(String, Origin)>, Error> {
        let name = (normalise(group), option.to_owned());
        self.resolve(name, &mut Vec::new())
    }

    /// Returns an option as oslo.config's `IntOpt` does: `None` also if its value is blank.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), and a value that is no integer; the `1_000` of Python is none here.
    pub fn get_integer(&self, group: &str, option: &str) -> Result<Option<(i64, Origin)>, Error> {
        let Some((text, origin)) = self.get(group, option)? else {
            return Ok(None);
        };
        match text.trim() {
            "" => Ok(None),
            digits => match digits.parse() {
                Ok(number) => Ok(Some((number, origin))),
                Err(_) => Err(Error::Value {
                    origin,
                    group: group.to_owned(),
                    option: option.to_owned(),
                    fault: ValueFault::Integer,
                }),
            },
        }
    }

    fn written(&self, name: &Name) -> Option<(String, Origin)> {
        let variable = format!("OS_{}__{}", name.0.to_uppercase(), name.1.to_uppercase());
        match (self.environment)(&variable) {
            Some(value) => Some((value, Origin::Environment(variable))),
            None => self.values.get(name).cloned(),
        }
    }

    /// `above` holds the options whose values lead to this one, so that a circle ends.
    fn resolve(
        &self,
        name: Name,
        above: &mut Vec<Name>,
    ) -> Result<Option<(String, Origin)>, Error> {
        let Some((text, origin)) = self.written(&name) else {
            return Ok(None);
        };
        let (group, option) = name.clone();
        if above.contains(&name) {
            let fault = ValueFault::Circle;
            return Err(Error::Value {
                origin,
                group,
                option,
                fault,
            });
        }
        above.push(name);
        // oslo.config does this replacement first as well: `$\$x` is `$$` and then `$x`.
        let text = text.replace(r"\$", "$$");
        let mut value = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            value.push_str(before);
            if let Some((reference, tail)) = reference(after) {
                if let Some(text) = self.refer(&group, reference, above)? {
                    value.push_str(&text);
                    rest = tail;
                    continue;
                }
                let position = text[..text.len() - after.len()].chars().count();
                let fault = ValueFault::Reference { position };
                return Err(Error::Value {
                    origin,
                    group,
                    option,
                    fault,
                });
            }
            value.push('$');
            rest = after.strip_prefix('$').unwrap_or(after);
        }
        value.push_str(rest);
        above.pop();
        Ok(Some((value, origin)))
    }

    /// Resolves `group.option`, or an option of the group at hand, or else of DEFAULT.
    ///
    /// oslo.config looks among registered options alone; an option of the group at hand that is written but not
    /// registered is passed over there and not here.
    fn refer(
        &self,
        group: &str,
        reference: &str,
        above: &mut Vec<Name>,
    ) -> Result<Option<String>, Error> {
        let names = match reference.split_once('.') {
            Some((group, option)) => vec![(group, option)],
            None => vec![(group, reference), ("DEFAULT", reference)],
        };
        for (group, option) in names {
            let name = (group.to_owned(), option.to_owned());
            if let Some((text, _)) = self.resolve(name, above)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// Splits what follows a dollar into the name it refers to and the rest; `None` if the dollar is literal.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    if !text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
        return None;
    }
    let end = text
        .find(|c: char| !(c == '_' || c == '.' || c.is_ascii_alphanumeric()))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if braced {
        Some((name, rest.strip_prefix('}')?))
    } else {
        Some((name, rest))
    }
}

fn files(places: &[Place], errors: &mut Vec<Error>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for place in places {
        match place {
            Place::File(path) => files.push(path.clone()),
            Place::Dir(path) => match list(path) {
                Ok(found) => files.extend(found),
                Err(source) => errors.push(Error::List {
                    path: path.clone(),
                    source,
                }),
            },
        }
    }
    files
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".conf") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::oslo::{OsloConfig, Place};

    /// Loads `cinder.conf` of this text and gives option `x` of group `g`, its origin, or all the errors.
    fn load(folder: &Path, text: &str) -> Result<Option<(String, String)>, String> {
        let path = folder.join("cinder.conf");
        std::fs::write(&path, text).expect("the folder takes files");
        let shorten = |text: String| text.replace(&format!("{}/", folder.display()), "");
        let environment = |name: &str| (name == "OS_G__Y").then(|| "from outside".to_owned());
        let config = OsloConfig::load(&[Place::File(path)], environment).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            shorten(errors.join("\n"))
        })?;
        match config.get("g", "x") {
            Ok(found) => Ok(found.map(|(value, origin)| (value, shorten(origin.to_string())))),
            Err(error) => Err(shorten(error.to_string())),
        }
    }

    #[track_caller]
    fn check(text: &str, value: &str, origin: &str) {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let expected = Some((value.to_owned(), origin.to_owned()));
        assert_eq!(load(folder.path(), text), Ok(expected), "{text:?}");
    }

    #[track_caller]
    fn check_errors(text: &str, expected: &[&str]) {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let errors = load(folder.path(), text).expect_err("the text is faulty");
        let starts: Vec<&str> = errors.lines().collect();
        assert_eq!(starts.len(), expected.len(), "{errors}");
        for (error, expected) in starts.iter().zip(expected) {
            assert!(
                error.starts_with(expected),
                "{error} should start with {expected}"
            );
        }
        assert!(!errors.contains("secret"), "{errors}");
    }

    #[test]
    fn the_origin_is_the_line_of_the_name() {
        check("[g]\n# c\nx = 1", "1", "cinder.conf:3");
        check("[g]\r\n\r\nx =\r\n  1\r\n  2", "\n1\n2", "cinder.conf:3");
        check("[g]\nx = 1\n[G]\nx = 2\n", "2", "cinder.conf:4");
        check("[g]\ny = 1\nx = $y", "from outside", "cinder.conf:3");
    }

    #[test]
    fn all_faults_are_reported_once_with_their_lines_and_without_the_text() {
        check_errors(
            "secret = secret\nsecret = secret\n[g\n  secret\n[]\nsecret\n  secret\n\n  secret\n= secret\n",
            &[
                "cinder.conf:1: the option stands before the first section header",
                "cinder.conf:3: the section header does not end",
                "cinder.conf:4: the line is indented",
                "cinder.conf:5: the section header is empty",
                "cinder.conf:6: the line has neither",
                "cinder.conf:9: the line is indented",
                "cinder.conf:10: the option has no name",
            ],
        );
    }

    #[test]
    fn a_faulty_value_is_told_by_position_and_not_by_text() {
        check_errors(
            "[g]\nx = mysql://u:pä$secret@h/d",
            &["cinder.conf:2: [g] x refers at character 13 to an option"],
        );
        check_errors(
            "[g]\nx = $z\nz = secret ${x}",
            &["cinder.conf:2: [g] x refers to itself"],
        );
    }

    #[test]
    fn a_faulty_integer_is_told_without_its_text() {
        let environment = |_: &str| Some("secret".to_owned());
        let config = OsloConfig::load(&[], environment).expect("there are no files");
        let error = config.get_integer("g", "x").expect_err("it is no integer");
        let expected = "environment variable OS_G__X: [g] x is not an integer";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn every_unreadable_place_is_reported() {
        let places = [
            Place::File("/missing/a".into()),
            Place::Dir("/missing/b".into()),
        ];
        let errors = OsloConfig::load(&places, |_| None).expect_err("nothing is there");
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "cannot list the folder /missing/b; it must be readable for the exporter's user",
                "cannot read /missing/a; it must be readable for the exporter's user"
            ]
        );
    }
}
