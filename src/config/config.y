// What the parser may make up to go on after a mistake: punctuation before values, and an account
// last of all.
%avoid_insert "ACCOUNT" "STRING" "NAME" "TIME" "WORD"
// These are taken out, or reported, before the parser runs.
%expect-unused NeverParsed "COMMENT" "OTHER_COMMENT" "STRAY"
%start File
%%
File -> File:
    %empty { File::default() }
  | File Setting { File { settings: with($1.settings, $2), ..$1 } }
  | File "ACCOUNT" Scalar "OPEN_BRACE" Settings "CLOSE_BRACE" {
        let account = Account { span: across($2, $6), name: $3, settings: $5 };
        File { accounts: with($1.accounts, account), ..$1 }
    }
  ;

Settings -> Vec<Setting>:
    %empty { Vec::new() }
  | Settings Setting { with($1, $2) }
  ;

// Nearly all of a file: with rules for the name and for any value, each would take two steps more.
Setting -> Setting:
    "NAME" "EQUALS" Scalar "SEMICOLON" { setting($1, Value::Scalar($3)) }
  | "NAME" "EQUALS" Collection "SEMICOLON" { setting($1, $3) }
  | "WORD" "EQUALS" Scalar "SEMICOLON" { setting($1, Value::Scalar($3)) }
  | "WORD" "EQUALS" Collection "SEMICOLON" { setting($1, $3) }
  ;

Collection -> Value:
    "OPEN_BRACKET" List "CLOSE_BRACKET" { Value::List($span, $2) }
  | "OPEN_BRACKET" "CLOSE_BRACKET" { Value::List($span, Vec::new()) }
  | "OPEN_BRACE" Map "CLOSE_BRACE" { Value::Map($span, $2) }
  | "OPEN_BRACE" "CLOSE_BRACE" { Value::Map($span, Vec::new()) }
  ;

List -> Vec<Scalar>:
    Elements { $1 }
  | Elements "COMMA" { $1 }
  ;

Elements -> Vec<Scalar>:
    Scalar { vec![$1] }
  | Elements "COMMA" Scalar { with($1, $3) }
  ;

Map -> Vec<(Scalar, Scalar)>:
    Pairs { $1 }
  | Pairs "COMMA" { $1 }
  ;

Pairs -> Vec<(Scalar, Scalar)>:
    Pair { vec![$1] }
  | Pairs "COMMA" Pair { with($1, $3) }
  ;

Pair -> (Scalar, Scalar):
    Scalar "COLON" Scalar { ($1, $3) }
  ;

Scalar -> Scalar:
    "STRING" { scalar($1, ScalarKind::String) }
  | "NAME" { scalar($1, ScalarKind::Name) }
  | "TIME" { scalar($1, ScalarKind::Time) }
  | "WORD" { scalar($1, ScalarKind::Word) }
  | "UNTERMINATED" { scalar($1, ScalarKind::Mangled) }
  | "OTHER_QUOTES" { scalar($1, ScalarKind::Mangled) }
  ;

NeverParsed -> ():
    "COMMENT" { token($1); }
  | "OTHER_COMMENT" { token($1); }
  | "STRAY" { token($1); }
  ;
%%
use super::super::ast::{
    Account, File, Scalar, ScalarKind, Setting, Value, across, scalar, setting, token, with,
};
