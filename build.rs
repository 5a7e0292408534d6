//! Compiles the configuration's grammar into Rust.

use std::fmt::Write as _;
use std::path::Path;

use cfgrammar::yacc::YaccKind;
use lrlex::DefaultLexerTypes;
use lrpar::CTParserBuilder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    let directory = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&directory).join("kinds.rs"), source)?;
    Ok(())
}
