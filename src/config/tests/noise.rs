//! That nothing at all upsets the reader, or has it tell a secret.

use super::*;

/// A small generator of pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[test]
fn no_beginning_of_a_good_file_upsets_the_reader() {
    let source = "refresh_retry = 9s; // c\nstartup_cmd = \"a \\\"é\\\\\";\nhttp_listen = none;\n"
        .to_owned()
        + &account(
            "scopes = [\"a\", \"b\",]; auth_uri_fields = {\"k\": \"v\",}; client_secret = \"s\";",
        );
    for (at, _) in source.char_indices() {
        if let Err(error) = parse(&source[..at], "pizauth.conf") {
            assert!(error.to_string().starts_with("error: "), "{error}");
        }
    }
}

#[test]
fn no_change_to_a_good_file_upsets_the_reader_or_tells_its_secret() {
    const PIECES: [&str; 16] = [
        "\"", "\\", "{", "}", "[", "]", ";", "=", ",", ":", "//", "account", "\0", "\n", "é", "'",
    ];
    const ROUNDS: usize = 500;
    let source = fs::read_to_string(Path::new(DATA).join("good-everything.conf")).unwrap();
    let places: Vec<usize> = source.char_indices().map(|(at, _)| at).collect();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..ROUNDS {
        let mut changed = source.clone();
        // Half of the changes are made where the secret is.
        let near = source.find("client_secret").unwrap() + random.below(30);
        let anywhere = places[random.below(places.len())];
        let at = if random.below(2) == 0 { near } else { anywhere };
        let piece = PIECES[random.below(PIECES.len())];
        if random.below(2) == 0 {
            changed.insert_str(at, piece);
        } else {
            let end = at + source[at..].chars().next().map_or(0, char::len_utf8);
            changed.replace_range(at..end, piece);
        }
        if let Err(error) = parse(&changed, &format!("{DATA}/x.conf")) {
            let said = error.to_string();
            assert!(said.starts_with("error: "), "{said}");
            assert!(!said.contains("hunter2"), "{changed}\n{said}");
        }
    }
}

#[test]
fn noise_is_refused_in_good_time() {
    const ALPHABET: &[u8] = b"{}[]=;:,\"\\/# \nabz09_account\0'";
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..5 {
        let noise: Vec<u8> = (0..1_000)
            .map(|_| ALPHABET[random.below(ALPHABET.len())])
            .collect();
        assert!(!bad(&String::from_utf8(noise).unwrap()).is_empty());
    }
    for piece in [
        "{",
        "[",
        "\"",
        "=",
        "account \"a\" {",
        "a = ",
        "x = [\"a\",",
        "}",
        ";",
        "\\",
        "''",
    ] {
        let said = bad(&piece.repeat(3_000));
        assert!(said.len() < 100_000, "{piece}: {}", said.len());
    }
}
