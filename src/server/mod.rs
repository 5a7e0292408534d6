//! The only room with threads.

pub mod page;
