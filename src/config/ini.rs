//! The syntax of the files that oslo.config reads, and of `$name` in their values.
//!
//! Mirrors `iniparser.py` of oslo.config 10.7.0.

/// Why oslo.config refuses a line. No message contains the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxFault {
    #[error("the file starts with a byte order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    #[error("the line is not UTF-8; save the file as UTF-8")]
    Encoding,
    #[error("the section header does not end with ']'; write comments on separate lines")]
    SectionEnd,
    #[error("the section header is empty; write a name between '[' and ']'")]
    SectionName,
    #[error("the line has neither '=' nor ':'; write `name = value`, or start a comment with '#'")]
    Assignment,
    #[error("the option has no name; write `name = value`")]
    OptionName,
    #[error("the option precedes the first section header; write [DEFAULT] above it")]
    NoSection,
    #[error("the line is indented but does not continue a value; remove the leading white space")]
    Continuation,
}

/// A group and an option, the group as [`normalise`] leaves it.
pub(super) type Name = (String, String);

/// Returns a group's name in lower case, except `DEFAULT`.
pub(super) fn normalise(group: &str) -> String {
    match group {
        "DEFAULT" => group.to_owned(),
        _ => group.to_lowercase(),
    }
}

/// A line number (from 1), with the option's name and value or the fault on that line.
pub(super) type Parsed = (usize, Result<(Name, String), SyntaxFault>);

/// Returns the assignments of a file and its faults, in order.
pub(super) fn parse(bytes: &[u8]) -> Vec<Parsed> {
    let text = match str::from_utf8(bytes) {
        // oslo.config takes the mark as part of the first line, which is then never valid.
        Ok(text) if text.starts_with('\u{feff}') => {
            return vec![(1, Err(SyntaxFault::ByteOrderMark))];
        }
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            return vec![(lines(&before).len(), Err(SyntaxFault::Encoding))];
        }
    };
    let mut parsed: Vec<Parsed> = Vec::new();
    let mut group = None;
    // A faulty line takes continuation lines too; otherwise each of them would be reported.
    let mut open = false;
    for (index, line) in lines(text).iter().enumerate() {
        let line = line.trim_end();
        if line.starts_with([' ', '\t']) {
            match parsed.last_mut() {
                Some((_, Ok((_, value)))) if open => {
                    value.push('\n');
                    value.push_str(line.trim_start());
                }
                _ if open => {}
                _ => parsed.push((index + 1, Err(SyntaxFault::Continuation))),
            }
            continue;
        }
        open = false;
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            group = Some(section(line).unwrap_or_else(|fault| {
                parsed.push((index + 1, Err(fault)));
                String::new()
            }));
            continue;
        }
        open = true;
        // Of the options before the first section, report only the first.
        let fault = group.is_none().then_some(SyntaxFault::NoSection);
        let group = group.get_or_insert_default();
        let assignment = assignment(line).map(|(option, value)| ((group.clone(), option), value));
        let assignment = assignment.and_then(|found| fault.map_or(Ok(found), Err));
        parsed.push((index + 1, assignment));
    }
    parsed
}

/// Splits a text into lines at the three line ends of Python's text mode.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(str::to_owned).collect()
}

fn section(line: &str) -> Result<String, SyntaxFault> {
    let inner = line[1..].strip_suffix(']').ok_or(SyntaxFault::SectionEnd)?;
    let name = Some(normalise(inner)).filter(|name| !name.is_empty());
    name.ok_or(SyntaxFault::SectionName)
}

fn assignment(line: &str) -> Result<(String, String), SyntaxFault> {
    let (name, value) = line.split_once(['=', ':']).ok_or(SyntaxFault::Assignment)?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() {
        return Err(SyntaxFault::OptionName);
    }
    // oslo.config takes a single quote character as the empty string.
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) if value.ends_with(quote) => {
            value[1..].strip_suffix(quote).unwrap_or_default()
        }
        _ => value,
    };
    Ok((name.to_owned(), value.to_owned()))
}

/// Replaces each reference by its `value`, which takes the name, perhaps with `group.` before it, and the position of the
/// dollar sign in characters from 1. A `$` that starts neither a reference nor `$$` is literal.
pub(super) fn substitute<E>(
    text: &str,
    mut value: impl FnMut(&str, usize) -> Result<String, E>,
) -> Result<String, E> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result += before;
        rest = if let Some((name, tail)) = reference(after) {
            let position = text[..text.len() - after.len()].chars().count();
            result += &value(name, position)?;
            tail
        } else {
            result.push('$');
            after.strip_prefix('$').unwrap_or(after)
        };
    }
    Ok(result + rest)
}

/// Splits the text after a dollar sign into a name and the rest; `None` if the dollar sign is literal.
fn reference(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let (is_braced, text) = (inner.is_some(), inner.unwrap_or(text));
    if !text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
        return None;
    }
    let end = text
        .find(|c: char| !(c == '_' || c == '.' || c.is_ascii_alphanumeric()))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let end = if is_braced { "}" } else { "" };
    Some((name, rest.strip_prefix(end)?))
}
