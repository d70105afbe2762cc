//! The table of our own: put where it is not as wanted, in one transaction, and otherwise left alone.
//!
//! What nft prints of rules differs from version to version, so its words are not compared with ours but with its own: what it
//! printed right after the rules were put. At the first look of a run the table is therefore always replaced, which no
//! packet notices.

use super::program::{nft, nft_transaction};
use super::ruleset::{Family, removal, replacement};
use super::{Pods, Ports, RulesError, Wanted};

/// What we know of our table, in one family.
#[derive(Debug, Default)]
pub struct Table {
    /// What was put, and how nft prints it. `Some(None)`: there shall be none, and there is none.
    standing: Option<Option<(Pods, Ports, String)>>,
}

impl Table {
    /// Makes it as wanted; whether what had stood was changed by somebody else.
    pub fn ensure(&mut self, wanted: &Wanted, family: Family) -> Result<bool, RulesError> {
        let pods = wanted
            .pods
            .iter()
            .find(|pods| Family::of(&pods.network) == family);
        let (Some(pods), Some(ports)) = (pods, wanted.masquerade) else {
            if !matches!(self.standing, Some(None)) {
                remove_if_there(&wanted.table, family)?;
                self.standing = Some(None);
            }
            return Ok(false);
        };
        let mut disturbed = false;
        if let Some(Some((standing, standing_ports, printed))) = &self.standing
            && (standing, *standing_ports) == (pods, ports)
        {
            if list(&wanted.table, family)?.as_ref() == Some(printed) {
                return Ok(false);
            }
            disturbed = true;
        }
        // Not known again until it is known to be as wanted.
        self.standing = None;
        nft_transaction(&replacement(&wanted.table, pods, ports))?;
        let printed = list(&wanted.table, family)?.unwrap_or_default();
        self.standing = Some(Some((*pods, ports, printed)));
        Ok(disturbed)
    }
}

/// The table as nft prints it; `None`: there is none.
pub fn list(table: &str, family: Family) -> Result<Option<String>, RulesError> {
    match nft(&["-s", "list", "table", family.name(), table]) {
        Ok(text) => Ok(Some(text)),
        Err(RulesError::Refused { said, .. }) if said.contains("No such file or directory") => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Removes the masquerade rules of the instance with this table: what pods send to the world leaves under their own addresses
/// from now on. For a node that tweed leaves for good; a restart needs none of it.
pub fn remove(table: &str) -> Result<(), RulesError> {
    Family::ALL
        .into_iter()
        .try_for_each(|family| remove_if_there(table, family))
}

/// Looked for first: without nft there is no table, and to a kernel without the family one need not speak of it.
fn remove_if_there(table: &str, family: Family) -> Result<(), RulesError> {
    match list(table, family) {
        Ok(Some(_)) => nft_transaction(&removal(table, family)),
        Ok(None) | Err(RulesError::Missing { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
