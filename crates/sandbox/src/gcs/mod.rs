//! Google Cloud Storage in memory.
