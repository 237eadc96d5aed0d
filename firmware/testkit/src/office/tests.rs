//! The office without a box: a stack of our own on the box's port.

use std::io::{Read as _, Write as _};
use std::net::SocketAddrV4;
use std::time::Duration;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn office(dir: &Path) -> Office {
    let zone = Zone::from([("far.test".into(), vec![Record::A(Ipv4Addr::new(192, 168, 77, 50))])]);
    Office::open(&dir.join("switch"), zone).unwrap()
}

#[test]
fn stations_talk_over_the_switch_in_both_directions() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let (near, far) = (office.station(40), office.station(50));
    let mut listener = far.listen(25, 2).unwrap();
    let server = std::thread::spawn(move || {
        let mut total = 0;
        for _ in 0..3 {
            let mut stream = listener.accept(PATIENCE).unwrap();
            stream.write_all(b"220 hello\r\n").unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            total += bytes.len();
        }
        total
    });
    for _ in 0..3 {
        let to = SocketAddrV4::new(far.ip(), 25);
        let mut stream = near.connect(to, PATIENCE).unwrap();
        let mut greeting = [0; 11];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"220 hello\r\n");
        // More than both buffers hold: windows close and open.
        stream.write_all(&vec![b'x'; 200_000]).unwrap();
    }
    assert_eq!(server.join().unwrap(), 600_000);
}

#[test]
fn a_closed_port_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let near = office.station(40);
    let far = office.station(50);
    let err = near.connect(SocketAddrV4::new(far.ip(), 25), PATIENCE).unwrap_err();
    assert_eq!(err.kind(), std::io::ErrorKind::ConnectionRefused);
}
