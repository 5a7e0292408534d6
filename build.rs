//! Compiles the configuration's grammar into Rust.

use cfgrammar::yacc::YaccKind;
use lrlex::{CTLexerBuilder, DefaultLexerTypes};

#[expect(
    clippy::panic,
    reason = "a build script has nobody to hand an error to from inside a callback"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    CTLexerBuilder::<DefaultLexerTypes<u8>>::new_with_lexemet()
        .lrpar_config(|parser| {
            parser
                .yacckind(YaccKind::Grmtools)
                .warnings_are_errors(true)
                .grammar_in_src_dir("config/config.y")
                // The path is fixed in the line above: only a broken source tree gets here.
                .unwrap_or_else(|error| panic!("src/config/config.y: {error}"))
        })
        .warnings_are_errors(true)
        .lexer_in_src_dir("config/config.l")?
        .build()?;
    Ok(())
}
