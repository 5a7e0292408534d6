//! Compiles the configuration's grammar into Rust, and has the program linked so that it starts
//! quickly.

#[path = "build/grammar.rs"]
mod grammar;

use std::env;
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/grammar.rs");
    println!("cargo::rerun-if-changed=src/config/config.y");
    link_for_a_quick_start();
    compile_grammar()
}

/// Most of what a client costs is what happens before it begins, in the dynamic linker.
fn link_for_a_quick_start() {
    let variable = |name| env::var(name).unwrap_or_default();
    let gnu_linux =
        variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    // What follows is asked of this machine, and of use for no other.
    if !gnu_linux || variable("HOST") != variable("TARGET") {
        return;
    }
    // What unwinds stacks comes out of the compiler's archive, where there is one: finding, mapping
    // and linking a shared library for it would take as long as all of the client's own work.
    let archive = output("cc", &["-print-file-name=libgcc_eh.a"]);
    if archive.is_some_and(|path| Path::new(path.trim()).is_absolute()) {
        println!("cargo::rustc-link-lib=gcc_eh");
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn compile_grammar() -> Result<(), Box<dyn std::error::Error>> {
    let source = std::fs::read_to_string("src/config/config.y")?;
    let directory = env::var("OUT_DIR")?;
    std::fs::write(
        Path::new(&directory).join("grammar.rs"),
        grammar::compile(&source)?,
    )?;
    Ok(())
}
