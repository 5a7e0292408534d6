//! The compiled grammar, as build.rs made it of config.y: the parser's tables, what its rules make,
//! and the numbers of its tokens. Nothing else is in here, so that the lints which generated code
//! breaks are off for it alone.
#![allow(
    clippy::all,
    clippy::needless_pass_by_value,
    unused_braces,
    unused_variables,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "nobody writes this code by hand"
)]

use super::ast::Token;
use super::parser::Do;

include!(concat!(env!("OUT_DIR"), "/grammar.rs"));
