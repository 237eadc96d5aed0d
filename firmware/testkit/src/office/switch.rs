//! The Ethernet switch: the box on one port, stations on the others.
//!
//! A frame goes to the port whose address it bears, or to all. Frames between switch and QEMU have a
//! length of four bytes before them, big-endian, as QEMU's stream netdev wants.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::station::Port;

/// Frames that wait for the box.
const QUEUE_MAX: usize = 1024;
/// The largest frame that QEMU may send; virtio offers no larger one without offloads.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// How often the stations' timers are looked at.
const TICK: Duration = Duration::from_millis(5);

pub(super) type Mac = [u8; 6];

/// The frames on their way, in the order in which they were sent. A frame that overtook another one could
/// tell a sender of a window that has long been opened again.
#[derive(Debug, Default)]
pub(super) struct Fabric {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Who sent it (`None`: the box), and the frame.
    frames: VecDeque<(Option<Mac>, Vec<u8>)>,
    /// Whether somebody is forwarding; he also takes what others add.
    is_forwarding: bool,
}

impl Fabric {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes frames of one sender. A station calls this while it holds its stack, so that they lie here in
    /// the order in which the stack made them.
    pub(super) fn send(&self, from: Option<Mac>, frames: impl IntoIterator<Item = Vec<u8>>) {
        self.lock().frames.extend(frames.into_iter().map(|frame| (from, frame)));
    }
}

/// The switch.
#[derive(Debug)]
pub(super) struct Switch {
    ports: Mutex<BTreeMap<Mac, Weak<Port>>>,
    pub(super) fabric: Arc<Fabric>,
    to_box: SyncSender<Vec<u8>>,
    is_closed: AtomicBool,
    /// Of the stations' clocks.
    pub(super) started: Instant,
}

impl Switch {
    /// A switch that waits for the box on a unix socket.
    pub(super) fn open(path: &Path) -> io::Result<Arc<Self>> {
        let listener = UnixListener::bind(path)?;
        let (to_box, frames) = sync_channel(QUEUE_MAX);
        let switch = Arc::new(Self {
            ports: Mutex::new(BTreeMap::new()),
            fabric: Arc::default(),
            to_box,
            is_closed: AtomicBool::new(false),
            started: Instant::now(),
        });
        let cable: Arc<Mutex<Option<UnixStream>>> = Arc::default();
        let (ours, plugged) = (Arc::downgrade(&switch), Arc::clone(&cable));
        std::thread::Builder::new()
            .name("office cable".into())
            .spawn(move || accept(&listener, &ours, &plugged))?;
        let ours = Arc::downgrade(&switch);
        std::thread::Builder::new()
            .name("office switch".into())
            .spawn(move || send_and_tick(&frames, &ours, &cable))?;
        Ok(switch)
    }

    fn ports(&self) -> MutexGuard<'_, BTreeMap<Mac, Weak<Port>>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pulls all cables; the threads end soon after.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Plugs a station in.
    pub(super) fn plug(&self, mac: Mac, port: &Arc<Port>) {
        self.ports().insert(mac, Arc::downgrade(port));
    }

    /// Forwards what waits, and what stations answer to it, until all is said or another one is at it. The
    /// caller holds no stack.
    pub(super) fn forward(&self) {
        let mut waiting = self.fabric.lock();
        if waiting.is_forwarding {
            return;
        }
        waiting.is_forwarding = true;
        while let Some((from, frame)) = waiting.frames.pop_front() {
            drop(waiting);
            self.deliver(frame, from);
            waiting = self.fabric.lock();
        }
        waiting.is_forwarding = false;
    }

    /// Gives a frame to the stations it is for, and to the box where a station sent it.
    fn deliver(&self, frame: Vec<u8>, from: Option<Mac>) {
        let Some(to) = frame.get(..6).and_then(|mac| Mac::try_from(mac).ok()) else { return };
        let is_group = to[0] & 1 == 1;
        let targets: Vec<Arc<Port>> = {
            let ports = self.ports();
            let all = ports.iter().filter(|(mac, _)| Some(**mac) != from);
            all.filter(|(mac, _)| is_group || **mac == to)
                .filter_map(|(_, port)| port.upgrade())
                .collect()
        };
        for port in &targets {
            port.receive(frame.clone());
        }
        if from.is_some() && (is_group || targets.is_empty()) {
            // A full queue loses frames, as a switch does.
            self.to_box.try_send(frame).ok();
        }
    }

    fn tick(&self) {
        let ports: Vec<Arc<Port>> = {
            let mut ports = self.ports();
            ports.retain(|_, port| port.strong_count() > 0);
            ports.values().filter_map(Weak::upgrade).collect()
        };
        for port in ports {
            port.poll_if_due();
        }
        self.forward();
    }
}

/// Takes one box after another: a killed QEMU may be followed by a new one.
fn accept(listener: &UnixListener, switch: &Weak<Switch>, plugged: &Mutex<Option<UnixStream>>) {
    while let Ok((mut stream, _)) = listener.accept() {
        if let Ok(writer) = stream.try_clone() {
            *plugged.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        }
        while let Ok(frame) = read_frame(&mut stream) {
            let Some(switch) = switch.upgrade().filter(|switch| !switch.is_closed()) else {
                return;
            };
            switch.fabric.send(None, [frame]);
            switch.forward();
        }
    }
}

fn read_frame(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

/// Sends what waits for the box, and in between looks after the stations' timers.
fn send_and_tick(
    frames: &Receiver<Vec<u8>>,
    switch: &Weak<Switch>,
    cable: &Mutex<Option<UnixStream>>,
) {
    let mut tick_at = Instant::now();
    loop {
        match frames.recv_timeout(tick_at.saturating_duration_since(Instant::now())) {
            Ok(frame) => {
                let mut cable = cable.lock().unwrap_or_else(PoisonError::into_inner);
                let length = u32::try_from(frame.len()).unwrap_or(0).to_be_bytes();
                let mut packet = length.to_vec();
                packet.extend(frame);
                if let Some(stream) = cable.as_mut()
                    && stream.write_all(&packet).is_err()
                {
                    *cable = None;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if Instant::now() >= tick_at {
            let Some(switch) = switch.upgrade().filter(|switch| !switch.is_closed()) else {
                return;
            };
            switch.tick();
            tick_at = Instant::now() + TICK;
        }
    }
}
