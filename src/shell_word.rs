//! An account's name as one word of a shell, for the commands that messages tell people to run.
//!
//! Knows quoting; knows nothing of what is run.

/// The name as a shell takes it, with what keeps a leading dash from being an option.
#[must_use]
pub fn shell_word(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.,:/@%+".contains(c);
    let end_of_options = if name.starts_with('-') { "-- " } else { "" };
    if !name.is_empty() && name.chars().all(is_plain) {
        return format!("{end_of_options}{name}");
    }
    let quoted = name.replace('\'', r"'\''");
    format!("{end_of_options}'{quoted}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_it_as_one_word() {
        let cases = [
            ("work", "work"),
            ("ada@example.org", "ada@example.org"),
            ("büro", "büro"),
            ("my mail", "'my mail'"),
            ("it's; rm -rf", r"'it'\''s; rm -rf'"),
            ("~", "'~'"),
            ("=cat", "'=cat'"),
            ("", "''"),
            ("-u", "-- -u"),
            ("-a b", "-- '-a b'"),
        ];
        for (name, word) in cases {
            assert_eq!(shell_word(name), word);
        }
    }
}
