//! Parts of a pipeline's specification.

use std::collections::BTreeMap;

/// What a pipeline runs.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Transform {
    /// Container image.
    #[prost(string, tag = "1")]
    pub image: String,
    /// Command.
    #[prost(string, repeated, tag = "2")]
    pub cmd: Vec<String>,
    /// Environment; may hold secrets.
    #[prost(btree_map = "string, string", tag = "3")]
    pub env: BTreeMap<String, String>,
    /// Kubernetes secrets to mount.
    #[prost(message, repeated, tag = "4")]
    pub secrets: Vec<SecretMount>,
    /// Lines given to the command.
    #[prost(string, repeated, tag = "5")]
    pub stdin: Vec<String>,
    /// Exit codes that count as success.
    #[prost(int64, repeated, tag = "6")]
    pub accept_return_code: Vec<i64>,
    /// More logs.
    #[prost(bool, tag = "7")]
    pub debug: bool,
    /// Secrets for pulling the image.
    #[prost(string, repeated, tag = "9")]
    pub image_pull_secrets: Vec<String>,
    /// User to run as.
    #[prost(string, tag = "10")]
    pub user: String,
    /// Directory to run in.
    #[prost(string, tag = "11")]
    pub working_dir: String,
    /// Where the image's recipe is.
    #[prost(string, tag = "12")]
    pub dockerfile: String,
    /// Command for datums that failed.
    #[prost(string, repeated, tag = "13")]
    pub err_cmd: Vec<String>,
    /// Lines given to that command.
    #[prost(string, repeated, tag = "14")]
    pub err_stdin: Vec<String>,
    /// How to build the image.
    #[prost(message, optional, tag = "15")]
    pub build: Option<BuildSpec>,
}

/// How to build a pipeline's image.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BuildSpec {
    /// Directory of the sources.
    #[prost(string, tag = "1")]
    pub path: String,
    /// Language of the sources.
    #[prost(string, tag = "2")]
    pub language: String,
    /// Image to build with.
    #[prost(string, tag = "3")]
    pub image: String,
}

/// A Kubernetes secret to mount.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SecretMount {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Where it is mounted.
    #[prost(string, tag = "2")]
    pub mount_path: String,
    /// Or the variable it is put into.
    #[prost(string, tag = "3")]
    pub env_var: String,
    /// The key for that variable.
    #[prost(string, tag = "4")]
    pub key: String,
}

/// How many workers.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ParallelismSpec {
    /// So many.
    #[prost(uint64, tag = "2")]
    pub constant: u64,
    /// So many for each node.
    #[prost(double, tag = "3")]
    pub coefficient: f64,
}

/// Shards of the hashtree.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct HashtreeSpec {
    /// So many.
    #[prost(uint64, tag = "1")]
    pub constant: u64,
}

/// Where results are sent to.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Egress {
    /// Object-store URL; may hold secrets.
    #[prost(string, tag = "1")]
    pub url: String,
}

/// Amounts of resources.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ResourceSpec {
    /// Processors.
    #[prost(float, tag = "1")]
    pub cpu: f32,
    /// Memory, as Kubernetes writes it.
    #[prost(string, tag = "2")]
    pub memory: String,
    /// Disk, as Kubernetes writes it.
    #[prost(string, tag = "4")]
    pub disk: String,
    /// GPUs.
    #[prost(message, optional, tag = "5")]
    pub gpu: Option<GpuSpec>,
}

/// GPUs.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GpuSpec {
    /// Their kind.
    #[prost(string, tag = "1")]
    pub r#type: String,
    /// So many.
    #[prost(int64, tag = "2")]
    pub number: i64,
}

/// How a service pipeline is reached.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Service {
    /// Port in the container.
    #[prost(int32, tag = "1")]
    pub internal_port: i32,
    /// Port on the node.
    #[prost(int32, tag = "2")]
    pub external_port: i32,
    /// Cluster address.
    #[prost(string, tag = "3")]
    pub ip: String,
    /// Kind of the Kubernetes Service.
    #[prost(string, tag = "4")]
    pub r#type: String,
}

/// Reads from outside instead of from an input.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Spout {
    /// Each write replaces files.
    #[prost(bool, tag = "1")]
    pub overwrite: bool,
    /// How it is reached.
    #[prost(message, optional, tag = "2")]
    pub service: Option<Service>,
    /// File that keeps its place.
    #[prost(string, tag = "3")]
    pub marker: String,
}

/// How datums are bundled.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ChunkSpec {
    /// So many datums.
    #[prost(int64, tag = "1")]
    pub number: i64,
    /// So many bytes.
    #[prost(int64, tag = "2")]
    pub size_bytes: i64,
}

/// Where workers may run.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SchedulingSpec {
    /// Labels of the nodes.
    #[prost(btree_map = "string, string", tag = "1")]
    pub node_selector: BTreeMap<String, String>,
    /// Priority class of the pods.
    #[prost(string, tag = "2")]
    pub priority_class_name: String,
}

/// A TensorFlow job.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TfJob {
    /// Its specification, JSON.
    #[prost(string, tag = "1")]
    pub tf_job: String,
}

/// Annotations and labels of a pipeline's pods.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Metadata {
    /// Annotations.
    #[prost(btree_map = "string, string", tag = "1")]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
}
