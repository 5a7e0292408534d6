//! The compiled grammar, as build.rs made it of config.y, and the numbers of its tokens. Nothing else is in here, so
//! that the lints which generated code breaks are off for it alone.
#![allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "nobody writes this code by hand"
)]

use lrpar::lrpar_mod;

lrpar_mod!("config/config.y");
include!(concat!(env!("OUT_DIR"), "/kinds.rs"));

pub(super) use config_y::parse;
