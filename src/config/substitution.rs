//! The syntax of `$name` in values of oslo.config.

/// A piece of a value.
pub(super) enum Piece<'a> {
    /// Text to copy.
    Literal(&'a str),
    /// A reference to an option.
    Reference {
        /// Name of an option, perhaps with `group.` before it.
        name: &'a str,
        /// Position of the dollar sign, in characters from 1.
        position: usize,
    },
}

/// Splits a value into its pieces. A `$` that starts neither a reference nor `$$` is literal.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        pieces.push(Piece::Literal(before));
        if let Some((name, tail)) = reference(after) {
            let position = text[..text.len() - after.len()].chars().count();
            pieces.push(Piece::Reference { name, position });
            rest = tail;
        } else {
            pieces.push(Piece::Literal("$"));
            rest = after.strip_prefix('$').unwrap_or(after);
        }
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// Splits the text after a dollar sign into a name and the rest; `None` if the dollar sign is literal.
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
