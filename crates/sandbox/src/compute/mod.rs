//! Google's Compute Engine in memory, as far as disks, their snapshots and operations go.
