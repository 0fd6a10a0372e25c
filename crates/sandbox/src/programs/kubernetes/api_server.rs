//! etcd and kube-apiserver.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::audit::{self, AuditEvent};
use super::binaries::{self, ServerBinaries};
use super::credentials::{self, ADMIN, SigningKey};
use super::flags;
use crate::kubernetes::kubeconfig;
use crate::programs::folder::Folder;
use crate::programs::process::Process;
use crate::programs::{ProgramError, TRIES, answers_ok, free_ports, log};

/// Ready but for two checks that wait for a poll of a second: the rights of named users and the priority classes.
const ALMOST_READY: &str = "/readyz?exclude=poststarthook/rbac/bootstrap-roles&exclude=poststarthook/scheduling/bootstrap-system-priority-classes";

/// How an API server is to be.
#[derive(Debug, Clone, Default)]
pub struct ApiServerOptions {
    /// Users beside `admin`. Without Roles they may only ask what they may do. With any, the start takes a second longer:
    /// until then not even that is theirs.
    pub users: Vec<String>,
    /// Answers 429 to whoever comes while another request is served. `admin` is never told so.
    pub one_request_at_a_time: bool,
    /// Writes the log that [`ApiServer::audit_log`] reads.
    pub audit: bool,
    /// Forgets the history at such intervals, and serves lists and watches from etcd, so that old versions get 410.
    pub compaction: Option<Duration>,
    /// More flags of kube-apiserver.
    pub more_flags: Vec<String>,
}

/// A running kube-apiserver over its etcd: a second to start, 300 MB. Both are killed and their data goes when this is
/// dropped, or when the process ends without dropping it.
#[derive(Debug)]
pub struct ApiServer {
    // The folder last: fields are dropped in this order.
    api_server: Mutex<Option<Process>>,
    _etcd: Process,
    folder: Folder,
    binaries: ServerBinaries,
    options: ApiServerOptions,
    users: Vec<(String, String)>,
    etcd_port: u16,
    port: u16,
}

impl ApiServer {
    /// Starts one that has the user `admin` alone. Builds the programs when they are nowhere, which takes minutes.
    ///
    /// # Errors
    /// When a program is missing and can't be built, or doesn't serve.
    pub async fn start() -> Result<Self, ProgramError> {
        Self::start_with(ApiServerOptions::default()).await
    }

