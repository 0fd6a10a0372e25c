//! The gRPC paths of pachd's methods, for callers and for servers that stand in for pachd.

macro_rules! methods {
    ($($name:ident = $path:literal),+ $(,)?) => {
        $(
            #[doc = concat!("`", $path, "`")]
            pub const $name: &str = $path;
        )+

        /// Every path here.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

methods! {
    EXTRACT = "/admin.API/Extract",
    EXTRACT_PIPELINE = "/admin.API/ExtractPipeline",
    INSPECT_CLUSTER = "/admin.API/InspectCluster",
    RESTORE = "/admin.API/Restore",
    GET_VERSION = "/versionpb.API/GetVersion",
    HEALTH = "/health.Health/Health",
    CREATE_JOB = "/pps.API/CreateJob",
    CREATE_PIPELINE = "/pps.API/CreatePipeline",
    DELETE_PIPELINE = "/pps.API/DeletePipeline",
    GARBAGE_COLLECT = "/pps.API/GarbageCollect",
    INSPECT_JOB = "/pps.API/InspectJob",
    INSPECT_PIPELINE = "/pps.API/InspectPipeline",
    LIST_JOB = "/pps.API/ListJob",
    LIST_JOB_STREAM = "/pps.API/ListJobStream",
    LIST_PIPELINE = "/pps.API/ListPipeline",
    START_PIPELINE = "/pps.API/StartPipeline",
    STOP_JOB = "/pps.API/StopJob",
    STOP_PIPELINE = "/pps.API/StopPipeline",
    BUILD_COMMIT = "/pfs.API/BuildCommit",
    CREATE_BRANCH = "/pfs.API/CreateBranch",
    CREATE_REPO = "/pfs.API/CreateRepo",
    DELETE_COMMIT = "/pfs.API/DeleteCommit",
    FINISH_COMMIT = "/pfs.API/FinishCommit",
    FLUSH_COMMIT = "/pfs.API/FlushCommit",
    FSCK = "/pfs.API/Fsck",
    GET_FILE = "/pfs.API/GetFile",
    INSPECT_BRANCH = "/pfs.API/InspectBranch",
    INSPECT_COMMIT = "/pfs.API/InspectCommit",
    INSPECT_REPO = "/pfs.API/InspectRepo",
    LIST_BRANCH = "/pfs.API/ListBranch",
    LIST_COMMIT = "/pfs.API/ListCommit",
    LIST_COMMIT_STREAM = "/pfs.API/ListCommitStream",
    LIST_REPO = "/pfs.API/ListRepo",
    START_COMMIT = "/pfs.API/StartCommit",
    SUBSCRIBE_COMMIT = "/pfs.API/SubscribeCommit",
    CHECK_OBJECT = "/pfs.ObjectAPI/CheckObject",
    LIST_BLOCK = "/pfs.ObjectAPI/ListBlock",
    LIST_OBJECTS = "/pfs.ObjectAPI/ListObjects",
    LIST_TAGS = "/pfs.ObjectAPI/ListTags",
    EXTRACT_AUTH_TOKENS = "/auth.API/ExtractAuthTokens",
    GET_ACL = "/auth.API/GetACL",
    GET_CLUSTER_ROLE_BINDINGS = "/auth.API/GetClusterRoleBindings",
    GET_CONFIGURATION = "/auth.API/GetConfiguration",
    WHO_AM_I = "/auth.API/WhoAmI",
    GET_ENTERPRISE_STATE = "/enterprise.API/GetState",
    GET_ACTIVATION_CODE = "/enterprise.API/GetActivationCode",
    DELETE_TRANSACTION = "/transaction.API/DeleteTransaction",
    LIST_TRANSACTION = "/transaction.API/ListTransaction",
    START_TRANSACTION = "/transaction.API/StartTransaction",
}
