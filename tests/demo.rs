//! The demo that the README begins with works, and leaves nothing behind.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;

#[test]
fn the_demo_plays_to_its_end_and_cleans_up() {
    let profile_dir = Path::new(env!("CARGO_BIN_EXE_pizauth")).parent().unwrap();
    let demo = profile_dir.join("examples/demo");
    assert!(
        demo.exists(),
        "the demo is not built: run 'cargo test' as a whole, or 'cargo build --examples' first"
    );
    let dir = std::env::temp_dir().join(format!("pizauth-test-demo-{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&dir).unwrap();
    let output = Command::new(demo)
        .arg("--yes")
        .env("TMPDIR", &dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{output:?}");
    // One for each token that the provider confirmed: of the login and of either refresh.
    assert_eq!(text.matches("active, user ada").count(), 3, "{text}");
    // Fails where the demo has left anything.
    fs::remove_dir(&dir).unwrap();
}
