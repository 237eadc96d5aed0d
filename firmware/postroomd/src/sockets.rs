//! The unix sockets in the data directory, for the server utilities: who may open the file is its owner, and
//! the kernel says who is at the other end.

use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use tokio::net::UnixListener;

/// The admin API.
pub(crate) const API: &str = "postroom.sock";
/// LDAP, for who says EXTERNAL.
pub(crate) const LDAP: &str = "ldapi";

/// The socket `name` in `data`, made anew; `None` (and a warning) if it cannot be made: mail does not wait
/// for the utilities.
pub(crate) fn listen(data: &Path, name: &str) -> Option<UnixListener> {
    let path = data.join(name);
    match bind(&path) {
        Ok(listener) => {
            tracing::info!(path = %path.display(), "unix socket for the utilities");
            Some(listener)
        }
        Err(err) => {
            tracing::warn!(%err, path = %path.display(), "no unix socket for the utilities");
            None
        }
    }
}

fn bind(path: &Path) -> std::io::Result<UnixListener> {
    // The one of the last start; the store's lock says that nobody serves it any more.
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(std::io::ErrorKind::AlreadyExists.into()),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
        Err(err) => return Err(err),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
