//! The merged configuration as a TOML file, with the origin of each value as a comment.

use std::fmt::Write as _;

use orchestrator::job::Loader;

use super::origin::Origin;
use super::{Config, FIELDS};

/// The merged configuration as TOML that can be read back. Holds no secret: settings only say where secrets are, and
/// the arguments of hooks are left out.
pub(crate) fn show(config: &Config) -> String {
    let layers = config.layers();
    let mut text = match &layers.file {
        Some(file) => format!("# Configuration file: {}\n", file.display()),
        None => "# No configuration file was found.\n".to_owned(),
    };
    let mut section = "";
    for field in FIELDS {
        let (this_section, name) = field.path.split_once('.').unwrap_or(("", field.path));
        if this_section != section {
            section = this_section;
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = match layers.values.get(field.path) {
            Some((value, origin)) => {
                let setting = format!("{name} = {}", value.to_toml());
                writeln!(text, "{setting:<44} # {origin}")
            }
            None => writeln!(text, "{:<44} # not set: {}", format!("# {name} ="), field.about),
        };
    }
    for loader in config.loaders() {
        let origin = layers.file.clone().map_or(Origin::Default, Origin::File);
        let _ = write!(text, "\n[[loader]] # {origin}\n{}", show_loader(loader));
    }
    text
}

fn show_loader(loader: &Loader) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let object = |kind: &str, namespace: &Option<String>, name: &str| {
        let namespace = namespace.as_ref().map(|space| format!("namespace = {}\n", quoted(space))).unwrap_or_default();
        format!("kind = \"{kind}\"\n{namespace}name = {}\n", quoted(name))
    };
    let program = |command: &[String]| {
        let program = command.first().map(String::as_str).unwrap_or_default();
        match command.len().saturating_sub(1) {
            0 => format!("[{}]", quoted(program)),
            more => format!("[{}] # and {more} arguments, which are not shown", quoted(program)),
        }
    };
    match loader {
        Loader::Deployment { namespace, name } => object("deployment", namespace, name),
        Loader::StatefulSet { namespace, name } => object("stateful-set", namespace, name),
        Loader::CronJob { namespace, name } => object("cron-job", namespace, name),
        Loader::Hook { name, pause, resume } => {
            let (pause, resume) = (program(pause), program(resume));
            format!("kind = \"hook\"\nname = {}\npause = {pause}\nresume = {resume}\n", quoted(name))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{Environment, Layers};
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_back_and_holds_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pachsnap.toml");
        let text = "[vault]\nurl = \"file:///vault\"\n[snapshot]\nport-map = { 30650 = 31650 }\n\
                    [[loader]]\nkind = \"hook\"\nname = \"queue\"\npause = [\"curl\", \"-H\", \"Authorization: hunter2\"]\nresume = [\"curl\"]\n\
                    [[loader]]\nkind = \"cron-job\"\nnamespace = \"etl\"\nname = \"nightly\"";
        std::fs::write(&file, text).unwrap();
        let environment = Environment::from([("PACHSNAP_TOKEN", "hunter2"), ("PACHSNAP_SNAPSHOT_STALL", "9s")]);
        let flags = [("snapshot.fence", "--fence", "none".to_owned())];
        let shown = show(&Config::load(Some(&file), environment, &flags).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        for expected in ["# flag --fence", "# environment variable PACHSNAP_SNAPSHOT_STALL", "# default", "# file "] {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
        let mut again = Layers::defaults();
        again.add_file(&file, &shown).unwrap();
        assert_eq!(again.loaders.len(), 2);
        assert!(again.values.contains_key("snapshot.port-map"));
    }
}
