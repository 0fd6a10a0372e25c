//! Licence and access: enterprise, tokens, administrators, identity providers, access lists.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::collections::{Collections, Record};
use super::message::Message;
use super::repos::{self, SPEC};
use super::{OfflineError, Ops, Options};
use crate::stream::OpKind;
use crate::wire;

/// Roles of a cluster administrator.
const SUPER: u8 = 1;
const FS: u8 = 2;

/// Whether authentication is on: there is an administrator. A `magic:` one is there only while it is being switched.
pub(super) fn is_active(collections: &Collections<'_>) -> Result<bool, OfflineError> {
    let mut active = false;
    for collection in ["pachyderm_auth/admins", "pachyderm_auth/fs-admins"] {
        for admin in collections.records(collection) {
            if admin.name.starts_with(b"magic:") {
                return Err(OfflineError::PartiallyActive);
            }
            active = true;
        }
    }
    Ok(active)
}

/// The licence, unless there is none or it has expired.
pub(super) fn licence(collections: &Collections<'_>, now: Timestamp, ops: &mut Ops) -> Result<(), OfflineError> {
    for record in collections.keys(b"pachyderm_enterprise/").filter(|record| record.name.starts_with(b"token")) {
        let malformed = |source| record.malformed(source);
        let expires = wire::bytes_of(record.value(), 2).map_err(malformed)?.unwrap_or(&[]);
        let seconds = wire::varint_of(expires, 1).map_err(malformed)?.cast_signed();
        let nanos = wire::varint_of(expires, 2).map_err(malformed)?.cast_signed();
        let code = wire::text_of(record.value(), 1).map_err(malformed)?;
        let now = (now.as_second(), i64::from(now.subsec_nanosecond()));
        if !code.is_empty() && (seconds, nanos) > now {
            ops.push(OpKind::ActivateEnterprise, Message::default().text(1, code));
        }
    }
    Ok(())
}

/// What comes last when authentication is on.
pub(super) fn compute(collections: &Collections<'_>, options: &Options<'_>, ops: &mut Ops) -> Result<(), OfflineError> {
    ops.push(OpKind::ActivateAuth, Message::default());
    robot_tokens(collections, options, ops)?;
    cluster_roles(collections, ops);
    configuration(collections, ops)?;
    if options.groups.repos {
        for repo in repos::oldest_first(collections).into_iter().rev() {
            access_list(collections, &repo.text(), ops)?;
        }
        access_list(collections, SPEC, ops)?;
    }
    Ok(())
}

/// Tokens of robots, newest first. A token's remaining life isn't in etcd's database, only the span that was granted: that
/// is taken, so it may live longer than it should have.
fn robot_tokens(collections: &Collections<'_>, options: &Options<'_>, ops: &mut Ops) -> Result<(), OfflineError> {
    let mut tokens: Vec<Record<'_>> = collections.records("pachyderm_auth/tokens").collect();
    tokens.sort_by_key(|token| Reverse(token.entry.create_revision));
    for token in tokens {
        let malformed = |source| token.malformed(source);
        if !wire::text_of(token.value(), 1).map_err(malformed)?.starts_with("robot:") {
            continue;
        }
        let info = Message::default().copy(token.value(), &[(1, 1), (2, 2)]).map_err(malformed)?;
        let mut hashed = Message::default().text(1, &token.text()).message(2, info);
        if token.entry.lease != 0 {
            let unknown = || OfflineError::UnknownLease { key: token.key(), lease: token.entry.lease };
            let granted = options.leases.get(&token.entry.lease).ok_or_else(unknown)?;
            let expires = options.now.saturating_add(SignedDuration::from_secs(*granted)).map_err(|_| unknown())?;
            hashed = hashed.timestamp(3, expires);
        }
        ops.push(OpKind::RestoreAuthToken, Message::default().message(1, hashed));
    }
    Ok(())
}

fn cluster_roles(collections: &Collections<'_>, ops: &mut Ops) {
    let mut roles: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (collection, role) in [("pachyderm_auth/admins", SUPER), ("pachyderm_auth/fs-admins", FS)] {
        for admin in collections.records(collection) {
            roles.entry(admin.text()).or_default().push(role);
        }
    }
    for (principal, roles) in roles {
        let roles = Message::default().bytes(1, &roles);
        ops.push(OpKind::SetClusterRoleBinding, Message::default().text(1, &principal).message(2, roles));
    }
}

/// The stored AuthConfig without its version, or what pachd assumes when none was ever set.
fn configuration(collections: &Collections<'_>, ops: &mut Ops) -> Result<(), OfflineError> {
    let configuration = match collections.get("pachyderm_auth/config", b"config") {
        Some(record) => {
            let mut message = Message::default();
            for field in wire::fields(record.value()) {
                let number = field.map_err(|source| record.malformed(source))?.number;
                if number != 1 && !message.has(number) {
                    message =
                        message.copy(record.value(), &[(number, number)]).map_err(|source| record.malformed(source))?;
                }
            }
            message
        }
        None => {
            let github = Message::default()
                .text(1, "GitHub")
                .text(2, "oauth-based authentication with github.com")
                .bytes(4, &[]);
            Message::default().message(2, github)
        }
    };
    ops.push(OpKind::SetAuthConfig, Message::default().message(1, configuration));
    Ok(())
}

/// The access list of `repo`; empty when none is stored. The stored map has the form of the request's entries.
fn access_list(collections: &Collections<'_>, repo: &str, ops: &mut Ops) -> Result<(), OfflineError> {
    let mut entries = BTreeMap::new();
    if let Some(record) = collections.get("pachyderm_auth/acls", repo.as_bytes()) {
        let malformed = |source| record.malformed(source);
        for field in wire::fields(record.value()) {
            let field = field.map_err(malformed)?;
            if field.number == 1 {
                let entry = field.bytes().map_err(malformed)?;
                let user = wire::text_of(entry, 1).map_err(malformed)?;
                entries.insert(user, wire::varint_of(entry, 2).map_err(malformed)?);
            }
        }
    }
    let request = entries.into_iter().fold(Message::default().text(1, repo), |request, (user, scope)| {
        request.message(2, Message::default().text(1, user).number(2, scope))
    });
    ops.push(OpKind::SetAcl, request);
    Ok(())
}
