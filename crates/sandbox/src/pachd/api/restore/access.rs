//! Licence and access of a restore.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pachyderm::proto::auth::{
    Acl, AuthConfig, ClusterRole, ClusterRoles, ModifyClusterRoleBindingRequest, RestoreAuthTokenRequest,
    SetAclRequest, SetConfigurationRequest,
};
use pachyderm::proto::enterprise::{ActivateRequest, EnterpriseRecord};
use prost::Message;
use prost_types::Timestamp;
use serde::Deserialize;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::super::auth::{self, ACLS, ADMINS, CONFIG, FS_ADMINS, TOKENS};
use super::super::{PachdService, errors, now};
use crate::pachd::grpc::plain;
use crate::pachd::records::{read, write};
use crate::pachd::state::State;

/// What an activation code holds, in JSON and base64.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ActivationCode {
    token: String,
    #[serde(rename = "Signature")]
    _signature: String,
}

/// What the token of an activation code holds, in JSON.
#[derive(Deserialize)]
struct Licence {
    #[serde(alias = "Expiry")]
    expiry: jiff::Timestamp,
}

/// The token that the caller of a restore sent, which becomes the root token.
pub(super) fn caller_token(metadata: &MetadataMap) -> Result<String, Status> {
    auth::token_of(metadata)
        .map_err(|status| plain(format!("failed to get auth token from incoming context: {}", status.message())))
}

impl PachdService {
    /// Stores a licence. Its form and its end are checked, its signature is not: only Pachyderm could make one.
    pub(super) fn activate_enterprise(&self, request: ActivateRequest) -> Result<(), Status> {
        let invalid = |what: &str| plain(format!("error validating activation code: {what}"));
        let code =
            STANDARD.decode(&request.activation_code).map_err(|_| invalid("activation code is not base64 encoded"))?;
        let code: ActivationCode =
            serde_json::from_slice(&code).map_err(|_| invalid("activation code is not valid JSON"))?;
        let licence: Licence = serde_json::from_str(&code.token).map_err(|_| invalid("token is not valid JSON"))?;
        let expires = request
            .expires
            .unwrap_or(Timestamp { seconds: licence.expiry.as_second(), nanos: licence.expiry.subsec_nanosecond() });
        if is_past(&expires) {
            return Err(invalid("the activation code has expired"));
        }
        let record = EnterpriseRecord { activation_code: request.activation_code, expires: Some(expires) };
        self.state.store.put(State::key("pachyderm_enterprise", "token"), record.encode_to_vec());
        Ok(())
    }

    /// Turns auth on with the caller's token as the root token.
    pub(super) fn activate_auth(&self, token: &str) -> Result<(), Status> {
        if !self.is_licensed() {
            return Err(errors::no_enterprise());
        }
        if auth::is_active(&self.state)? {
            return Err(plain("already activated"));
        }
        auth::activate(&self.state, token);
        Ok(())
    }

    /// Stores a robot's token by its hash. An expired one is refused. The end of one that will expire is not kept: the
    /// sandbox's etcd has no leases that run out.
    pub(super) fn restore_auth_token(&self, request: RestoreAuthTokenRequest) -> Result<(), Status> {
        self.must_be_active()?;
        let token = request.token.unwrap_or_default();
        if token.expiration.as_ref().is_some_and(is_past) {
            return Err(plain("token expiration is in the past"));
        }
        let info = token.token_info.ok_or_else(|| plain("token info cannot be nil"))?;
        self.state.store.write(|transaction| {
            if transaction.get(&State::key(TOKENS, &token.hashed_token)).is_some() {
                return Err(plain("cannot overwrite existing token with same hash"));
            }
            write(transaction, TOKENS, &token.hashed_token, &info);
            Ok(())
        })
    }

    /// Gives roles to a principal, or takes all away.
    pub(super) fn set_cluster_role_binding(&self, request: &ModifyClusterRoleBindingRequest) -> Result<(), Status> {
        self.must_be_active()?;
        let roles = request.roles.clone().unwrap_or_default().roles;
        self.state.store.write(|transaction| {
            for (collection, role) in [(ADMINS, ClusterRole::Super as i32), (FS_ADMINS, ClusterRole::Fs as i32)] {
                if roles.contains(&role) {
                    let record = ClusterRoles { roles: vec![role] };
                    write(transaction, collection, &request.principal, &record);
                } else {
                    transaction.delete(&State::key(collection, &request.principal));
                }
            }
        });
        Ok(())
    }

    /// Stores the identity providers as the next version of the configuration.
    pub(super) fn set_auth_config(&self, request: SetConfigurationRequest) -> Result<(), Status> {
        self.must_be_active()?;
        let configuration = request.configuration.unwrap_or_default();
        self.state.store.write(|transaction| {
            let live: AuthConfig = read(transaction, CONFIG, "config").unwrap_or_default();
            let live_config_version = live.live_config_version + 1;
            write(transaction, CONFIG, "config", &AuthConfig { live_config_version, ..configuration });
        });
        Ok(())
    }

    /// Stores a repo's access list; an empty one deletes it.
    pub(super) fn set_acl(&self, request: SetAclRequest) -> Result<(), Status> {
        self.must_be_active()?;
        let entries = request.entries.into_iter().map(|entry| (entry.username, entry.scope)).collect();
        let acl = Acl { entries };
        self.state.store.write(|transaction| {
            if acl.entries.is_empty() {
                transaction.delete(&State::key(ACLS, &request.repo));
            } else {
                write(transaction, ACLS, &request.repo, &acl);
            }
        });
        Ok(())
    }

    fn must_be_active(&self) -> Result<(), Status> {
        if auth::is_active(&self.state)? { Ok(()) } else { Err(errors::auth_not_activated()) }
    }
}

fn is_past(time: &Timestamp) -> bool {
    let now = now();
    (time.seconds, time.nanos) < (now.seconds, now.nanos)
}
