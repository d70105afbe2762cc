//! Order within flows: the highest number seen of each.
//!
//! RFC 4737 section 3.3 (Type-P-Reordered): a packet is reordered when its number is smaller than the next one
//! expected, that is, than the highest of its flow before it. Pages of flows exist only where a flow was seen.
//! Invariant: an entry is 0 (none seen) or one more than the highest number of that flow.

use super::block::{Block, Budget, WORDS};
use crate::frame::signature::MAX_FLOWS;

/// Pages that flow numbers can reach.
const PAGES: usize = MAX_FLOWS as usize / WORDS;

/// The highest number of each flow.
#[derive(Debug, Default)]
pub struct Order {
    pages: Vec<Option<Block>>,
}

/// Whether a packet is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is the latest of its flow.
    Latest,
    /// A later one came before it.
    Late,
    /// There was no room to remember its flow.
    Unjudged,
}

impl Order {
    /// A first copy of `number` came.
    #[inline]
    pub fn judge(&mut self, flow: u32, number: u64, budget: &'static Budget) -> Place {
        let page = flow as usize / WORDS;
        let Some(Some(block)) = self.pages.get_mut(page) else {
            return self.open(flow, number, budget);
        };
        let next = &mut block[flow as usize % WORDS];
        if number < *next {
            return Place::Late;
        }
        *next = number + 1;
        Place::Latest
    }

    #[cold]
    fn open(&mut self, flow: u32, number: u64, budget: &'static Budget) -> Place {
        let page = flow as usize / WORDS;
        if page >= PAGES {
            return Place::Unjudged;
        }
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        self.pages[page] = budget.block();
        match &mut self.pages[page] {
            Some(block) => {
                block[flow as usize % WORDS] = number + 1;
                Place::Latest
            }
            None => Place::Unjudged,
        }
    }

    /// Takes in what another worker saw, its numbers meant `by` higher: the higher number of each flow.
    pub fn merge(&mut self, other: &Order, by: u64, budget: &'static Budget) {
        if self.pages.len() < other.pages.len() {
            self.pages.resize_with(other.pages.len(), || None);
        }
        for (page, theirs) in self.pages.iter_mut().zip(&other.pages) {
            let Some(theirs) = theirs else { continue };
            if page.is_none() {
                *page = budget.block();
            }
            for (next, theirs) in page
                .iter_mut()
                .flat_map(|page| page.iter_mut())
                .zip(theirs.iter())
            {
                if *theirs != 0 {
                    *next = (*next).max(*theirs + by);
                }
            }
        }
    }

    /// All numbers are meant `by` higher than they were noted.
    pub fn shift(&mut self, by: u64) {
        for next in self
            .pages
            .iter_mut()
            .flatten()
            .flat_map(|page| page.iter_mut())
        {
            if *next != 0 {
                *next += by;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROOM: Budget = Budget::new(4);

    #[test]
    fn order_is_judged_within_a_flow() {
        let mut order = Order::default();
        assert_eq!(order.judge(1, 10, &ROOM), Place::Latest);
        assert_eq!(order.judge(2, 5, &ROOM), Place::Latest);
        assert_eq!(order.judge(1, 9, &ROOM), Place::Late);
        assert_eq!(order.judge(1, 11, &ROOM), Place::Latest);
        let mut other = Order::default();
        other.judge(2, 20, &ROOM);
        order.merge(&other, 0, &ROOM);
        assert_eq!(order.judge(2, 19, &ROOM), Place::Late);
        assert_eq!(order.judge(1, 10, &ROOM), Place::Late);
    }

    #[test]
    fn the_highest_flow_costs_one_block() {
        static ONE: Budget = Budget::new(1);
        let mut order = Order::default();
        assert_eq!(order.judge(MAX_FLOWS - 1, 0, &ONE), Place::Latest);
        assert_eq!(ONE.used(), 1);
        assert_eq!(order.judge(0, 0, &ONE), Place::Unjudged);
        assert_eq!(order.judge(u32::MAX, 0, &ONE), Place::Unjudged);
    }
}