    /// Starts one as the options say.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(options: ApiServerOptions) -> Result<Self, ProgramError> {
        let found = tokio::task::spawn_blocking(binaries::server).await;
        let binaries = found.map_err(|error| ProgramError::io("the programs")(std::io::Error::other(error)))??;
        let mut tries = 1;
        loop {
            match Self::start_once(&binaries, &options).await {
                Err(error) if error.is_port_taken() && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn start_once(binaries: &ServerBinaries, options: &ApiServerOptions) -> Result<Self, ProgramError> {
        let folder = Folder::new()?;
        let users = credentials::users(&options.users);
        folder.write("tokens.csv", credentials::token_file(&users))?;
        let key = SigningKey::generate()?;
        folder.write("service-account.key", key.private)?;
        folder.write("service-account.pub", key.public)?;
        folder.write("audit-policy.yaml", audit::POLICY)?;
        let data = folder.make("etcd")?;
        let [etcd_port, peer_port, port] = free_ports()?;
        let arguments = flags::etcd(&data, etcd_port, peer_port);
        let etcd = Process::start("etcd", &binaries.etcd, arguments, &[], folder.path())?;
        // An API server that finds no etcd waits a second before it looks again.
        etcd.wait_until(|| answers_ok(etcd_port, "/health")).await?;
        let server = Self {
            api_server: Mutex::default(),
            _etcd: etcd,
            folder,
            binaries: binaries.clone(),
            options: options.clone(),
            users,
            etcd_port,
            port,
        };
        server.restart().await?;
        Ok(server)
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.api_server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills kube-apiserver. etcd keeps its data; clients are refused until [`Self::restart`].
    pub fn kill(&self) {
        self.process().take();
    }

    /// Starts kube-apiserver again on the same port, over the same data; kills it before if it runs. Controllers that were
    /// refused meanwhile look for it at growing intervals: see [`super::KubernetesBench::restart_api_server`].
    ///
    /// # Errors
    /// When it doesn't serve.
    pub async fn restart(&self) -> Result<(), ProgramError> {
        self.kill();
        let arguments = flags::api_server(self.folder.path(), self.etcd_port, self.port, &self.options);
        let process = Process::start("kube-apiserver", &self.binaries.api_server, arguments, &[], self.folder.path())?;
        let path = if self.options.users.is_empty() { ALMOST_READY } else { "/readyz" };
        process.wait_until(|| self.answers(path)).await?;
        *self.process() = Some(process);
        Ok(())
    }

    async fn answers(&self, path: &str) -> bool {
        let Ok(client) = self.client().await else { return false };
        let Ok(request) = http::Request::get(path).body(Vec::new()) else { return false };
        client.request_text(request).await.is_ok()
    }

    /// A new client of `admin`, for the runtime that this is called in.
    ///
    /// # Errors
    /// When the API server has not written its certificate yet.
    pub async fn client(&self) -> Result<Client, ProgramError> {
        self.client_of(ADMIN).await
    }

    /// A new client of one of the users. It gives every refusal back at once: nothing is tried again.
    ///
    /// # Errors
    /// As [`Self::client`], and when the user was not named at the start.
    pub async fn client_of(&self, user: &str) -> Result<Client, ProgramError> {
        let api = |source: kube::Error| ProgramError::Api { what: "a client".to_owned(), source: Box::new(source) };
        let other = |error: kube::config::KubeconfigError| api(kube::Error::Service(error.into()));
        let kubeconfig = Kubeconfig::from_yaml(&self.kubeconfig_of(user)?).map_err(other)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.map_err(other)?;
        config.default_retry = false;
        Client::try_from(config).map_err(api)
    }

    /// A kubeconfig with a context for each user, named like the user; `admin` is the current one.
    ///
    /// # Errors
    /// When the API server's certificate can't be read.
    pub fn kubeconfig(&self) -> Result<String, ProgramError> {
        self.kubeconfig_of(ADMIN)
    }

    /// The same kubeconfig with another current context.
    ///
    /// # Errors
    /// As [`Self::kubeconfig`].
    pub fn kubeconfig_of(&self, user: &str) -> Result<String, ProgramError> {
        let file = self.folder.path().join("certificates/apiserver.crt");
        let certificate = std::fs::read(&file).map_err(ProgramError::io("the API server's certificate"))?;
        Ok(kubeconfig::text(&self.url(), Some(&certificate), &self.users, user, None))
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The folder of its files, and of the logs of all programs (`kube-apiserver.log`).
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The last lines of each program's log, under its name.
    #[must_use]
    pub fn ends_of_logs(&self) -> String {
        log::ends(self.folder.path(), 20)
    }

    pub(super) fn new_folder(&self, name: &str) -> Result<PathBuf, ProgramError> {
        self.folder.make(name)
    }

    pub(super) fn write_file(&self, name: &str, content: &str) -> Result<PathBuf, ProgramError> {
        self.folder.write(name, content)
    }

    /// Every request so far that has been answered, oldest first. An event is in the log before its answer is sent.
    ///
    /// # Errors
    /// When the log can't be read: it has to be asked for at the start.
    pub fn audit_log(&self) -> Result<Vec<AuditEvent>, ProgramError> {
        let file = self.folder.path().join("audit.jsonl");
        let text = std::fs::read_to_string(file).map_err(ProgramError::io("the audit log"))?;
        audit::parse(&text).map_err(|error| ProgramError::io("the audit log")(error.into()))
    }
}
