//! The status screen: where the box is, how to trust it and, until it is set up, the setup code.
//!
//! Pure text from facts; 80 columns and 24 lines, which every monitor and serial line has. The QR
//! code holds the address, and the setup code in the fragment, which a browser never sends on.

use qrcode::{Color, EcLevel, QrCode};

use crate::machine::{Daemon, Facts};

const LEFT_COLUMNS: usize = 42;
/// Module rows around the code; readers want some, four cost two lines that we do not have.
const QUIET: usize = 2;

/// The whole screen.
pub(crate) fn render(facts: &Facts) -> String {
    let left = text(facts);
    let right = address(facts).and_then(|at| qr_lines(&link(&at, facts))).unwrap_or_default();
    let mut screen = String::new();
    for at in 0..left.len().max(right.len()) {
        let line = left.get(at).map_or("", String::as_str);
        let code = right.get(at).map_or("", String::as_str);
        let pad = LEFT_COLUMNS.saturating_sub(line.chars().count());
        let whole = format!("{line}{:pad$}{code}", "");
        screen.push_str(whole.trim_end_matches(' '));
        screen.push('\n');
    }
    screen
}

/// The first address without its prefix length.
fn address(facts: &Facts) -> Option<String> {
    let cidr = facts.status.addresses.first()?;
    let ip = cidr.split('/').next()?;
    Some(if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() })
}

fn link(address: &str, facts: &Facts) -> String {
    match &facts.console.setup_code {
        Some(code) => format!("https://{address}/#setup={code}"),
        None => format!("https://{address}/"),
    }
}

fn text(facts: &Facts) -> Vec<String> {
    let status = &facts.status;
    let mut lines =
        vec![String::new(), format!("  Postroom {}", status.image_version), String::new()];
    match address(facts) {
        Some(at) => {
            lines.push(format!("  Open   https://{at}/"));
            lines.push("  or     https://postroom.local/".to_owned());
        }
        None if facts.has_carrier => {
            lines.push("  Waiting for an address from".to_owned());
            lines.push("  the network (DHCP) ...".to_owned());
        }
        None => {
            lines.push("  No network: plug in a network cable.".to_owned());
            lines.push(String::new());
        }
    }
    lines.push(String::new());
    if let Some(code) = &facts.console.setup_code {
        lines.push(format!("  Setup code: {code}"));
        lines.push(String::new());
    }
    if !facts.console.host_name.is_empty() {
        lines.push(format!("  Name:    {}", facts.console.host_name));
    }
    for (at, cidr) in status.addresses.iter().take(3).enumerate() {
        lines.push(format!("  {} {cidr}", if at == 0 { "Address:" } else { "        " }));
    }
    lines.push(format!("  Box:     {} tier, {} MB of RAM", status.tier, status.ram_mb));
    lines.push(format!("  State:   {}", state(facts)));
    if !facts.notice.is_empty() {
        lines.push(format!("  {}", facts.notice));
    }
    lines.push(String::new());
    if !facts.console.fingerprint.is_empty() {
        lines.push("  Certificate (SHA-256):".to_owned());
        let bytes: Vec<&str> = facts.console.fingerprint.split(':').collect();
        lines.extend(bytes.chunks(11).map(|part| format!("  {}", part.join(":"))));
    }
    lines
}

fn state(facts: &Facts) -> &'static str {
    match facts.daemon {
        Daemon::Starting => "starting",
        Daemon::Ready => "ready",
        Daemon::Waiting => "mail service restarts",
        Daemon::Stopping => "stopping",
    }
}

/// The code in half blocks, light on dark as consoles are; the light modules are drawn.
fn qr_lines(text: &str) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let colors = code.to_colors();
    let is_light = |row: usize, column: usize| {
        let inside = |n: usize| n.checked_sub(QUIET).filter(|n| *n < width);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => colors.get(row * width + column) == Some(&Color::Light),
            _ => true,
        }
    };
    let side = width + 2 * QUIET;
    let mut lines = Vec::with_capacity(side.div_ceil(2));
    for row in (0..side).step_by(2) {
        let mut line = String::new();
        for column in 0..side {
            let below = row + 1 < side && is_light(row + 1, column);
            line.push(match (is_light(row, column), below) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        lines.push(line);
    }
    Some(lines)
}

/// What stands on the screen when the box can not work.
pub(crate) fn render_halt(version: &str, why: &str) -> String {
    let mut screen = format!("\n  Postroom {version} can not start\n\n");
    let mut line = String::from(" ");
    for word in why.split_ascii_whitespace() {
        if line.chars().count() + word.chars().count() > 76 {
            screen.push_str(&line);
            line = String::from("\n ");
        }
        line.push(' ');
        line.push_str(word);
    }
    screen.push_str(&line);
    screen.push_str("\n\n  Press the power button to switch off, Ctrl-Alt-Del to start again.\n");
    screen
}

#[cfg(test)]
mod tests {
    use base::box_link::{BoxStatus, Console};

    use super::*;

    fn facts(code: Option<&str>) -> Facts {
        Facts {
            status: BoxStatus {
                addresses: vec!["192.168.100.200/24".into(), "2001:db8::1/64".into()],
                tier: "1g".into(),
                ram_mb: 985,
                image_version: "0.1.0".into(),
                ..BoxStatus::default()
            },
            console: Console {
                fingerprint: ["AB"; 32].join(":"),
                setup_code: code.map(str::to_owned),
                host_name: "mail.office.test".into(),
            },
            daemon: Daemon::Ready,
            notice: "postroom.toml was refused".to_owned(),
            has_carrier: true,
            ..Facts::default()
        }
    }

    #[test]
    fn the_screen_fits_and_shows_all_that_is_needed() {
        let screen = render(&facts(Some("ABCD-EFGH-JKLM")));
        assert!(screen.lines().count() <= 24, "{screen}");
        assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
        for part in ["https://192.168.100.200/", "ABCD-EFGH-JKLM", "AB:AB", "1g tier", "2001:db8"] {
            assert!(screen.contains(part), "{part}: {screen}");
        }
        assert_eq!(screen.matches("AB").count(), 32 + 1, "32 bytes and the code: {screen}");
    }

    #[test]
    fn after_setup_the_code_is_gone_and_without_network_it_says_so() {
        let done = render(&facts(None));
        assert!(!done.contains("Setup code"));
        let mut dark = facts(None);
        dark.status.addresses.clear();
        dark.has_carrier = false;
        assert!(render(&dark).contains("plug in a network cable"));
        dark.has_carrier = true;
        assert!(render(&dark).contains("DHCP"));
    }

    #[test]
    fn the_code_is_square_with_a_light_border() {
        let lines = qr_lines("https://192.168.100.200/#setup=ABCD-EFGH").unwrap();
        let width = lines[0].chars().count();
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines[0].chars().all(|c| c == '█'));
        assert!(lines.iter().all(|line| line.starts_with("██") || line.starts_with("▀▀")));
    }

    #[test]
    fn a_long_reason_is_wrapped() {
        let screen = render_halt("0.1.0", &"the disk is too small ".repeat(12));
        assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
        assert_eq!(screen.matches("small").count(), 12);
    }
}
