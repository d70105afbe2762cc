//! What a user may choose. Doc comments are the text of `--help`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// What to measure, how often, and where the report goes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The matrix that `make bench` runs: fewer points, shorter looks, only the wire-like underlay; under 10 minutes.
    #[arg(long)]
    pub short: bool,
    /// Times that every contender has its turn. Fewer than 5 say little of the spread, and the report says so.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Only these measures: ids (pods.tcp1), beginnings of ids up to a dot (pods, veth, pods.latency) or groups. See --list.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only these contenders; hyphens may stand for spaces and underscores (kernel-vxlan, bare-af-xdp).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub contenders: Vec<String>,
    /// Seconds of each look, in place of what each measure has; iperf3 rounds up to whole ones.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// Where bench.json and the pages made of it go; created if missing.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub out: PathBuf,
    /// List measures and contenders, with what a run of them would take, and measure nothing.
    #[arg(long)]
    pub list: bool,
    /// Print bench.json instead of tables.
    #[arg(long)]
    pub json: bool,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    crate::duration::parse(text, 0.2..=600.0)
}

impl Options {
    /// Whether a contender was asked for.
    pub fn wants(&self, contender: &str) -> bool {
        self.contenders.is_empty() || self.contenders.iter().any(|name| same(name, contender))
    }

    /// A name asked for that no one has.
    pub fn unknown<'a>(&'a self, known: &[&str]) -> Option<&'a str> {
        let has_it = |name: &&String| known.iter().any(|known| same(name, known));
        self.contenders
            .iter()
            .find(|name| !has_it(name))
            .map(String::as_str)
    }
}

/// Whether two names are one, as people type them.
fn same(typed: &str, name: &str) -> bool {
    let plain = |text: &str| text.trim().to_lowercase().replace(['-', '_'], " ");
    plain(typed) == plain(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn read(line: &str) -> Options {
        Line::try_parse_from(std::iter::once("bench").chain(line.split_whitespace()))
            .unwrap()
            .options
    }

    #[test]
    fn names_are_taken_as_people_type_them() {
        let options = read("--contenders tweed,Kernel-VXLAN,host-gw");
        assert!(
            options.wants("kernel vxlan") && options.wants("tweed") && options.wants("host-gw")
        );
        assert!(!options.wants("Open vSwitch"));
        assert_eq!(options.unknown(&["tweed", "kernel vxlan"]), Some("host-gw"));
        assert!(read("--contenders bare-af-xdp").wants("bare AF_XDP"));
        assert!(read("").wants("anyone"));
    }

    #[test]
    fn a_round_is_the_least() {
        for bad in ["--rounds 0", "--seconds 0.1", "--seconds x"] {
            let line = std::iter::once("bench").chain(bad.split_whitespace());
            assert!(Line::try_parse_from(line).is_err(), "{bad}");
        }
    }
}
