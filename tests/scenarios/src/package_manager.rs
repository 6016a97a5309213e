// SPDX-License-Identifier: MIT OR Apache-2.0
//! What PackageManager and installd do to the disk, in their order (reference android 1.1, 1.5).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{chown, OpenOptionsExt, PermissionsExt};

const LIST: &str = "/data/system/packages.list";
const CODE: &str = "/data/app/~~Qm9hcmRlckd1YXJkMDAwMQ==";

/// Replaces the list as JournaledFile does: a temporary file, fsync, rename.
pub fn write_list(packages: &[(&str, u32)]) -> io::Result<()> {
    fs::create_dir_all("/data/system")?;
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(format!("{LIST}.tmp"))?;
    for (package, uid) in packages {
        writeln!(
            file,
            "{package} {uid} 0 /data/user/0/{package} default:targetSdkVersion=32 none 0 2004001 1 @null"
        )?;
    }
    file.sync_all()?;
    fs::rename(format!("{LIST}.tmp"), LIST)?;
    File::open("/data/system")?.sync_all()
}

/// Puts an APK where installed apps are.
pub fn place_code(package: &str, apk: &str) -> io::Result<()> {
    let folder = format!("{CODE}/{package}-U3RhdGlvbkJhcnJpZXIwMQ==");
    fs::create_dir_all(&folder)?;
    fs::copy(apk, format!("{folder}/base.apk")).map(drop)
}

/// Deletes an app's code.
pub fn remove_code(package: &str) -> io::Result<()> {
    fs::remove_dir_all(format!("{CODE}/{package}-U3RhdGlvbkJhcnJpZXIwMQ=="))
}

/// Makes or hands over an app's data directory with one file in it. Its mode lets everybody read, so that a refusal is
/// never the ordinary permissions'.
pub fn create_data(package: &str, uid: u32) -> io::Result<()> {
    let files = format!("/data/data/{package}/files");
    fs::create_dir_all(&files)?;
    let note = format!("{files}/note");
    if !fs::exists(&note)? {
        fs::write(&note, "written by the app\n")?;
    }
    fs::set_permissions(&note, fs::Permissions::from_mode(0o644))?;
    for path in ["/data", "/data/data", &format!("/data/data/{package}"), &files] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    for path in [&format!("/data/data/{package}"), &files, &note] {
        chown(path, Some(uid), Some(uid))?;
    }
    Ok(())
}
