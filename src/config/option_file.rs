//! MySQL's option files (`my.cnf`), to the extent that `PyMySQL` reads them.
//!
//! Mirrors `pymysql/optionfile.py` (1.2.4) and Python's `RawConfigParser`: one group only, `!include` and
//! `!includedir` are not followed, `_` in a name is `-`. `PyMySQL` refuses a file with a repeated option or a line
//! before the first group; here the last value wins and the line is ignored.

use std::collections::HashMap;

/// The options of one group, by name in lower case with `-`.
#[derive(Default)]
pub(super) struct OptionFile(HashMap<String, String>);

impl OptionFile {
    /// Reads one group from the text of a file; a missing group has no options.
    pub(super) fn parse(text: &str, group: &str) -> Self {
        let mut options: HashMap<String, String> = HashMap::new();
        let mut in_group = false;
        let mut open: Option<String> = None;
        let mut level = 0;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // Python takes a more deeply indented line as a continuation of the option above.
            if indent > level
                && let Some(value) = open.as_ref().and_then(|name| options.get_mut(name))
            {
                value.push('\n');
                value.push_str(line);
                continue;
            }
            level = indent;
            open = None;
            if let Some((header, _)) = line
                .strip_prefix('[')
                .and_then(|rest| rest.rsplit_once(']'))
            {
                in_group = header == group;
            } else if in_group {
                let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
                let name = name.trim().to_lowercase().replace('_', "-");
                options.insert(name.clone(), value.trim().to_owned());
                open = Some(name);
            }
        }
        Self(options)
    }

    /// Returns an option's value without its quotes; `None` also for an empty value.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = self.0.get(name)?;
        let inner = ['"', '\'']
            .into_iter()
            .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        Some(inner.unwrap_or(value).to_owned()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::option_file::OptionFile;

    fn check(text: &str, name: &str, expected: Option<&str>) {
        let file = OptionFile::parse(text, "client");
        assert_eq!(file.get(name).as_deref(), expected, "{name} of {text:?}");
    }

    #[test]
    fn only_the_requested_group_is_read() {
        let groups = "[mysqld]\nuser=a\n[client]\nuser=b\n[mysql]\nuser=c";
        check(groups, "user", Some("b"));
        check("[Client]\nuser=b", "user", None);
        check("user=b", "user", None);
        check("[client] # of PyMySQL\nuser=b", "user", Some("b"));
    }

    #[test]
    fn names_are_compared_in_lower_case_and_with_hyphens() {
        check("[client]\nSSL_CA = /x", "ssl-ca", Some("/x"));
        check("[client]\nssl-ca: /x", "ssl-ca", Some("/x"));
    }

    #[test]
    fn quotes_are_removed_and_comments_after_a_value_are_kept() {
        check("[client]\npassword='a b'", "password", Some("a b"));
        check("[client]\npassword=\"a", "password", Some("\"a"));
        check("[client]\npassword=a # b", "password", Some("a # b"));
        check("[client]\n#password=a\n;password=b", "password", None);
    }

    #[test]
    fn an_option_without_a_value_counts_as_absent() {
        check("[client]\nuser", "user", None);
        check("[client]\nuser=", "user", None);
        let directive = "[client]\n!includedir /etc/my.cnf.d\nuser=b";
        check(directive, "user", Some("b"));
    }

    #[test]
    fn deeper_indentation_continues_a_value_and_equal_indentation_does_not() {
        check("[client]\n  user=a\n  host=b", "host", Some("b"));
        check("[client]\nuser=a\n  host=b", "host", None);
        check("[client]\nuser=a\n  host=b", "user", Some("a\nhost=b"));
    }
}
