//! What the daemon shuts itself into before it serves: Landlock on its directory, a list of system
//! calls it never needs, no way to more rights.
//!
//! To be called first of all, while the daemon has one thread: Landlock binds the calling thread and
//! those it starts. An older kernel enforces what it knows; what was not enforced is told.

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, path_beneath_rules,
};
use nix::libc;
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

/// Why the sandbox could not be entered.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Core dumps or new privileges could not be switched off.
    #[error("limiting the process failed")]
    Limit(#[source] rustix::io::Errno),
    /// Landlock refused the rules.
    #[error("setting the Landlock rules failed")]
    Landlock(#[source] landlock::RulesetError),
    /// The filter could not be built or set.
    #[error("setting the system call filter failed")]
    Filter(#[source] seccompiler::Error),
    /// The filter could not be compiled.
    #[error("compiling the system call filter failed")]
    Compile(#[source] seccompiler::BackendError),
}

/// What is in force, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// True if files outside the allowed paths are out of reach.
    pub has_landlock: bool,
}

/// Paths that may be read beside the data directory; a missing one is no error.
const READABLE: [&str; 4] = ["/etc", "/proc", "/run", "/sys"];
/// Devices.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/urandom", "/dev/random"];

/// System calls answered with EPERM: none is needed to serve mail, each has been a way out.
const DENIED: [libc::c_long; 54] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_syslog,
    libc::SYS_mknod,
    libc::SYS_mknodat,
];

/// Enters the sandbox for good.
///
/// # Errors
/// If a part that every supported kernel has could not be set.
pub fn enter(data_dir: &Path) -> Result<Entered, SandboxError> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(SandboxError::Limit)?;
    rustix::thread::set_no_new_privs(true).map_err(SandboxError::Limit)?;
    let status = restrict_files(data_dir).map_err(SandboxError::Landlock)?;
    let program = filter()?;
    apply_filter_all_threads(&program).map_err(SandboxError::Filter)?;
    Ok(Entered { has_landlock: status != RulesetStatus::NotEnforced })
}

fn restrict_files(data_dir: &Path) -> Result<RulesetStatus, landlock::RulesetError> {
    let abi = ABI::V5;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules([data_dir], AccessFs::from_all(abi) & !AccessFs::Execute))?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(DEVICES, device))?
        .restrict_self()?;
    Ok(status.ruleset)
}

fn filter() -> Result<BpfProgram, SandboxError> {
    let rules: BTreeMap<i64, Vec<_>> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let errno = u32::try_from(libc::EPERM).unwrap_or(1);
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), TargetArch::x86_64)
        .and_then(TryInto::try_into)
        .map_err(SandboxError::Compile)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::Command;

    use super::*;

    /// The sandbox is for good, so it is entered in a process of its own: this test run again.
    #[test]
    fn inside_only_the_data_directory_is_writable_and_nothing_runs() {
        const INSIDE: &str = "POSTROOM_TEST_SANDBOX";
        let Ok(dir) = std::env::var(INSIDE) else {
            let dir = tempfile::tempdir().unwrap();
            let status = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "sandbox::tests::inside_only_the_data_directory_is_writable_and_nothing_runs",
                ])
                .args(["--nocapture", "--test-threads=1"])
                .env(INSIDE, dir.path())
                .status()
                .unwrap();
            assert!(status.success());
            return;
        };
        let dir = Path::new(&dir);
        let entered = enter(dir).unwrap();
        fs::write(dir.join("mine"), "text").unwrap();
        fs::rename(dir.join("mine"), dir.join("still mine")).unwrap();
        fs::read_to_string("/proc/self/status").unwrap();
        // The utilities' way in: made, made anew, reached.
        let socket = dir.join("postroom.sock");
        drop(UnixListener::bind(&socket).unwrap());
        fs::remove_file(&socket).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
        UnixStream::connect(&socket).unwrap();
        listener.accept().unwrap();
        let err = Command::new("/bin/true").status().unwrap_err();
        assert_eq!(err.kind(), std::io::ErrorKind::PermissionDenied);
        if entered.has_landlock {
            let outside = dir.with_extension("outside");
            assert!(fs::write(&outside, "text").is_err());
            assert!(UnixListener::bind(&outside).is_err());
            assert!(fs::read_dir("/usr").is_err());
        }
    }
}
