//! Where the programs are: given, installed, or built from their Go modules.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::ProgramError;

/// Kubernetes' version, as the module beside `build.sh` has it. Another one answers some requests otherwise.
const VERSION: &str = "v1.36.";

/// The programs of an API server.
#[derive(Debug, Clone)]
pub(super) struct ServerBinaries {
    pub(super) etcd: PathBuf,
    pub(super) api_server: PathBuf,
}

/// Finds etcd and kube-apiserver, each in `$KUBEBUILDER_ASSETS`, on the path, or built.
pub(super) fn server() -> Result<ServerBinaries, ProgramError> {
    Ok(ServerBinaries {
        etcd: find("etcd", is_etcd_new_enough)?,
        api_server: find("kube-apiserver", |program| output(program).contains(VERSION))?,
    })
}

/// kubectl of the API server's version: in `$KUBEBUILDER_ASSETS`, or built.
///
/// # Errors
/// When it isn't there and can't be built.
pub fn kubectl() -> Result<PathBuf, ProgramError> {
    find("kubectl", |_| false)
}

/// The folder that `build.sh` fills, with the programs of all controllers, the CSI driver and the CRDs.
pub(super) fn built() -> Result<PathBuf, ProgramError> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/kubernetes/build.sh");
    let ran = Command::new(script).output().map_err(ProgramError::io("tests/kubernetes/build.sh can't be started"))?;
    if ran.status.success() {
        return Ok(PathBuf::from(String::from_utf8_lossy(&ran.stdout).trim_end().to_owned()));
    }
    Err(ProgramError::Build { output: String::from_utf8_lossy(&ran.stderr).into_owned() })
}

/// Whoever names a folder of programs means them; what is on the path by chance is looked at first.
fn find(name: &str, is_right: impl Fn(&Path) -> bool) -> Result<PathBuf, ProgramError> {
    let given = std::env::var_os("KUBEBUILDER_ASSETS").map(|folder| Path::new(&folder).join(name));
    if let Some(given) = given.filter(|file| file.is_file()) {
        return Ok(given);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut installed = std::env::split_paths(&path).map(|folder| folder.join(name)).filter(|file| file.is_file());
    match installed.find(|program| is_right(program)) {
        Some(program) => Ok(program),
        None => Ok(built()?.join(name)),
    }
}

fn output(program: impl AsRef<OsStr>) -> String {
    let ran = Command::new(program).arg("--version").output();
    ran.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned()).unwrap_or_default()
}

/// With an etcd before 3.5, watches with initial events fail, and every controller lags behind by seconds.
fn is_etcd_new_enough(program: &Path) -> bool {
    parse_etcd_version(&output(program)).is_some_and(|version| version >= (3, 5))
}

fn parse_etcd_version(output: &str) -> Option<(u32, u32)> {
    let version = output.lines().find_map(|line| line.strip_prefix("etcd Version: "))?;
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_etcd_version;

    #[test]
    fn debians_etcd_is_too_old() {
        let output = "etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.4\n";
        assert_eq!(parse_etcd_version(output), Some((3, 4)));
        assert_eq!(parse_etcd_version("etcd Version: 3.6.16\n"), Some((3, 6)));
        assert_eq!(parse_etcd_version("etcd: unknown flag\n"), None);
    }
}
