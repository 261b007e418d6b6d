//! Files that contain one secret.

use super::fault::Fault;
use super::layer::Item;

/// Reads the file that `file` names, without line breaks at its end. The text is empty after a fault.
pub(super) fn read(file: &Item, faults: &mut Vec<Fault>) -> Item {
    let origin = file.text.clone();
    let text = match std::fs::read_to_string(&file.text) {
        Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
        Err(source) => {
            faults.push(Fault::Read {
                path: (&file.text).into(),
                origin: file.origin.clone(),
                source,
            });
            return Item {
                text: String::new(),
                origin,
            };
        }
    };
    if text.is_empty() {
        faults.push(Fault::Syntax {
            origin: origin.clone(),
            what: "the file is empty; check that the secret is mounted".to_owned(),
        });
    }
    Item { text, origin }
}
