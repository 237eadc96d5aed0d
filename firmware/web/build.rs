//! Compresses the built web UI (`web-ui/dist`) and writes the list of its files for `assets.rs`. Without a
//! built UI the list is empty: the daemon builds without Node and serves a plain page instead.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const UI: &str = "../../web-ui";

fn main() -> io::Result<()> {
    let ui = Path::new(UI);
    let dist = ui.join("dist");
    let built = dist.join("index.html").is_file();
    // Until the UI is built, its folder is watched for the build to appear.
    let watched = if built { dist.as_path() } else { ui };
    println!("cargo:rerun-if-changed={}", watched.display());
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    if built {
        collect(&dist, &mut files)?;
        files.sort();
    }
    let mut list = String::from("pub(crate) static FILES: &[Asset] = &[\n");
    for (n, file) in files.iter().enumerate() {
        let bytes = std::fs::read(file)?;
        let (stored, gzip) = compress(&bytes)?;
        let name = format!("asset-{n}");
        std::fs::write(out.join(&name), &stored)?;
        let path = file.strip_prefix(&dist).unwrap_or(file).to_string_lossy().replace('\\', "/");
        writeln!(
            list,
            "    Asset {{ path: \"/{path}\", gzip: {gzip}, len: {}, \
             body: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\")) }},",
            bytes.len()
        )
        .map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    std::fs::write(out.join("assets.rs"), list)
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let skipped = [".map", ".gz", ".br"];
        if path.is_dir() {
            collect(&path, files)?;
        } else if !skipped.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            files.push(path);
        }
    }
    Ok(())
}

/// The bytes as they are stored; compressed if that makes them smaller by a tenth.
fn compress(bytes: &[u8]) -> io::Result<(Vec<u8>, bool)> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    let packed = encoder.finish()?;
    Ok(if packed.len() < bytes.len() / 10 * 9 { (packed, true) } else { (bytes.to_vec(), false) })
}
