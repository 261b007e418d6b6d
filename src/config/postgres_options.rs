//! PostgreSQL's connection option `options`: arguments of the server, of which `search_path` selects the tables.
//!
//! Mirrors `pg_split_opts` and `process_postgres_switches` of PostgreSQL: white space separates the arguments, and a
//! backslash makes the next character literal. `-c name=value`, `-cname=value` and `--name=value` are equivalent.

/// Returns the value of `search_path`, of which the last one wins, and the names of other settings, which are ignored.
///
/// `None` stands for an argument that is not a setting.
pub(super) fn search_path(options: &str) -> (Option<String>, Vec<Option<String>>) {
    let (mut path, mut others) = (None, Vec::new());
    let mut arguments = split(options).into_iter();
    while let Some(argument) = arguments.next() {
        let setting = match argument.strip_prefix("-c") {
            Some("") => arguments.next().unwrap_or_default(),
            Some(setting) => setting.to_owned(),
            None => argument.strip_prefix("--").unwrap_or_default().to_owned(),
        };
        match setting.split_once('=') {
            Some((name, value)) if is_search_path(name) => path = Some(value.to_owned()),
            Some((name, _)) if is_name(name) => others.push(Some(name.to_owned())),
            _ => others.push(None),
        }
    }
    (path, others)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// The server ignores the case of names, and takes `-` in them as `_`.
fn is_search_path(name: &str) -> bool {
    name.replace('-', "_").eq_ignore_ascii_case("search_path")
}

fn split(options: &str) -> Vec<String> {
    let mut arguments: Vec<String> = Vec::new();
    let mut is_open = false;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        if character.is_ascii_whitespace() {
            is_open = false;
            continue;
        }
        if !is_open {
            arguments.push(String::new());
            is_open = true;
        }
        let literal = match character {
            '\\' => characters.next(),
            _ => Some(character),
        };
        if let Some(argument) = arguments.last_mut() {
            argument.extend(literal);
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::search_path;

    #[test]
    fn the_search_path_is_found_in_each_form() {
        type Case<'a> = (&'a str, Option<&'a str>, &'a [Option<&'a str>]);
        let cases: [Case; 13] = [
            ("-csearch_path=cinder", Some("cinder"), &[]),
            ("-c search_path=cinder", Some("cinder"), &[]),
            ("  --search-path=cinder ", Some("cinder"), &[]),
            ("-c Search_Path=a,b", Some("a,b"), &[]),
            (
                r#"-csearch_path="$user",\ public"#,
                Some(r#""$user", public"#),
                &[],
            ),
            ("-csearch_path=a -c search_path=b", Some("b"), &[]),
            (
                "-c statement_timeout=5s -csearch_path=a",
                Some("a"),
                &[Some("statement_timeout")],
            ),
            ("-csearch_path=", Some(""), &[]),
            ("-csearch_path", None, &[None]),
            ("-c", None, &[None]),
            ("-d 5", None, &[None, None]),
            ("\\", None, &[None]),
            ("", None, &[]),
        ];
        for (options, path, others) in cases {
            let others = others.iter().map(|name| name.map(str::to_owned));
            let expected = (path.map(str::to_owned), others.collect());
            assert_eq!(search_path(options), expected, "{options}");
        }
    }
}
