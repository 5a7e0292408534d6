//! Compiles the configuration's grammar into Rust, and has the program linked so that it starts
//! quickly.

use std::env;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use cfgrammar::yacc::YaccKind;
use lrlex::DefaultLexerTypes;
use lrpar::CTParserBuilder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
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
    if glibc().is_some_and(|version| version >= PACKED_RELOCATIONS) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // What unwinds stacks comes out of the compiler's archive, where there is one: finding, mapping
    // and linking a shared library for it would take as long as all of the client's own work.
    let archive = output("cc", &["-print-file-name=libgcc_eh.a"]);
    if archive.is_some_and(|path| Path::new(path.trim()).is_absolute()) {
        println!("cargo::rustc-link-lib=gcc_eh");
    }
}

/// The first glibc whose dynamic linker understands packed relative relocations.
const PACKED_RELOCATIONS: (u32, u32) = (2, 36);

/// The version of this machine's glibc.
fn glibc() -> Option<(u32, u32)> {
    let answer = output("getconf", &["GNU_LIBC_VERSION"])?;
    let (major, minor) = answer.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn compile_grammar() -> Result<(), Box<dyn std::error::Error>> {
    let parser = CTParserBuilder::<DefaultLexerTypes<u8>>::new()
        .yacckind(YaccKind::Grmtools)
        .warnings_are_errors(true)
        .grammar_in_src_dir("config/config.y")?
        .build()?;

    // The numbers that the parser has given to the kinds of tokens, for the lexer.
    let mut kinds: Vec<(&String, &u8)> = parser.token_map().iter().collect();
    kinds.sort();
    let mut source = String::new();
    for (name, number) in &kinds {
        writeln!(
            source,
            "pub(in crate::config) const N_{name}: u8 = {number};"
        )?;
    }
    writeln!(source, "#[cfg(test)]")?;
    writeln!(
        source,
        "pub(in crate::config) const KINDS: [(&str, u8); {}] = {kinds:?};",
        kinds.len()
    )?;
    let directory = env::var("OUT_DIR")?;
    std::fs::write(Path::new(&directory).join("kinds.rs"), source)?;
    Ok(())
}
