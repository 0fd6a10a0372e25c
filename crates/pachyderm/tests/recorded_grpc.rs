//! Every call recorded of a real pachd 1.13.4 decodes, loses nothing, and says what an independent client made of it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "recorded/archive.rs"]
mod archive;
#[path = "recorded/view.rs"]
mod view;

use std::collections::BTreeMap;

use archive::{Recording, recordings};
use bytes::Bytes;
use pachyderm::{
    error::{Cause, Condition, Error},
    proto::{
        admin::{ClusterInfo, ExtractPipelineRequest, ExtractRequest, Op, RestoreRequest},
        auth, enterprise, known, pfs, pps, transaction,
        version::Version,
    },
};
use prost::Message;
use tonic::{Code, Status};
use view::{View, assert_agrees};

/// Decodes and encodes again. Equal bytes mean that no field was unknown.
fn assert_nothing_lost<M: Message + Default>(bytes: &[u8], place: &str) -> M {
    let message = M::decode(bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
    let mut before = without_job_counts(bytes, place);
    let mut after = without_job_counts(&message.encode_to_vec(), place);
    if place.contains("Pipeline") || place.contains("Extract") || place.contains("Restore") || place.contains("Job") {
        // pachd writes the entries of a map in random order.
        before.sort_unstable();
        after.sort_unstable();
    }
    assert!(before == after, "{place}: fields were lost");
    message
}

/// pachd writes job counts with their zeros, prost without; they are compared by value instead.
fn without_job_counts(bytes: &[u8], place: &str) -> Vec<u8> {
    const JOB_COUNTS: u32 = 9;
    if place.contains(".ListPipeline/") {
        return fields(bytes).into_iter().flat_map(|(_, info)| without_field(payload(info), JOB_COUNTS)).collect();
    }
    if place.contains(".InspectPipeline/") { without_field(bytes, JOB_COUNTS) } else { bytes.to_vec() }
}

fn without_field(bytes: &[u8], number: u32) -> Vec<u8> {
    fields(bytes).into_iter().filter(|(found, _)| *found != number).flat_map(|(_, field)| field.to_vec()).collect()
}

/// The fields of a message: number, and the bytes with their key.
fn fields(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let mut rest = bytes;
        let key = varint(&mut rest);
        match key & 7 {
            0 => drop(varint(&mut rest)),
            1 => rest = &rest[8..],
            2 => {
                let length = varint(&mut rest) as usize;
                rest = &rest[length..];
            }
            5 => rest = &rest[4..],
            other => panic!("wire type {other}"),
        }
        let (field, remaining) = bytes.split_at(bytes.len() - rest.len());
        fields.push(((key >> 3) as u32, field));
        bytes = remaining;
    }
    fields
}

