//! The selectors of an expression, each with the function around it.
//!
//! This is not a full parser: promtool checks that the expression is valid.

use std::iter::Peekable;

/// A selector, for example `name{label="value"}[5m]`.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    pub(crate) name: String,
    /// The matchers as written: `label="value"`.
    pub(crate) matchers: Vec<String>,
    /// The range or subquery in brackets.
    pub(crate) range: Option<String>,
    /// The function or aggregation around it.
    pub(crate) function: String,
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// Returns the selectors of an expression, in their order.
pub(crate) fn selectors(expression: &str) -> Vec<Selector> {
    let mut tokens = tokens(expression).into_iter().peekable();
    let mut found: Vec<Selector> = Vec::new();
    let mut functions: Vec<String> = Vec::new();
    let mut called = String::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Sign('(') => functions.push(std::mem::take(&mut called)),
            Token::Sign(')') => drop(functions.pop()),
            Token::Sign('[') => {
                let range = until(&mut tokens, ']');
                if let Some(selector) = found.last_mut() {
                    selector.range = Some(range.concat());
                }
            }
            Token::Word(word) => match word.as_str() {
                "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" => {
                    drop(until(&mut tokens, ')'));
                }
                "and" | "or" | "unless" | "bool" | "offset" => {}
                _ if is_called(tokens.peek()) => called = word,
                _ => {
                    let has_matchers = tokens.next_if_eq(&Token::Sign('{')).is_some();
                    let inside = if has_matchers {
                        until(&mut tokens, '}')
                    } else {
                        Vec::new()
                    };
                    found.push(Selector {
                        name: word,
                        matchers: inside
                            .split(|part| part == ",")
                            .map(<[_]>::concat)
                            .collect(),
                        range: None,
                        function: functions.last().cloned().unwrap_or_default(),
                    });
                }
            },
            _ => {}
        }
    }
    found
}

/// Returns whether this text follows a function or an aggregation.
fn is_called(next: Option<&Token>) -> bool {
    match next {
        Some(Token::Sign(sign)) => *sign == '(',
        Some(Token::Word(word)) => ["by", "without"].contains(&word.as_str()),
        _ => false,
    }
}

fn until(tokens: &mut Peekable<impl Iterator<Item = Token>>, end: char) -> Vec<String> {
    tokens
        .take_while(|token| *token != Token::Sign(end))
        .map(|token| match token {
            Token::Word(word) => word,
            Token::Text(text) => format!("\"{text}\""),
            Token::Sign(sign) => sign.to_string(),
        })
        .collect()
}

fn tokens(expression: &str) -> Vec<Token> {
    let in_word = |c: &char| c.is_alphanumeric() || ['_', ':', '$', '.'].contains(c);
    let mut tokens = Vec::new();
    let mut rest = expression.chars().peekable();
    while let Some(first) = rest.next() {
        if first == '"' {
            tokens.push(Token::Text(
                rest.by_ref().take_while(|c| *c != '"').collect(),
            ));
        } else if in_word(&first) {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(in_word) {
                word.push(next);
            }
            // Numbers do not matter outside a range.
            if tokens.last() == Some(&Token::Sign('[')) || !first.is_ascii_digit() {
                tokens.push(Token::Word(word));
            }
        } else if !first.is_whitespace() {
            tokens.push(Token::Sign(first));
        }
    }
    tokens
}

#[test]
fn selectors_are_found_with_their_matchers_ranges_and_functions() {
    let found = selectors(
        "sum by (a) (rate(x_total{job=~\"$job\", b!=\"}\"}[$__rate_interval])) > bool 5 or on (c) y + z{} @ end()",
    );
    let described: Vec<String> = found
        .iter()
        .map(|s| format!("{} {:?} {:?} {}", s.name, s.matchers, s.range, s.function))
        .collect();
    assert_eq!(
        described,
        [
            r#"x_total ["job=~\"$job\"", "b!=\"}\""] Some("$__rate_interval") rate"#,
            r#"y [""] None "#,
            r#"z [""] None "#,
        ]
    );
}
