//! The tokens of a Rust file, without comments, literals and `#[cfg(test)]` items.

/// Returns the words and punctuation marks of the code; `::` is one token.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        at = match &chars[at..] {
            ['/', '/', ..] => past(&chars, at, "\n"),
            ['/', '*', ..] => past(&chars, at, "*/"),
            ['"', ..] => past_literal(&chars, at + 1, '"'),
            ['\'', '\\', ..] | ['\'', _, '\'', ..] => past_literal(&chars, at + 1, '\''),
            ['r', '"' | '#', ..] if raw_hashes(&chars, at).is_some() => past_raw(&chars, at),
            [first, ..] if is_word(*first) => {
                let length = chars[at..].iter().take_while(|c| is_word(**c)).count();
                tokens.push(chars[at..at + length].iter().collect());
                start + length
            }
            [':', ':', ..] => {
                tokens.push("::".to_owned());
                at + 2
            }
            [first, ..] => {
                if !first.is_whitespace() {
                    tokens.push(first.to_string());
                }
                at + 1
            }
            [] => at,
        };
    }
    without_tests(&tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the place after the next `end`.
fn past(chars: &[char], at: usize, end: &str) -> usize {
    let end: Vec<char> = end.chars().collect();
    let found = chars[at..].windows(end.len()).position(|part| part == end);
    found.map_or(chars.len(), |offset| at + offset + end.len())
}

/// Returns the place after the closing `quote`.
fn past_literal(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Returns the number of `#` before the quote of a raw string that starts here.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn past_raw(chars: &[char], at: usize) -> usize {
    let hashes = raw_hashes(chars, at).unwrap_or_default();
    past(chars, at + hashes + 2, &format!("\"{}", "#".repeat(hashes)))
}

fn without_tests(tokens: &[String]) -> Vec<String> {
    const TEST_ONLY: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].starts_with(&TEST_ONLY.map(str::to_owned)) {
            at = past_item(tokens, at + TEST_ONLY.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Returns the place after the item that starts here: it ends with its semicolon or its braces.
fn past_item(tokens: &[String], start: usize) -> usize {
    let item = &tokens[start..];
    let braces_end = !item.iter().take(4).any(|token| token == "use");
    let mut depth = 0;
    for (offset, token) in item.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (token == ";" || token == "}" && braces_end) {
            return start + offset + 1;
        }
    }
    tokens.len()
}
