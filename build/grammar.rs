//! From config.y to tables and actions in Rust, which src/config/parser.rs works with: the parser
//! generator is needed here only, and nothing is left to be unpacked at run time.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use cfgrammar::yacc::ast::ASTWithValidityInfo;
use cfgrammar::yacc::{YaccGrammar, YaccKind};
use cfgrammar::{PIdx, RIdx, Symbol, TIdx};
use lrtable::{Action, Minimiser, StIdx, StateTable, from_yacc};

type Grammar = YaccGrammar<u8>;
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The Rust of a grammar.
pub(crate) fn compile(source: &str) -> Result<String> {
    let parsed = ASTWithValidityInfo::new(YaccKind::Grmtools, source);
    let warnings = parsed.ast().warnings();
    if !warnings.is_empty() {
        return Err(format!("{warnings:?}").into());
    }
    let grammar: Grammar = YaccGrammar::new_from_ast_with_validity_info(&parsed)
        .map_err(|errors| format!("{errors:?}"))?;
    let (graph, table) = from_yacc(&grammar, Minimiser::Pager)?;
    if table.conflicts().is_some() {
        return Err("the grammar is ambiguous".into());
    }
    let mut text = String::new();
    tokens(&grammar, &mut text)?;
    let states: Vec<StIdx<u8>> = graph.iter_stidxs().collect();
    tables(&grammar, &table, &states, &mut text)?;
    values(&grammar, &mut text)?;
    actions(&grammar, &mut text)?;
    text.push_str(grammar.programs().as_deref().unwrap_or_default());
    Ok(text)
}

/// The numbers of the kinds of tokens, for the lexer.
fn tokens(grammar: &Grammar, text: &mut String) -> Result<()> {
    let mut kinds: Vec<(&str, u8)> = grammar
        .tokens_map()
        .into_iter()
        .map(|(name, token)| (name, token.0))
        .collect();
    kinds.sort_unstable();
    for (name, number) in &kinds {
        writeln!(text, "pub(in crate::config) const N_{name}: u8 = {number};")?;
    }
    writeln!(text, "#[cfg(test)]")?;
    let kinds_type = format!("[(&str, u8); {}]", kinds.len());
    constant(text, "KINDS", &kinds_type, &kinds)?;
    constant(text, "END", "u8", &grammar.eof_token_idx().0)?;
    let avoided: Vec<u8> = grammar
        .iter_tidxs()
        .filter(|token| grammar.avoid_insert(*token))
        .map(|token| token.0)
        .collect();
    constant(
        text,
        "AVOIDED",
        &format!("[u8; {}]", avoided.len()),
        &avoided,
    )
}

fn tables(
    grammar: &Grammar,
    table: &StateTable<u8>,
    states: &[StIdx<u8>],
    text: &mut String,
) -> Result<()> {
    let tokens = usize::from(grammar.tokens_len().0);
    let rules = usize::from(grammar.rules_len().0);
    let action = |state, token| match table.action(state, token) {
        Action::Error => "Do::Fail".to_owned(),
        Action::Accept => "Do::Accept".to_owned(),
        Action::Shift(StIdx(state)) => format!("Do::Shift({state})"),
        Action::Reduce(PIdx(production)) => format!("Do::Reduce({production})"),
    };
    let count = states.len();
    writeln!(
        text,
        "pub(in crate::config) static ACTIONS: [[Do; {tokens}]; {count}] = ["
    )?;
    for &state in states {
        let row: Vec<String> = grammar
            .iter_tidxs()
            .map(|token: TIdx<u8>| action(state, token))
            .collect();
        writeln!(text, "    [{}],", row.join(", "))?;
    }
    text.push_str("];\n");
    // A state that a rule does not lead on from is never asked about it.
    let goto = |state, rule: RIdx<u8>| table.goto(state, rule).map_or(0, |state| state.0);
    let gotos: Vec<Vec<u8>> = states
        .iter()
        .map(|&state| grammar.iter_rules().map(|rule| goto(state, rule)).collect())
        .collect();
    constant(text, "GOTOS", &format!("[[u8; {rules}]; {count}]"), &gotos)?;
    let productions: Vec<(u8, usize)> = grammar
        .iter_pidxs()
        .map(|production| {
            (
                grammar.prod_to_rule(production).0,
                grammar.prod(production).len(),
            )
        })
        .collect();
    let productions_type = format!("[(u8, usize); {}]", productions.len());
    constant(text, "PRODUCTIONS", &productions_type, &productions)?;
    constant(text, "START", "u8", &table.start_state().0)
}

/// What can be on the parser's stack: tokens, and what the rules' actions make.
fn values(grammar: &Grammar, text: &mut String) -> Result<()> {
    writeln!(
        text,
        "pub(in crate::config) enum Made {{\n    Token(Token),"
    )?;
    for rule in grammar.iter_rules() {
        if let Some(made) = grammar.actiontype(rule) {
            writeln!(text, "    R{}({made}),", rule.0)?;
        }
    }
    writeln!(text, "}}")?;
    let start = grammar
        .prod(grammar.start_prod())
        .iter()
        .find_map(|symbol| match symbol {
            Symbol::Rule(rule) => Some(*rule),
            Symbol::Token(_) => None,
        })
        .ok_or("the grammar has no start")?;
    let made = grammar.actiontype(start).as_deref().unwrap_or("()");
    writeln!(
        text,
        "pub(in crate::config) fn whole(made: Made) -> Option<{made}> {{\n    \
         match made {{ Made::R{}(whole) => Some(whole), _ => None }}\n}}",
        start.0
    )?;
    Ok(())
}

/// A function that does what the grammar says to the values of a production's symbols, which are
/// the last ones in `stack`.
fn actions(grammar: &Grammar, text: &mut String) -> Result<()> {
    text.push_str(
        "pub(in crate::config) fn make(production: u8, span: Span, stack: &mut Vec<Made>) -> Option<Made> {\n    \
         let _ = span;\n    Some(match production {\n",
    );
    for production in grammar.iter_pidxs() {
        let Some(action) = grammar.action(production) else {
            continue;
        };
        writeln!(text, "        {} => {{", production.0)?;
        let symbols = grammar.prod(production);
        for (at, symbol) in symbols.iter().enumerate().rev() {
            let kind = match symbol {
                Symbol::Token(_) => "Token".to_owned(),
                Symbol::Rule(rule) => format!("R{}", rule.0),
            };
            writeln!(
                text,
                "            let Made::{kind}(arg_{}) = stack.pop()? else {{ return None }};",
                at + 1
            )?;
        }
        let mut action = action.replace("$span", "span");
        for at in (1..=symbols.len()).rev() {
            action = action.replace(&format!("${at}"), &format!("arg_{at}"));
        }
        let rule = grammar.prod_to_rule(production).0;
        writeln!(
            text,
            "            Made::R{rule}({{ {action} }})\n        }}"
        )?;
    }
    text.push_str("        _ => return None,\n    })\n}\n");
    Ok(())
}

fn constant(text: &mut String, name: &str, of: &str, value: &dyn Debug) -> Result<()> {
    writeln!(
        text,
        "pub(in crate::config) static {name}: {of} = {value:?};"
    )?;
    Ok(())
}
