//! The Ethernet switch: the box on one port, stations on the others.
//!
//! A frame goes to the port whose address it bears, or to all. Frames between switch and QEMU have a
//! length of four bytes before them, big-endian, as QEMU's stream netdev wants.

use std::collections::BTreeMap;
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

/// The switch.
#[derive(Debug)]
pub(super) struct Switch {
    ports: Mutex<BTreeMap<Mac, Weak<Port>>>,
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

    /// Forwards frames from the station `from`, and what other stations say to them, until all is
    /// said. No port is locked while another one is.
    pub(super) fn forward(&self, from: Mac, frames: Vec<Vec<u8>>) {
        let mut waiting: Vec<(Mac, Vec<u8>)> = frames.into_iter().map(|f| (from, f)).collect();
        while let Some((from, frame)) = waiting.pop() {
            let answers = self.deliver(&frame, Some(from));
            waiting.extend(answers);
        }
    }

    /// Gives a frame to the stations it is for, and to the box where a station sent it.
    fn deliver(&self, frame: &[u8], from: Option<Mac>) -> Vec<(Mac, Vec<u8>)> {
        let Some(to) = frame.get(..6).and_then(|mac| Mac::try_from(mac).ok()) else {
            return Vec::new();
        };
        let is_group = to[0] & 1 == 1;
        let targets: Vec<(Mac, Arc<Port>)> = {
            let ports = self.ports();
            let all = ports.iter().filter(|(mac, _)| Some(**mac) != from);
            all.filter(|(mac, _)| is_group || **mac == to)
                .filter_map(|(mac, port)| Some((*mac, port.upgrade()?)))
                .collect()
        };
        if from.is_some() && (is_group || targets.is_empty()) {
            // A full queue loses frames, as a switch does.
            self.to_box.try_send(frame.to_vec()).ok();
        }
        let answers = targets.iter().flat_map(|(mac, port)| {
            port.receive(frame.to_vec()).into_iter().map(|answer| (*mac, answer))
        });
        answers.collect()
    }

    fn tick(&self) {
        let ports: Vec<(Mac, Arc<Port>)> = {
            let mut ports = self.ports();
            ports.retain(|_, port| port.strong_count() > 0);
            ports.iter().filter_map(|(mac, port)| Some((*mac, port.upgrade()?))).collect()
        };
        for (mac, port) in ports {
            let frames = port.poll_if_due();
            self.forward(mac, frames);
        }
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
            let answers = switch.deliver(&frame, None);
            for (mac, answer) in answers {
                switch.forward(mac, vec![answer]);
            }
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
