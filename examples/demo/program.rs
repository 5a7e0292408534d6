//! Finding the pizauth program that belongs to this demo, or having it built.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use pizauth::sys;

use super::stop::{Trouble, failed};

/// The program: `pizauth` in the directory above this example's, where Cargo puts it.
pub(crate) fn find() -> Result<PathBuf, Trouble> {
    let demo = env::current_exe()?;
    let profile_dir = demo.parent().and_then(Path::parent);
    let profile_dir = profile_dir.ok_or_else(|| failed("there is no directory above the demo"))?;
    let program = profile_dir.join("pizauth");
    if !is_older(&program, &demo)? {
        return Ok(program);
    }
    build(profile_dir)?;
    if program.exists() {
        return Ok(program);
    }
    Err(failed(format!(
        "'{}' is missing though it was built: run the demo with 'cargo run --example demo'",
        program.display()
    )))
}

/// Whether the program is missing, or is of an older build than the demo.
fn is_older(program: &Path, demo: &Path) -> io::Result<bool> {
    let modified = |path| -> io::Result<SystemTime> { fs::metadata(path)?.modified() };
    match modified(program) {
        Ok(time) => Ok(time < modified(demo)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Builds it as the demo was built: the directory is named after the profile, and the one above
/// is the target directory, or has the target's name.
fn build(profile_dir: &Path) -> Result<(), Trouble> {
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let manifest_dir = manifest_dir.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--bin", "pizauth", "--profile", profile])
        .arg("--manifest-path")
        .arg(manifest_dir.join("Cargo.toml"));
    forget_this_run(&mut command);
    // A first build takes long enough to be watched; to find out that nothing has changed does not.
    if profile_dir.join("pizauth").exists() {
        command.arg("--quiet");
    }
    if let Some(above) = profile_dir.parent() {
        add_target(&mut command, above);
    }
    let status = sys::unblock_signals(&mut command)
        .status()
        .map_err(|error| {
            failed(format!(
                "cannot run '{}' to build pizauth: {error}",
                cargo.display()
            ))
        })?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(
            "pizauth could not be built: see above for the reason",
        )),
    }
}

/// Takes out of the environment what `cargo run` says of the demo: some build scripts look at it,
/// and would have everything built anew.
fn forget_this_run(command: &mut Command) {
    let about_demo = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
    let names = env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| {
        let name = name.to_string_lossy();
        about_demo.iter().any(|prefix| name.starts_with(prefix))
    }) {
        command.env_remove(name);
    }
}

/// Has the program put beside the demo, wherever that is. Cargo marks its target directory.
fn add_target(command: &mut Command, above: &Path) {
    let is_target_dir = |dir: &Path| dir.join("CACHEDIR.TAG").exists();
    if is_target_dir(above) {
        command.arg("--target-dir").arg(above);
        return;
    }
    let (Some(target_dir), Some(triple)) = (above.parent(), above.file_name()) else {
        return;
    };
    if is_target_dir(target_dir) {
        command.arg("--target-dir").arg(target_dir);
        command.arg("--target").arg(triple);
    }
}
