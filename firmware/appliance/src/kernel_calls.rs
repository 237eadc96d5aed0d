//! The few kernel calls that no safe crate offers: telling the kernel of a grown partition, binding
//! a packet socket, switching swap on, setting the hardware clock, slewing the clock.
//!
//! Each function builds the structure the kernel reads, makes one call and returns its result.
//! Nothing else in this crate is `unsafe`.
#![expect(unsafe_code, reason = "ioctl, bind(AF_PACKET), swapon and adjtimex have no safe crate")]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use base::clock::Civil;
use nix::libc;
use rustix::ioctl::{Setter, ioctl};
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};

/// `_IO(0x12, 105)`, linux/blkpg.h.
const BLKPG: u32 = 0x1269;
const BLKPG_RESIZE_PARTITION: i32 = 3;
/// `_IOW('p', 0x0a, struct rtc_time)`, linux/rtc.h.
const RTC_SET_TIME: u32 = 0x4024_700a;

#[repr(C)]
struct BlkpgPartition {
    start: i64,
    length: i64,
    pno: i32,
    devname: [u8; 64],
    volname: [u8; 64],
}

#[repr(C)]
struct BlkpgArg {
    op: i32,
    flags: i32,
    datalen: i32,
    data: *mut BlkpgPartition,
}

/// Tells the kernel that partition `number` of `disk` now has `bytes` from `start` on.
pub(crate) fn resize_partition(disk: &File, number: i32, start: u64, bytes: u64) -> io::Result<()> {
    let signed = |n: u64| i64::try_from(n).map_err(|_| io::ErrorKind::InvalidInput);
    let mut partition = BlkpgPartition {
        start: signed(start)?,
        length: signed(bytes)?,
        pno: number,
        devname: [0; 64],
        volname: [0; 64],
    };
    let arg = BlkpgArg {
        op: BLKPG_RESIZE_PARTITION,
        flags: 0,
        datalen: i32::try_from(size_of::<BlkpgPartition>()).unwrap_or(0),
        data: &raw mut partition,
    };
    // SAFETY: BLKPG reads a `blkpg_ioctl_arg` and the partition it points to; both live in this
    // frame and have the C layout of linux/blkpg.h.
    unsafe { ioctl(disk, Setter::<BLKPG, BlkpgArg>::new(arg)) }?;
    Ok(())
}

#[repr(C)]
struct RtcTime([i32; 9]);

/// Sets the hardware clock (UTC).
pub(crate) fn set_hardware_clock(rtc: &File, time: &Civil) -> io::Result<()> {
    let year = i32::try_from(time.year - 1900).map_err(|_| io::ErrorKind::InvalidInput)?;
    let [second, minute, hour, day] =
        [time.second, time.minute, time.hour, time.day].map(i32::from);
    let month = i32::from(time.month) - 1;
    let fields = RtcTime([second, minute, hour, day, month, year, 0, 0, 0]);
    // SAFETY: RTC_SET_TIME reads a `struct rtc_time`, nine ints, which `fields` is.
    unsafe { ioctl(rtc, Setter::<RTC_SET_TIME, RtcTime>::new(fields)) }?;
    Ok(())
}

/// The link-layer address of an interface, for binding a packet socket.
#[derive(Debug)]
struct LinkAddr(libc::sockaddr_ll);

// SAFETY: the closure gets a pointer to a whole, initialized `sockaddr_ll` and its true size.
unsafe impl SocketAddrArg for LinkAddr {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        let bytes = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or(0);
        f((&raw const self.0).cast(), bytes)
    }
}

/// Binds a packet socket to all protocols of one interface.
pub(crate) fn bind_packet(socket: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let address = LinkAddr(libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(0),
        sll_protocol: u16::try_from(libc::ETH_P_ALL).unwrap_or(0).to_be(),
        sll_ifindex: i32::try_from(interface).map_err(|_| io::ErrorKind::InvalidInput)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    });
    rustix::net::bind(socket.as_fd(), &address)?;
    Ok(())
}

/// Uses the device at `path`, which holds a swap header, as swap.
pub(crate) fn swap_on(path: &str) -> io::Result<()> {
    let path = CString::new(path).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `path` is a C string that outlives the call.
    match unsafe { libc::swapon(path.as_ptr(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the clock run a little faster or slower until it has moved by `offset_us`.
pub(crate) fn slew_clock(offset_us: i64) -> io::Result<()> {
    // SAFETY: all zeros is a valid `timex`: it asks for nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    timex.modes = libc::ADJ_OFFSET_SINGLESHOT;
    timex.offset = offset_us;
    // SAFETY: adjtimex reads and writes the one structure it is given.
    match unsafe { libc::adjtimex(&raw mut timex) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
