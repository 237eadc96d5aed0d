//! glibc's allocator, told to give large blocks back.
//!
//! By default each thread's arena keeps what it once held: argon2's 19 MB blocks, hashed on the
//! runtime's blocking threads, made 450 MB resident after twenty passwords. With two arenas and a
//! fixed threshold the same run stays under 30 MB (mimalloc: 45 to 60 MB).

/// Arenas: as many as the smallest box has cores.
const ARENAS: i32 = 2;
/// From this size on, bytes, a block is mapped on its own and goes back to the kernel when freed.
const LARGE_BYTES: i32 = 256 * 1024;

/// Sets the allocator up; before there are threads.
#[expect(unsafe_code, reason = "glibc's knobs have no safe face")]
pub(crate) fn tune() {
    let knobs = [
        (libc::M_ARENA_MAX, ARENAS),
        // Said out loud, the threshold no longer grows with the blocks that are freed.
        (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
        (libc::M_TRIM_THRESHOLD, LARGE_BYTES),
    ];
    for (knob, value) in knobs {
        // SAFETY: mallopt takes two numbers and touches only the allocator's own settings; nothing else
        // runs yet.
        if unsafe { libc::mallopt(knob, value) } == 0 {
            tracing::warn!(knob, "the allocator keeps its default");
        }
    }
}
