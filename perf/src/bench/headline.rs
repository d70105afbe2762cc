//! A run in a few sentences, computed from its samples: what a reader takes away who reads nothing else.
//!
//! Where we lose stands beside where we win, at the same length and by the same rule.

use super::model::{Better, Measure, Report, Wire};
use super::verdict::{BASELINE, Beside, OURS, Verdict};
use super::words;

/// Sentences about single figures, before those that count.
const FIGURES: usize = 2;

/// What users measure first. Where a run lacks one, the first measure of a further group speaks instead.
const FIRST: [&str; FIGURES] = ["pods.tcp1", "pods.rr.p50"];

/// What a run comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// Three or four sentences of plain text.
    pub sentences: Vec<String>,
    /// Measures in which we did better than [`BASELINE`] at some point, the furthest ahead first.
    pub ahead: Vec<Standing>,
    /// Measures in which we did worse than [`BASELINE`] at some point, the furthest behind first.
    pub behind: Vec<Standing>,
    /// Us beside each of the others.
    pub tallies: Vec<Tally>,
}

/// One measure in which we are ahead or behind, at the point where that is most so.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// `Goodput of one TCP flow, 64 B`, and the wire unless it is the plain one.
    pub at: String,
    /// Our median and theirs, with the unit: `7.10 against 5.80 Gbit/s`.
    pub figures: String,
    /// The ratio there.
    pub beside: Beside,
    /// Points of the measure where it is so too, this one included.
    pub points: usize,
    /// Points of the measure that have both.
    pub of: usize,
}

/// Points at which we did better, the same, worse than another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The other.
    pub contender: String,
    /// Better in every round.
    pub better: usize,
    /// No difference beyond the spread.
    pub even: usize,
    /// Worse in every round.
    pub worse: usize,
    /// Too few rounds to say.
    pub too_few: usize,
}

impl Tally {
    /// All of its points.
    pub fn points(&self) -> usize {
        self.better + self.even + self.worse + self.too_few
    }
}

impl Headline {
    /// Of a run.
    pub fn of(report: &Report) -> Self {
        let others = report
            .contenders
            .iter()
            .filter(|entrant| entrant.name != OURS);
        let tallies: Vec<Tally> = others
            .map(|entrant| tally(report, &entrant.name))
            .filter(|tally| tally.points() > 0)
            .collect();
        let ahead = standings(report, Verdict::Better);
        let behind = standings(report, Verdict::Worse);
        let mut sentences = figures(report);
        sentences.extend(counted(&tallies));
        sentences.extend(worst(&behind, &tallies));
        if sentences.is_empty() {
            sentences.push(nothing(report));
        }
        Headline {
            sentences,
            ahead,
            behind,
            tallies,
        }
    }
}

/// [`FIRST`], and the first measures of other groups, at the first point where both took part.
fn figures(report: &Report) -> Vec<String> {
    let rank = |measure: &&Measure| FIRST.iter().position(|id| *id == measure.id);
    let mut measures: Vec<&Measure> = report.measures.iter().collect();
    measures.retain(|measure| measure.wire == Wire::Plain);
    measures.sort_by_key(|measure| rank(measure).unwrap_or(FIGURES));
    let mut groups: Vec<&str> = Vec::new();
    let mut sentences = Vec::new();
    for measure in measures {
        if groups.contains(&measure.group.as_str()) || sentences.len() == FIGURES {
            continue;
        }
        let first = measure
            .points()
            .into_iter()
            .find_map(|x| figure(measure, x));
        if let Some(sentence) = first {
            groups.push(&measure.group);
            sentences.push(sentence);
        }
    }
    sentences
}

/// `Goodput of one TCP flow: 7.10 Gbit/s, 1.22 times kernel vxlan (1.15..1.31).`
fn figure(measure: &Measure, x: Option<f64>) -> Option<String> {
    let beside = Beside::of(measure, OURS, BASELINE, x)?;
    let ratio = beside.ratio?;
    let (at, unit) = (words::at(measure, x), &measure.unit);
    let ours = words::number(beside.medians.0);
    let theirs = words::number(beside.medians.1);
    let (times, spread) = (words::ratio(ratio.median), words::ratio_range(&ratio));
    let unsure = match beside.verdict {
        Verdict::Even | Verdict::TooFew => format!(", {}", beside.verdict.word()),
        Verdict::Better | Verdict::Worse => String::new(),
    };
    Some(match (measure.better, beside.verdict) {
        (Better::More, _) => {
            format!("{at}: {ours} {unit}, {times} times {BASELINE} ({spread}){unsure}.")
        }
        (Better::Less, Verdict::Better) => format!(
            "{at}: {ours} {unit} to {BASELINE}'s {theirs}, {times} times better ({spread})."
        ),
        (Better::Less, Verdict::Worse) => format!(
            "{at}: {ours} {unit} to {BASELINE}'s {theirs}, worse: a ratio of {times} ({spread})."
        ),
        (Better::Less, _) => format!(
            "{at}: {ours} {unit} to {BASELINE}'s {theirs}, a ratio of {times} ({spread}){unsure}."
        ),
    })
}

