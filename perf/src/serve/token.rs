//! The bearer token (RFC 6750): read once from a file, compared in constant time.
//!
//! How long the comparison takes does not depend on where two tokens differ; their lengths it does tell.

use std::path::Path;

use anyhow::{Context, ensure};
use axum::http::HeaderValue;
use subtle::ConstantTimeEq;

/// Fewer characters could be guessed.
const SHORTEST: usize = 16;

/// What clients must show.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The first line of a file. An error when it is short, or has what a header cannot carry.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the token file {}", path.display()))?;
        let token = text.lines().next().unwrap_or_default().trim();
        ensure!(
            token.len() >= SHORTEST,
            "the token in {} has {} characters, fewer than {SHORTEST}; make one with: openssl rand -hex 32",
            path.display(),
            token.len()
        );
        ensure!(
            token.bytes().all(|b| b.is_ascii_graphic()),
            "the token in {} has characters that a header cannot carry; make one with: openssl rand -hex 32",
            path.display()
        );
        Ok(Token(token.to_owned()))
    }

    /// Whether an Authorization header shows it.
    pub fn admits(&self, authorization: Option<&HeaderValue>) -> bool {
        let Some((scheme, shown)) =
            authorization.and_then(|value| value.to_str().ok()?.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer")
            && bool::from(shown.trim().as_bytes().ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> anyhow::Result<Token> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Token::read(file.path())
    }

    #[test]
    fn only_the_token_admits() {
        let token = token("0123456789abcdef\n# second line\n").unwrap();
        let admits = |value: &str| token.admits(Some(&HeaderValue::from_str(value).unwrap()));
        assert!(admits("Bearer 0123456789abcdef") && admits("bearer 0123456789abcdef"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!admits(wrong), "{wrong}");
        }
        assert!(!token.admits(None));
    }

    #[test]
    fn a_token_that_protects_nothing_is_refused() {
        for bad in [
            "",
            "\n0123456789abcdef",
            "short",
            "0123456789 abcdef",
            "0123456789abcdeé",
        ] {
            let message = token(bad)
                .err()
                .unwrap_or_else(|| panic!("{bad:?} was taken"))
                .to_string();
            assert!(message.contains("openssl rand"), "{message}");
        }
        assert!(Token::read(Path::new("/nonesuch")).is_err());
    }
}
