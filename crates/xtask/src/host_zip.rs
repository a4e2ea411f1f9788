//! The function packages that the sandbox runs: the dev build for this very machine, zipped as AWS
//! would take it. Its symbols stay in: 37 MB unpacked and 11 MB zipped are far below Lambda's limits,
//! and a stripped 23 MB would need a tool that a laptop may not have.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::archive::{self, Effort};
use crate::workspace::Workspace;

/// Zips a function's binary of the dev build (`api`, `rotation`) into `lambda/host/<name>.zip` under the
/// target directory and returns its path. Does nothing if the zip was made from the same binary.
pub fn build(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let program = workspace.binary(name);
    let zip = workspace.target.join("lambda/host").join(format!("{name}.zip"));
    let stamp = zip.with_extension("source");
    let source = archive::sha256(&program)?;
    if zip.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == source) {
        return Ok(zip);
    }
    let package = archive::write(&program, &zip, Effort::Quick)?;
    // Written after the zip, so that a crash in between only makes the zip again.
    fs::write(&stamp, source)?;
    println!(
        "    {} ({:.1} MB, {:.1} MB unpacked)",
        crate::workspace::short(workspace, &zip),
        archive::megabytes(package.zipped),
        archive::megabytes(package.unpacked)
    );
    Ok(zip)
}
