//! Service `auth.API`, and who a caller is.
//!
//! Everything is read from etcd's `pachyderm_auth` collections. Tokens are there under the hex SHA-256 of their text.

use pachyderm::proto::auth::{
    Acl, AclEntry, AuthConfig, ClusterRole, ClusterRoles, ExtractAuthTokensResponse, GetAclRequest, GetAclResponse,
    GetAdminsResponse, GetClusterRoleBindingsResponse, GetConfigurationResponse, HashedAuthToken, TokenInfo,
    TokenSource, WhoAmIResponse,
};
use sha2::{Digest, Sha256};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::{PachdService, errors};
use crate::pachd::grpc::{Answer, Call, one, plain, unknown_method};
use crate::pachd::records::write;
use crate::pachd::state::State;

/// Administrators, by principal.
pub(super) const ADMINS: &str = "pachyderm_auth/admins";
/// Those who may do everything with files only, by principal.
pub(super) const FS_ADMINS: &str = "pachyderm_auth/fs-admins";
/// Tokens, by their hash.
pub(super) const TOKENS: &str = "pachyderm_auth/tokens";
/// Access lists, by repo.
pub(super) const ACLS: &str = "pachyderm_auth/acls";
/// The identity providers, under `config`.
pub(super) const CONFIG: &str = "pachyderm_auth/config";

/// A token and whom it belongs to.
#[derive(Clone, Debug)]
pub struct AuthToken {
    /// The token itself.
    pub token: String,
    /// Its principal, e.g. `robot:backup` or `github:somebody`.
    pub subject: String,
}

/// A cluster in which auth is on. `pach:root` is always an administrator.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    /// The token of `pach:root`.
    pub root_token: String,
    /// Further administrators.
    pub admins: Vec<String>,
    /// The tokens of everybody else.
    pub tokens: Vec<AuthToken>,
}

impl AuthOptions {
    /// Turns auth on in a cluster.
    pub(crate) fn apply(&self, state: &State) {
        activate(state, &self.root_token);
        let roles = ClusterRoles { roles: vec![ClusterRole::Super as i32] };
        state.store.write(|transaction| {
            for admin in &self.admins {
                write(transaction, ADMINS, admin, &roles);
            }
            for AuthToken { token, subject } in &self.tokens {
                let info = TokenInfo { subject: subject.clone(), source: TokenSource::GetToken as i32 };
                write(transaction, TOKENS, &hash(token), &info);
            }
        });
    }
}

/// Turns auth on: `pach:root` becomes the administrator, and `root_token` its token.
pub(super) fn activate(state: &State, root_token: &str) {
    let roles = ClusterRoles { roles: vec![ClusterRole::Super as i32] };
    let info = TokenInfo { subject: "pach:root".to_owned(), source: TokenSource::GetToken as i32 };
    state.store.write(|transaction| {
        write(transaction, ADMINS, "pach:root", &roles);
        write(transaction, TOKENS, &hash(root_token), &info);
    });
}

