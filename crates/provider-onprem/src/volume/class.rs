//! The VolumeSnapshotClass of a volume.

use kube::ResourceExt;
use provider::{Error, ErrorKind, Result};

use super::source::Source;
use super::{CsiSnapshots, SnapshotProblem};

/// Marks the class that is taken where none is named.
const IS_DEFAULT: &str = "snapshot.storage.kubernetes.io/is-default-class";

/// A class that is for a volume's driver.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) deletion_policy: String,
}

impl CsiSnapshots {
    /// The class to use: the configured one, else the driver's only one, else the driver's default.
    pub(super) async fn class_for(&self, operation: &'static str, source: &Source) -> Result<Class> {
        let error = |kind, problem| {
            Error::new(kind, operation, format!("claim {}/{}", self.namespace, source.claim)).with_source(problem)
        };
        let all = match self.classes.list("").await {
            Ok(all) => all,
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                return Err(error(ErrorKind::Unsupported, SnapshotProblem::NoApi));
            }
            Err(cause) => return Err(cause),
        };
        if let Some(class) = &self.options.class {
            let Some(chosen) = all.into_iter().find(|found| found.name_any() == *class) else {
                return Err(error(ErrorKind::Invalid, SnapshotProblem::ClassMissing { class: class.clone() }));
            };
            if chosen.spec.driver != source.driver {
                let (of, driver) = (chosen.spec.driver, source.driver.clone());
                let problem = SnapshotProblem::ClassOfAnotherDriver { class: class.clone(), of, driver };
                return Err(error(ErrorKind::Invalid, problem));
            }
            return Ok(Class { name: class.clone(), deletion_policy: chosen.spec.deletion_policy });
        }
        let driver = source.driver.clone();
        let mut fitting: Vec<_> = all.into_iter().filter(|class| class.spec.driver == driver).collect();
        if fitting.len() > 1 {
            let default = |class: &super::VolumeSnapshotClass| {
                class.annotations().get(IS_DEFAULT).is_some_and(|value| value == "true")
            };
            if fitting.iter().filter(|class| default(class)).count() != 1 {
                let classes = fitting.iter().map(ResourceExt::name_any).collect();
                return Err(error(ErrorKind::Invalid, SnapshotProblem::SeveralClasses { driver, classes }));
            }
            fitting.retain(default);
        }
        let class = fitting.pop().ok_or_else(|| error(ErrorKind::Unsupported, SnapshotProblem::NoClass { driver }))?;
        Ok(Class { name: class.name_any(), deletion_policy: class.spec.deletion_policy })
    }
}
