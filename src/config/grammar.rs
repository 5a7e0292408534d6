//! The compiled grammar, as build.rs made it of config.l and config.y. Nothing else is in here, so
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

use lrlex::lrlex_mod;
use lrpar::lrpar_mod;

lrlex_mod!("config/config.l");
lrpar_mod!("config/config.y");

pub(super) use config_l::*;
pub(super) use config_y::parse;
