//! The sandbox's Kubernetes API held to a real one: each case runs against both, with the same assertions.
//!
//! A case that cannot run on the real server is listed as such, and says so when it runs on the sandbox.
#![cfg(all(feature = "kubernetes", feature = "programs"))]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod access;
mod controllers;
mod deployment;
mod faults;
mod lists;
mod patches;
mod place;
mod port_forward;
mod refusals;
mod services;
mod watches;
mod workers;
mod writes;

/// Makes a test of each case and each server. `both` names the case with the real server that it needs: `api_server`, where
/// nothing moves by itself, or `bench`, with controllers. `sandbox` names the case with why the real server can't run it.
macro_rules! cases {
    (
        both: [$($case:ident on $real:ident),* $(,)?],
        sandbox: [$($own:ident because $why:literal),* $(,)?] $(,)?
    ) => {
        mod on_the_sandbox {
            use crate::place::Place;

            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(Place::sandbox().await).await;
                }
            )*
            $(
                #[tokio::test]
                async fn $own() {
                    crate::place::say_not_real(stringify!($own), $why);
                    super::$own(Place::sandbox().await).await;
                }
            )*
        }
        cases!(@real $($case on $real),*);
    };
    (@real) => {};
    (@real $($case:ident on $real:ident),+) => {
        mod on_the_real_server {
            use crate::place::Place;

            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(Place::$real().await).await;
                }
            )+
        }
    };
}
pub(crate) use cases;
