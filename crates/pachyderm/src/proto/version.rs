//! Package `versionpb`: the version of a running pachd.

/// Version of pachd: `major.minor.micro` followed directly by `additional`.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Version {
    /// First number: 1.
    #[prost(uint32, tag = "1")]
    pub major: u32,
    /// Second number.
    #[prost(uint32, tag = "2")]
    pub minor: u32,
    /// Third number.
    #[prost(uint32, tag = "3")]
    pub micro: u32,
    /// Empty for release builds, otherwise a suffix that begins with a dash.
    #[prost(string, tag = "4")]
    pub additional: String,
}