fn counted(tallies: &[Tally]) -> Option<String> {
    let tally = tallies.iter().find(|tally| tally.contender == BASELINE)?;
    let of = tally.points();
    let Tally {
        better,
        worse,
        even,
        too_few,
        ..
    } = tally;
    let unsaid = match too_few {
        0 => String::new(),
        n => format!("; {n} had too few rounds to say"),
    };
    Some(format!(
        "Beside {BASELINE}, at the {of} points that both were measured at, {OURS} is better in every round at {better}, worse in every \
         round at {worse}, and not different beyond the spread at {even}{unsaid}."
    ))
}

fn worst(behind: &[Standing], tallies: &[Tally]) -> Option<String> {
    let Some(first) = behind.first() else {
        let tally = tallies.iter().find(|tally| tally.contender == BASELINE)?;
        let said = tally.points() > tally.too_few;
        return said.then(|| format!("At none of them is {OURS} worse in every round."));
    };
    let times = match first.beside.ratio {
        Some(ratio) => format!(", a ratio of {}", words::ratio(ratio.median)),
        None => String::new(),
    };
    Some(format!(
        "Furthest behind: {}, {}{times}.",
        first.at, first.figures
    ))
}

fn nothing(report: &Report) -> String {
    let ours = report
        .contenders
        .iter()
        .find(|entrant| entrant.name == OURS);
    match ours.and_then(|entrant| entrant.absent.as_deref()) {
        Some(why) => format!("{OURS} took no part: {why}"),
        None => format!("Nothing was measured of both {OURS} and {BASELINE}."),
    }
}

fn tally(report: &Report, other: &str) -> Tally {
    let mut tally = Tally {
        contender: other.to_owned(),
        better: 0,
        even: 0,
        worse: 0,
        too_few: 0,
    };
    for measure in &report.measures {
        for x in measure.points() {
            let Some(beside) = Beside::of(measure, OURS, other, x) else {
                continue;
            };
            match beside.verdict {
                Verdict::Better => tally.better += 1,
                Verdict::Even => tally.even += 1,
                Verdict::Worse => tally.worse += 1,
                Verdict::TooFew => tally.too_few += 1,
            }
        }
    }
    tally
}

fn standings(report: &Report, verdict: Verdict) -> Vec<Standing> {
    let standing = |measure| standing(measure, verdict);
    let mut standings: Vec<Standing> = report.measures.iter().filter_map(standing).collect();
    standings.sort_by(|one, two| {
        further(verdict, &one.beside).total_cmp(&further(verdict, &two.beside))
    });
    standings
}

fn standing(measure: &Measure, verdict: Verdict) -> Option<Standing> {
    let points = measure.points().into_iter();
    let besides: Vec<(Option<f64>, Beside)> = points
        .filter_map(|x| Some((x, Beside::of(measure, OURS, BASELINE, x)?)))
        .collect();
    let so = || {
        besides
            .iter()
            .filter(|(_, beside)| beside.verdict == verdict)
    };
    let (x, beside) =
        so().min_by(|(_, one), (_, two)| further(verdict, one).total_cmp(&further(verdict, two)))?;
    let wire = match measure.wire {
        Wire::Plain => String::new(),
        other => format!(", {}", words::wire(other)),
    };
    let (ours, theirs) = beside.medians;
    let (ours, theirs) = (words::number(ours), words::number(theirs));
    Some(Standing {
        at: words::at(measure, *x) + &wire,
        figures: format!("{ours} against {theirs} {}", measure.unit),
        beside: *beside,
        points: so().count(),
        of: besides.len(),
    })
}

/// Orders standings, the furthest first; without a ratio last, for nobody can say how far.
fn further(verdict: Verdict, beside: &Beside) -> f64 {
    match (verdict, beside.ratio) {
        (_, None) => f64::INFINITY,
        (Verdict::Worse, Some(ratio)) => ratio.median,
        (_, Some(ratio)) => -ratio.median,
    }
}

#[cfg(test)]
mod tests;
