//! Service `admin.API`: extract, restore and the identity of the cluster.

use pachyderm::proto::admin::{ClusterInfo, ExtractPipelineRequest, ExtractRequest, Op, OpBody};
use pachyderm::proto::op::OpVersion;
use pachyderm::proto::pps::{CreatePipelineRequest, PipelineInfo};
use tonic::Status;

use super::auth::Caller;
use super::{PachdService, errors, extract};
use crate::pachd::grpc::{Answer, Call, one, unknown_method};

impl PachdService {
    pub(super) async fn admin(&self, call: &mut Call, caller: &Caller) -> Result<Answer, Status> {
        match call.method.as_str() {
            "InspectCluster" => {
                let id = self.state.store.get(b"cluster-id").map(|kv| kv.value).unwrap_or_default();
                let id = String::from_utf8_lossy(&id).into_owned();
                one(&ClusterInfo { id, deployment_id: self.deployment_id.clone() })
            }
            "Extract" => {
                let request: ExtractRequest = call.message().await?;
                caller.must_be_admin("Extract")?;
                extract::answer(self, &request)
            }
            "Restore" => {
                caller.must_be_admin("Restore")?;
                self.restore(call).await
            }
            "ExtractPipeline" => {
                let request: ExtractPipelineRequest = call.message().await?;
                let name = request.pipeline.ok_or_else(errors::nil_pipeline)?.name;
                let pipeline = Box::new(create_request(self.current_pipeline(&name, false)?));
                one(&Op::new(OpVersion::V1_13, OpBody { pipeline: Some(pipeline), ..Default::default() }))
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }
}

/// The request that would create a pipeline as it is, without its specification commit.
fn create_request(info: PipelineInfo) -> CreatePipelineRequest {
    CreatePipelineRequest {
        pipeline: info.pipeline,
        transform: info.transform,
        parallelism_spec: info.parallelism_spec,
        egress: info.egress,
        output_branch: info.output_branch,
        resource_requests: info.resource_requests,
        resource_limits: info.resource_limits,
        sidecar_resource_limits: info.sidecar_resource_limits,
        input: info.input,
        description: info.description,
        cache_size: info.cache_size,
        enable_stats: info.enable_stats,
        max_queue_size: info.max_queue_size,
        service: info.service,
        chunk_spec: info.chunk_spec,
        datum_timeout: info.datum_timeout,
        job_timeout: info.job_timeout,
        salt: info.salt,
        standby: info.standby,
        datum_tries: info.datum_tries,
        scheduling_spec: info.scheduling_spec,
        pod_spec: info.pod_spec,
        pod_patch: info.pod_patch,
        hashtree_spec: info.hashtree_spec,
        spout: info.spout,
        s3_out: info.s3_out,
        metadata: info.metadata,
        autoscaling: info.autoscaling,
        reprocess_spec: info.reprocess_spec,
        ..Default::default()
    }
}