/// Whether auth is on: there is an administrator. A `magic:` one is there only while it is being switched.
///
/// # Errors
/// It is being switched.
pub(super) fn is_active(state: &State) -> Result<bool, Status> {
    let mut admins = state.records::<ClusterRoles>(ADMINS);
    admins.extend(state.records::<ClusterRoles>(FS_ADMINS));
    if admins.iter().any(|admin| admin.name.starts_with("magic:")) {
        return Err(errors::auth_partially_activated());
    }
    Ok(!admins.is_empty())
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// The token that a call carries.
///
/// # Errors
/// There is none, or more than one, or no metadata at all.
pub(super) fn token_of(metadata: &MetadataMap) -> Result<String, Status> {
    if metadata.is_empty() {
        return Err(Status::internal("no authentication metadata (try logging in)"));
    }
    let mut tokens = metadata.get_all("authn-token").iter();
    match (tokens.next(), tokens.next()) {
        (None, _) => Err(Status::unauthenticated("no authentication token (try logging in)")),
        (_, Some(_)) => Err(plain("multiple authentication token keys found in context")),
        (Some(token), None) => Ok(String::from_utf8_lossy(token.as_bytes()).into_owned()),
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Auth is off, or the method asks for no token.
    Anyone,
    /// The principal of the call's token.
    Principal { name: String, admin: bool },
}

impl Caller {
    /// # Errors
    /// The caller is no administrator.
    pub(super) fn must_be_admin(&self, method: &str) -> Result<(), Status> {
        match self {
            Self::Principal { name, admin: false } => Err(plain(format!(
                "{name} is not authorized to perform this operation; must be an admin to call {method}"
            ))),
            _ => Ok(()),
        }
    }
}

/// Finds out who calls.
///
/// # Errors
/// Auth is on and the call carries no known token.
pub(super) fn caller(service: &PachdService, call: &Call) -> Result<Caller, Status> {
    let free = matches!(
        (call.service.as_str(), call.method.as_str()),
        ("versionpb.API" | "health.Health", _)
            | ("admin.API", "InspectCluster")
            | ("auth.API", "Activate" | "Authenticate")
    );
    if free || !is_active(&service.state)? {
        return Ok(Caller::Anyone);
    }
    let token = token_of(&call.metadata)?;
    let info: TokenInfo = service.state.record(TOKENS, &hash(&token)).ok_or_else(|| {
        Status::unauthenticated("provided auth token is corrupted or has expired (try logging in again)")
    })?;
    let roles: Option<ClusterRoles> = service.state.record(ADMINS, &info.subject);
    Ok(Caller::Principal { name: info.subject, admin: roles.is_some() })
}

impl PachdService {
    pub(super) async fn auth(&self, call: &mut Call, caller: &Caller) -> Result<Answer, Status> {
        let known = [
            "Activate",
            "Authenticate",
            "Authorize",
            "Deactivate",
            "ExtendAuthToken",
            "ExtractAuthTokens",
            "GetACL",
            "GetAdmins",
            "GetAuthToken",
            "GetClusterRoleBindings",
            "GetConfiguration",
            "GetGroups",
            "GetOIDCLogin",
            "GetOneTimePassword",
            "GetScope",
            "GetUsers",
            "ModifyAdmins",
            "ModifyClusterRoleBinding",
            "ModifyMembers",
            "RestoreAuthToken",
            "RevokeAuthToken",
            "SetACL",
            "SetConfiguration",
            "SetGroupsForUser",
            "SetScope",
            "WhoAmI",
        ];
        if !known.contains(&call.method.as_str()) {
            return Err(unknown_method(&call.service, &call.method));
        }
        let Caller::Principal { name, admin } = caller else {
            return Err(match (call.method.as_str(), is_active(&self.state)?) {
                ("Activate", true) => plain("already activated"),
                ("Activate", false) => errors::no_enterprise(),
                _ => errors::auth_not_activated(),
            });
        };
        if *admin {
            return self.auth_of_admin(call, name).await;
        }
        match call.method.as_str() {
            "WhoAmI" => {
                one(&WhoAmIResponse { username: name.clone(), ttl: self.faults.token_seconds(), ..Default::default() })
            }
            method => Err(caller.must_be_admin(method).err().unwrap_or_else(errors::auth_not_activated)),
        }
    }

    async fn auth_of_admin(&self, call: &mut Call, name: &str) -> Result<Answer, Status> {
        let state = &self.state;
        match call.method.as_str() {
            "WhoAmI" => one(&WhoAmIResponse {
                username: name.to_owned(),
                is_admin: true,
                ttl: self.faults.token_seconds(),
                cluster_roles: state.record(ADMINS, name),
            }),
            "GetAdmins" => {
                let admins = state.records::<ClusterRoles>(ADMINS).into_iter().map(|admin| admin.name).collect();
                one(&GetAdminsResponse { admins })
            }
            "GetClusterRoleBindings" => {
                let bindings = state.records(ADMINS).into_iter().map(|admin| (admin.name, admin.value)).collect();
                one(&GetClusterRoleBindingsResponse { bindings })
            }
            "GetConfiguration" => {
                let configuration = state.records::<AuthConfig>(CONFIG).pop();
                let configuration = configuration.map(|record| record.value).unwrap_or_default();
                one(&GetConfigurationResponse { configuration: Some(configuration) })
            }
            "GetACL" => {
                let request: GetAclRequest = call.message().await?;
                let acl: Acl = state.record(ACLS, &request.repo).unwrap_or_default();
                let entries = acl.entries.into_iter().map(|(username, scope)| AclEntry { username, scope });
                let (robot_entries, entries) = entries.partition(|entry| entry.username.starts_with("robot:"));
                one(&GetAclResponse { entries, robot_entries })
            }
            "ExtractAuthTokens" => {
                let tokens = state.records::<TokenInfo>(TOKENS).into_iter();
                let robots = tokens.filter(|token| token.value.subject.starts_with("robot:"));
                let tokens = robots.map(|token| HashedAuthToken {
                    hashed_token: token.name,
                    token_info: Some(token.value),
                    expiration: None,
                });
                one(&ExtractAuthTokensResponse { tokens: tokens.collect() })
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }
}