fn payload(mut field: &[u8]) -> &[u8] {
    varint(&mut field);
    varint(&mut field);
    field
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn check<Q: Message + Default, A: Message + Default + View>(name: &str, recording: &Recording) {
    let request_place = format!("{name} request");
    for request in &recording.requests {
        assert_nothing_lost::<Q>(request, &request_place);
    }
    assert_eq!(recording.json["request_messages"], recording.requests.len(), "{name}");
    assert_eq!(recording.json["response_messages"], recording.answers.len(), "{name}");
    let recorded = recording.json["response"].as_array().unwrap();
    assert_eq!(recorded.len(), recording.answers.len(), "{name}");
    for (index, (answer, recorded)) in recording.answers.iter().zip(recorded).enumerate() {
        let place = format!("{name}[{index}]");
        assert_agrees(&assert_nothing_lost::<A>(answer, &place).view(), recorded, &place);
    }
}

impl View for Bytes {
    fn view(&self) -> serde_json::Value {
        use std::fmt::Write as _;
        // Recorded in base64; 3 bytes are 4 digits.
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in self.chunks(3) {
            let bits = chunk.iter().chain([&0, &0]).take(3).fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            for digit in 0..4 {
                let shown = if digit <= chunk.len() { DIGITS[bits >> (18 - 6 * digit) & 63].into() } else { '=' };
                text.write_char(shown).unwrap();
            }
        }
        text.into()
    }
}

macro_rules! views_nothing {
    ($($message:ty),+ $(,)?) => {
        $(impl View for $message {
            fn view(&self) -> serde_json::Value {
                assert_eq!(self, &<$message>::default(), "was recorded without content");
                serde_json::json!({})
            }
        })+
    };
}

views_nothing! {
    auth::ActivateResponse, auth::AuthenticateResponse, auth::DeactivateResponse, auth::ExtractAuthTokensResponse,
    auth::GetAclResponse, auth::GetAdminsResponse, auth::GetAuthTokenResponse, auth::GetClusterRoleBindingsResponse,
    auth::GetConfigurationResponse, auth::WhoAmIResponse, enterprise::ActivateResponse,
    enterprise::GetActivationCodeResponse, enterprise::GetStateResponse, pps::GarbageCollectResponse,
}

fn check_by_method(name: &str, recording: &Recording) {
    match recording.method() {
        "/admin.API/Extract" => check::<ExtractRequest, Op>(name, recording),
        "/admin.API/ExtractPipeline" => check::<ExtractPipelineRequest, Op>(name, recording),
        "/admin.API/InspectCluster" => check::<(), ClusterInfo>(name, recording),
        "/admin.API/Restore" => check::<RestoreRequest, ()>(name, recording),
        "/auth.API/Activate" => check::<auth::ActivateRequest, auth::ActivateResponse>(name, recording),
        "/auth.API/Authenticate" => check::<auth::AuthenticateRequest, auth::AuthenticateResponse>(name, recording),
        "/auth.API/Deactivate" => check::<auth::DeactivateRequest, auth::DeactivateResponse>(name, recording),
        "/auth.API/ExtractAuthTokens" => {
            check::<auth::ExtractAuthTokensRequest, auth::ExtractAuthTokensResponse>(name, recording);
        }
        "/auth.API/GetACL" => check::<auth::GetAclRequest, auth::GetAclResponse>(name, recording),
        "/auth.API/GetAdmins" => check::<auth::GetAdminsRequest, auth::GetAdminsResponse>(name, recording),
        "/auth.API/GetAuthToken" => check::<auth::GetAuthTokenRequest, auth::GetAuthTokenResponse>(name, recording),
        "/auth.API/GetClusterRoleBindings" => {
            check::<auth::GetClusterRoleBindingsRequest, auth::GetClusterRoleBindingsResponse>(name, recording);
        }
        "/auth.API/GetConfiguration" => {
            check::<auth::GetConfigurationRequest, auth::GetConfigurationResponse>(name, recording);
        }
        "/auth.API/WhoAmI" => check::<auth::WhoAmIRequest, auth::WhoAmIResponse>(name, recording),
        "/enterprise.API/Activate" => {
            check::<enterprise::ActivateRequest, enterprise::ActivateResponse>(name, recording);
        }
        "/enterprise.API/GetActivationCode" => {
            check::<enterprise::GetActivationCodeRequest, enterprise::GetActivationCodeResponse>(name, recording);
        }
        "/enterprise.API/GetState" => {
            check::<enterprise::GetStateRequest, enterprise::GetStateResponse>(name, recording);
        }
        "/health.Health/Health" | "/nosuch.API/X" | "/pfs.API/NoSuchMethod" => check::<(), ()>(name, recording),
        "/pfs.API/CreateRepo" => check::<pfs::CreateRepoRequest, ()>(name, recording),
        "/pfs.API/FinishCommit" => check::<pfs::FinishCommitRequest, ()>(name, recording),
        "/pfs.API/FlushCommit" => check::<pfs::FlushCommitRequest, pfs::CommitInfo>(name, recording),
        "/pfs.API/Fsck" => check::<pfs::FsckRequest, pfs::FsckResponse>(name, recording),
        "/pfs.API/GetFile" => check::<pfs::GetFileRequest, Bytes>(name, recording),
        "/pfs.API/InspectBranch" => check::<pfs::InspectBranchRequest, pfs::BranchInfo>(name, recording),
        "/pfs.API/InspectCommit" => check::<pfs::InspectCommitRequest, pfs::CommitInfo>(name, recording),
        "/pfs.API/InspectRepo" => check::<pfs::InspectRepoRequest, pfs::RepoInfo>(name, recording),
        "/pfs.API/ListBranch" => check::<pfs::ListBranchRequest, pfs::BranchInfos>(name, recording),
        "/pfs.API/ListCommit" => check::<pfs::ListCommitRequest, pfs::CommitInfos>(name, recording),
        "/pfs.API/ListCommitStream" => check::<pfs::ListCommitRequest, pfs::CommitInfo>(name, recording),
        "/pfs.API/ListRepo" => check::<pfs::ListRepoRequest, pfs::ListRepoResponse>(name, recording),
        "/pfs.API/StartCommit" => check::<pfs::StartCommitRequest, pfs::Commit>(name, recording),
        "/pfs.ObjectAPI/ListBlock" => check::<pfs::ListBlockRequest, pfs::Block>(name, recording),
        "/pfs.ObjectAPI/ListObjects" => check::<pfs::ListObjectsRequest, pfs::ObjectInfo>(name, recording),
        "/pfs.ObjectAPI/ListTags" => check::<pfs::ListTagsRequest, pfs::ListTagsResponse>(name, recording),
        "/pps.API/GarbageCollect" => {
            check::<pps::GarbageCollectRequest, pps::GarbageCollectResponse>(name, recording);
        }
        "/pps.API/InspectJob" => check::<pps::InspectJobRequest, pps::JobInfo>(name, recording),
        "/pps.API/InspectPipeline" => check::<pps::InspectPipelineRequest, pps::PipelineInfo>(name, recording),
        "/pps.API/ListJob" => check::<pps::ListJobRequest, pps::JobInfos>(name, recording),
        "/pps.API/ListJobStream" => check::<pps::ListJobRequest, pps::JobInfo>(name, recording),
        "/pps.API/ListPipeline" => check::<pps::ListPipelineRequest, pps::PipelineInfos>(name, recording),
        "/pps.API/StartPipeline" => check::<pps::StartPipelineRequest, ()>(name, recording),
        "/pps.API/StopPipeline" => check::<pps::StopPipelineRequest, ()>(name, recording),
        "/transaction.API/DeleteTransaction" => check::<transaction::DeleteTransactionRequest, ()>(name, recording),
        "/transaction.API/ListTransaction" => {
            check::<transaction::ListTransactionRequest, transaction::TransactionInfos>(name, recording);
        }
        "/transaction.API/StartTransaction" => {
            check::<transaction::StartTransactionRequest, transaction::Transaction>(name, recording);
        }
        "/versionpb.API/GetVersion" => check::<(), Version>(name, recording),
        method => panic!("{name}: nobody says what {method} answers"),
    }
}

#[test]
fn every_recorded_call_decodes_and_agrees() {
    let recordings = recordings();
    assert_eq!(recordings.len(), 187, "number of recorded calls");
    for (name, recording) in &recordings {
        check_by_method(name, recording);
    }
}

/// What every recorded failure is recognised as.
const FAILURES: &[(&str, Condition)] = &[
    ("grpc-empty-cluster/admin.API.Restore/activate-auth-no-enterprise", Condition::TokenMissing),
    ("grpc-empty-cluster/admin.API.Restore/activate-auth-no-enterprise-token", Condition::EnterpriseInactive),
    ("grpc-empty-cluster/admin.API.Restore/activate-enterprise-bad-code", Condition::LicenceInvalid),
    ("grpc-empty-cluster/admin.API.Restore/bad-op-commit-parent-missing", Condition::ParentNotFound),
    ("grpc-empty-cluster/admin.API.Restore/bad-op-in-the-middle", Condition::InvalidName),
    ("grpc-empty-cluster/admin.API.Restore/block-run-interrupted", Condition::BlockRunInterrupted),
    ("grpc-empty-cluster/admin.API.Restore/check-auth-token-without-token", Condition::TokenMissing),
    ("grpc-empty-cluster/admin.API.Restore/empty-op", Condition::UnknownOpVersion),
    ("grpc-empty-cluster/admin.API.Restore/job-without-commit", Condition::PipelineNotFound),
    ("grpc-empty-cluster/admin.API.Restore/mixed-versions", Condition::MixedVersions),
    ("grpc-empty-cluster/admin.API.Restore/pipeline-without-spec", Condition::RestoreOpFailed),
    ("grpc-empty-cluster/admin.API.Restore/tag-of-missing-object", Condition::ObjectNotFound),
    ("grpc-empty-cluster/admin.API.Restore/url-missing-object", Condition::ObjectNotFound),
    ("grpc-empty-cluster/admin.API.Restore/whole-stream-into-non-empty", Condition::ProvenanceConflict),
    ("grpc/admin.API.Extract/url-bad", Condition::InvalidUrl),
    ("grpc/admin.API.Extract/url-no-object", Condition::InvalidUrl),
    ("grpc/admin.API.ExtractPipeline/missing", Condition::PipelineNotFound),
    ("grpc/auth.API.Activate/not-activated", Condition::EnterpriseInactive),
    ("grpc/auth.API.Authenticate/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.Deactivate/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.ExtractAuthTokens/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.GetACL/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.GetAdmins/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.GetAuthToken/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.GetClusterRoleBindings/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.GetConfiguration/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.WhoAmI/not-activated", Condition::AuthNotActivated),
    ("grpc/auth.API.WhoAmI/not-activated-with-token", Condition::AuthNotActivated),
    ("grpc/enterprise.API.Activate/bad-code", Condition::LicenceInvalid),
    ("grpc/nosuch.API.X/unknown-service", Condition::UnknownService),
    ("grpc/pfs.API.CreateRepo/bad-name", Condition::InvalidName),
    ("grpc/pfs.API.CreateRepo/existing", Condition::AlreadyExists),
    ("grpc/pfs.API.FinishCommit/already-finished", Condition::AlreadyFinished),
    ("grpc/pfs.API.GetFile/missing-file", Condition::FileNotFound),
    ("grpc/pfs.API.InspectBranch/missing", Condition::BranchNotFound),
    ("grpc/pfs.API.InspectCommit/missing", Condition::BranchNotFound),
    ("grpc/pfs.API.InspectRepo/missing", Condition::RepoNotFound),
    ("grpc/pfs.API.ListBranch/nil-repo", Condition::RepoMissing),
    ("grpc/pfs.API.ListCommitStream/missing-repo", Condition::RepoNotFound),
    ("grpc/pfs.API.ListCommitStream/nil-repo", Condition::RepoMissing),
    ("grpc/pfs.API.NoSuchMethod/unknown-method", Condition::UnknownMethod),
    ("grpc/pfs.API.StartCommit/output-branch", Condition::OutputBranch),
    ("grpc/pfs.ObjectAPI.ListBlock/external-port", Condition::UnknownService),
    ("grpc/pps.API.GarbageCollect/kubernetes-unreachable", Condition::PipelinesNotStopped),
    ("grpc/pps.API.GarbageCollect/refused-running", Condition::PipelinesNotStopped),
    ("grpc/pps.API.InspectJob/missing", Condition::JobNotFound),
    ("grpc/pps.API.InspectPipeline/missing", Condition::PipelineNotFound),
    ("grpc/pps.API.StartPipeline/missing", Condition::PipelineNotFound),
    ("grpc/pps.API.StopPipeline/missing", Condition::PipelineNotFound),
];

fn code(name: &str) -> Code {
    match name {
        "UNKNOWN" => Code::Unknown,
        "UNIMPLEMENTED" => Code::Unimplemented,
        other => panic!("no recorded call answered {other}"),
    }
}

#[test]
fn every_recorded_failure_is_recognised() {
    let expected: BTreeMap<&str, Condition> = FAILURES.iter().copied().collect();
    let mut seen = 0;
    for (name, recording) in recordings().iter().filter(|(_, recording)| recording.status() != "OK") {
        let status = Status::new(code(recording.status()), recording.message());
        let error = Error::new("/x/Y", "thing", Cause::Status(status));
        let expected =
            expected.get(name.as_str()).unwrap_or_else(|| panic!("{name}: {} is not listed", recording.message()));
        assert_eq!(error.condition(), *expected, "{name}: {}", recording.message());
        assert!(!error.retry_helps(), "{name}");
        assert!(error.to_string().contains(recording.message()), "{name}: {error}");
        seen += 1;
    }
    assert_eq!(seen, FAILURES.len(), "failures that are listed but not recorded");
}

#[test]
fn newer_enumeration_values_and_fields_do_not_break_decoding() {
    let mut bytes = pps::PipelineInfo {
        pipeline: Some(pps::Pipeline::named("p")),
        state: 77,
        last_job_state: -1,
        ..Default::default()
    }
    .encode_to_vec();
    // Field 2000 as a varint, field 2001 as text.
    bytes.extend([0x80, 0x7d, 1, 0x8a, 0x7d, 3, b'n', b'e', b'w']);
    let info = pps::PipelineInfo::decode(&bytes[..]).unwrap();
    assert_eq!((info.state, known::<pps::PipelineState>(info.state)), (77, None));
    assert_eq!(known::<pps::JobState>(info.last_job_state), None);
    assert_eq!(info.pipeline, Some(pps::Pipeline::named("p")));
}

#[test]
fn an_operation_without_content_keeps_its_presence() {
    // op1_13 with check_auth_token, whose message has no fields.
    let bytes = [0x3a, 3, 0x8a, 1, 0];
    let op = Op::decode(&bytes[..]).unwrap();
    assert_eq!(op.kind(), Some(pachyderm::proto::op::OpKind::CheckAuthToken));
    assert_eq!(op.encode_to_vec(), bytes);
}
