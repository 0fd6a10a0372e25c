//! Service `auth.API`, and who a caller is.
//!
//! Everything is read from etcd's `pachyderm_auth` collections. Tokens are there under the hex SHA-256 of their text.

use pachyderm::proto::auth::{
    Acl, AclEntry, AuthConfig, ClusterRole, ClusterRoles, ExtractAuthTokensResponse, GetAclRequest, GetAclResponse,
    GetAdminsResponse, GetClusterRoleBindingsResponse, GetConfigurationResponse, HashedAuthToken, TokenInfo,
    TokenSource, WhoAmIResponse,
};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Status;

use super::{PachdService, errors};
use crate::pachd::grpc::{Answer, Call, one, plain, unknown_method};
use crate::pachd::state::State;

const ADMINS: &str = "pachyderm_auth/admins";
const TOKENS: &str = "pachyderm_auth/tokens";

/// Auth is on. Who may do what lies in etcd; this only switches the checks on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Auth(());

impl Auth {
    /// Turns auth on in a cluster: `pach:root` becomes its administrator, and `root_token` its token.
    pub fn activate(state: &State, root_token: &str) -> Self {
        let roles = ClusterRoles { roles: vec![ClusterRole::Super as i32] };
        let info = TokenInfo { subject: "pach:root".to_owned(), source: TokenSource::GetToken as i32 };
        state.store.write(|transaction| {
            transaction.put(State::key(ADMINS, "pach:root"), roles.encode_to_vec());
            transaction.put(State::key(TOKENS, &hash(root_token)), info.encode_to_vec());
        });
        Self(())
    }
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
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
    if service.auth.is_none() || free {
        return Ok(Caller::Anyone);
    }
    let mut tokens = call.metadata.get_all("authn-token").iter();
    let token = match (tokens.next(), tokens.next()) {
        (None, _) => return Err(Status::unauthenticated("no authentication token (try logging in)")),
        (_, Some(_)) => return Err(plain("multiple authentication token keys found in context")),
        (Some(token), None) => String::from_utf8_lossy(token.as_bytes()).into_owned(),
    };
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
            return Err(match (call.method.as_str(), self.auth.is_some()) {
                ("Activate", true) => plain("already activated"),
                ("Activate", false) => plain(
                    "Pachyderm Enterprise is not active in this cluster, and the Pachyderm auth API is an \
                     Enterprise-level feature",
                ),
                _ => errors::auth_not_activated(),
            });
        };
        if *admin {
            return self.auth_of_admin(call, name).await;
        }
        match call.method.as_str() {
            "WhoAmI" => one(&WhoAmIResponse { username: name.clone(), ttl: -1, ..Default::default() }),
            method => Err(caller.must_be_admin(method).err().unwrap_or_else(errors::auth_not_activated)),
        }
    }

    async fn auth_of_admin(&self, call: &mut Call, name: &str) -> Result<Answer, Status> {
        let state = &self.state;
        match call.method.as_str() {
            "WhoAmI" => one(&WhoAmIResponse {
                username: name.to_owned(),
                is_admin: true,
                ttl: -1,
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
                let configuration = state.records::<AuthConfig>("pachyderm_auth/config").pop();
                let configuration = configuration.map(|record| record.value).unwrap_or_default();
                one(&GetConfigurationResponse { configuration: Some(configuration) })
            }
            "GetACL" => {
                let request: GetAclRequest = call.message().await?;
                let acl: Acl = state.record("pachyderm_auth/acls", &request.repo).unwrap_or_default();
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
