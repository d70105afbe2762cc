//! Green and red, on a terminal that wants them (no-color.org).

use std::io::IsTerminal;

/// `text`, coloured by whether it is good.
pub fn verdict(good: bool, text: &str) -> String {
    let wanted = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match (wanted, good) {
        (false, _) => text.to_owned(),
        (true, true) => format!("\x1b[32m{text}\x1b[0m"),
        (true, false) => format!("\x1b[31m{text}\x1b[0m"),
    }
}
