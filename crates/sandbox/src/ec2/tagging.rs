//! `CreateTags`.

use super::answer::{Refused, Xml};
use super::parameters::Parameters;
use super::state::State;

impl State {
    pub(super) fn create_tags(&mut self, parameters: &mut Parameters) -> Result<Xml, Refused> {
        let resources = parameters.take_list("ResourceId");
        let tags = parameters.take_tags("Tag");
        parameters.nothing_left()?;
        let is_there = |id: &String| self.snapshots.contains_key(id) || self.volumes.contains_key(id);
        if let Some(missing) = resources.iter().find(|id| !is_there(id)) {
            let code = if missing.starts_with("vol-") { "InvalidVolume.NotFound" } else { "InvalidSnapshot.NotFound" };
            return Err(Refused::bad(code, format!("The ID '{missing}' does not exist")));
        }
        for id in &resources {
            let snapshot = self.snapshots.get_mut(id).map(|snapshot| &mut snapshot.tags);
            let found = snapshot.or_else(|| self.volumes.get_mut(id).map(|volume| &mut volume.tags));
            if let Some(found) = found {
                found.extend(tags.clone());
            }
        }
        Ok(Xml::default().text("return", true))
    }
}
