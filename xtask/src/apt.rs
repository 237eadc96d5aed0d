//! Debian's packages for the image, with an apt state of our own.
//!
//! Owns: which packages were fetched, where they are unpacked. Takes the sources that the
//! machine is set up with (adding `non-free-firmware`, where microcode and firmware are) and
//! keeps its lists and files in the cache folder, so nothing on the machine changes and no
//! root is needed. apt checks the signatures as ever.

use crate::place::Place;
use crate::say;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long fetched package lists are taken as fresh: a day.
const LISTS_FRESH_SECS: u64 = 24 * 60 * 60;

/// One package as it was fetched.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) file: PathBuf,
    /// Where its files are unpacked.
    pub(crate) root: PathBuf,
}

/// An apt state in the cache folder.
pub(crate) struct Apt {
    dir: PathBuf,
    packages: BTreeMap<String, Package>,
}

impl Apt {
    /// Sets the state up and brings the package lists up to date.
    pub(crate) fn open(place: &Place) -> Result<Self> {
        let dir = place.cache.join("apt");
        for folder in ["state/lists/partial", "cache/archives/partial", "sources", "debs"] {
            std::fs::create_dir_all(dir.join(folder))?;
        }
        let sources = host_sources(&codename()?)?;
        let listed = dir.join("sources/postroom.sources");
        let is_new = std::fs::read_to_string(&listed).ok().as_deref() != Some(sources.as_str());
        std::fs::write(&listed, &sources)?;
        std::fs::write(dir.join("state/status"), b"")?;
        std::fs::write(dir.join("apt.conf"), configuration(&dir))?;
        let apt = Self { dir, packages: BTreeMap::new() };
        if is_new || !apt.lists_are_fresh() {
            apt.update()?;
        }
        Ok(apt)
    }

    fn update(&self) -> Result<()> {
        say::step("fetching Debian's package lists (into the cache folder)");
        self.run("apt-get", &["-q", "update"], None)?;
        Ok(std::fs::write(self.dir.join("fresh"), b"")?)
    }

    fn lists_are_fresh(&self) -> bool {
        let age = std::fs::metadata(self.dir.join("fresh"))
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        age.is_some_and(|age| age.as_secs() < LISTS_FRESH_SECS)
    }

    /// Fetches what is not there yet and unpacks it. Answers in the order of `names`.
    pub(crate) fn fetch(&mut self, names: &[String]) -> Result<Vec<Package>> {
        let mut policy = self.candidates(names)?;
        let debs = self.dir.join("debs");
        let wanted: Vec<&String> =
            names.iter().filter(|name| !self.packages.contains_key(*name)).collect();
        let absent: Vec<&str> = wanted
            .iter()
            .filter(|name| deb_file(&debs, name, &policy).is_none_or(|file| !file.exists()))
            .map(|name| name.as_str())
            .collect();
        if !absent.is_empty() {
            say::step(&format!("fetching Debian packages: {}", absent.join(" ")));
            let arguments = [&["-q", "download"], absent.as_slice()].concat();
            if self.run("apt-get", &arguments, Some(&debs)).is_err() {
                // A version of yesterday's lists may be gone from the archive today.
                self.update()?;
                policy = self.candidates(names)?;
                self.run("apt-get", &arguments, Some(&debs))?;
            }
        }
        for name in wanted {
            let version = policy.get(name).cloned().unwrap_or_default();
            let file = deb_file(&debs, name, &policy).filter(|file| file.exists());
            let file = file.with_context(|| format!("apt did not fetch {name} {version}"))?;
            let root = self.unpack(&file)?;
            let package = Package { name: name.clone(), version, file, root };
            self.packages.insert(name.clone(), package);
        }
        Ok(names.iter().filter_map(|name| self.packages.get(name).cloned()).collect())
    }

    /// The files of a package that was fetched.
    pub(crate) fn root_of(&self, name: &str) -> Result<&Path> {
        let package = self.packages.get(name);
        Ok(&package.with_context(|| format!("package {name} was not fetched"))?.root)
    }

    /// Everything that was fetched, for the bill of materials.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    fn unpack(&self, deb: &Path) -> Result<PathBuf> {
        let stem = deb.file_stem().context("a package file without a name")?;
        let root = self.dir.join("unpacked").join(stem);
        if root.exists() {
            return Ok(root);
        }
        let part = self.dir.join("unpacked.part");
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }
        std::fs::create_dir_all(&part)?;
        std::fs::create_dir_all(self.dir.join("unpacked"))?;
        let status = Command::new("dpkg-deb").arg("-x").arg(deb).arg(&part).status()?;
        if !status.success() {
            bail!("cannot unpack {}", deb.display());
        }
        std::fs::rename(&part, &root)?;
        Ok(root)
    }

    /// The version that apt would take, by package.
    fn candidates(&self, names: &[String]) -> Result<BTreeMap<String, String>> {
        let mut arguments = vec!["policy"];
        arguments.extend(names.iter().map(String::as_str));
        let text = self.run("apt-cache", &arguments, None)?;
        let versions = parse_policy(&text);
        for name in names {
            if !versions.contains_key(name) {
                bail!(
                    "Debian's package {name} is in none of this machine's apt sources \
                     (the image is built from Debian 12)"
                );
            }
        }
        Ok(versions)
    }

    fn run(&self, program: &str, arguments: &[&str], folder: Option<&Path>) -> Result<String> {
        let output = Command::new(program)
            .arg("-c")
            .arg(self.dir.join("apt.conf"))
            .args(arguments)
            .env("LC_ALL", "C")
            .current_dir(folder.unwrap_or(&self.dir))
            .output()
            .with_context(|| format!("cannot start {program}: this needs a Debian machine"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            bail!("{program} {} failed:\n{}", arguments.join(" "), text.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Our state instead of the machine's; the rest of the machine's apt settings (a proxy, say)
/// stays, because this file is read last. The machine's hooks must not run: they would clean
/// the machine's own package cache.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "Dir::State \"{dir}/state\";\n\
         Dir::State::status \"{dir}/state/status\";\n\
         Dir::Cache \"{dir}/cache\";\n\
         Dir::Etc::SourceList \"/dev/null\";\n\
         Dir::Etc::SourceParts \"{dir}/sources\";\n\
         APT::Architecture \"amd64\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         #clear DPkg::Post-Invoke;\n"
    )
}

fn codename() -> Result<String> {
    let text = std::fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(line.context("/etc/os-release does not name a Debian release")?.trim_matches('"').to_owned())
}

/// The machine's entries for this Debian release, as one deb822 file.
fn host_sources(codename: &str) -> Result<String> {
    let mut text = String::new();
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(folder) = std::fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(folder.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.sort();
    for file in files {
        let Ok(content) = std::fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => text.push_str(&from_stanzas(&content, codename)),
            Some("list") => text.push_str(&from_lines(&content, codename)),
            _ => {}
        }
    }
    if text.is_empty() {
        bail!("this machine's apt has no source for Debian {codename}");
    }
    Ok(text)
}

/// Whether an entry is Debian's own archive: third parties name their suites otherwise or have
/// no `main`.
fn is_debian(suite: &str, components: &[&str], codename: &str) -> bool {
    let rest = suite.strip_prefix(codename);
    let is_suite = rest.is_some_and(|rest| matches!(rest, "" | "-updates" | "-security"));
    is_suite && components.contains(&"main")
}

fn from_stanzas(content: &str, codename: &str) -> String {
    let mut text = String::new();
    for stanza in content.split("\n\n") {
        let fields: BTreeMap<String, &str> = stanza
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
            .collect();
        let field = |name: &str| fields.get(name).copied().unwrap_or_default();
        let components: Vec<&str> = field("components").split_whitespace().collect();
        let suites: Vec<&str> = field("suites")
            .split_whitespace()
            .filter(|suite| is_debian(suite, &components, codename))
            .collect();
        if suites.is_empty() || field("enabled").eq_ignore_ascii_case("no") {
            continue;
        }
        text.push_str(&stanza_text(field("uris"), &suites.join(" "), field("signed-by")));
    }
    text
}

fn from_lines(content: &str, codename: &str) -> String {
    let mut text = String::new();
    for line in content.lines() {
        let Some(entry) = line.trim().strip_prefix("deb ") else { continue };
        let (options, entry) = match entry.trim().strip_prefix('[') {
            Some(rest) => rest.split_once(']').unwrap_or_default(),
            None => ("", entry),
        };
        let words: Vec<&str> = entry.split_whitespace().collect();
        let [uri, suite, components @ ..] = words.as_slice() else { continue };
        if is_debian(suite, components, codename) {
            let key = options.split_whitespace().find_map(|word| word.strip_prefix("signed-by="));
            text.push_str(&stanza_text(uri, suite, key.unwrap_or_default()));
        }
    }
    text
}

fn stanza_text(uris: &str, suites: &str, signed_by: &str) -> String {
    let mut text =
        format!("Types: deb\nURIs: {uris}\nSuites: {suites}\nComponents: main non-free-firmware\n");
    if !signed_by.is_empty() {
        text.push_str(&format!("Signed-By: {signed_by}\n"));
    }
    text.push('\n');
    text
}

/// `apt-cache policy`: a line `name:`, then indented lines, among them `Candidate: version`.
fn parse_policy(text: &str) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            name = line.trim_end_matches(':');
        } else if let Some(version) = line.trim().strip_prefix("Candidate: ")
            && version != "(none)"
        {
            versions.insert(name.to_owned(), version.to_owned());
        }
    }
    versions
}

/// The name under which `apt-get download` stores a package.
fn deb_file(debs: &Path, name: &str, versions: &BTreeMap<String, String>) -> Option<PathBuf> {
    let version = versions.get(name)?.replace(':', "%3a");
    ["amd64", "all"]
        .iter()
        .map(|architecture| debs.join(format!("{name}_{version}_{architecture}.deb")))
        .find(|file| file.exists())
}

#[cfg(test)]
mod tests {
    use super::{from_lines, from_stanzas, parse_policy};

    const WANTED: &str = "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n\
                          Components: main non-free-firmware\n";

    #[test]
    fn only_debian_entries_are_taken_and_firmware_is_added() {
        let lines = "# deb http://mirror.test/debian bookworm main\n\
                     deb http://mirror.test/debian bookworm main contrib\n\
                     deb http://db.test/apt bookworm-pgdg main\n\
                     deb-src http://mirror.test/debian bookworm main\n";
        assert_eq!(from_lines(lines, "bookworm"), format!("{WANTED}\n"));
        let stanzas = "Types: deb\n# a note\nURIs: http://mirror.test/debian\n\
                       Suites: bookworm bookworm-backports\nComponents: main\n\
                       Signed-By: /k.gpg\n\nTypes: deb\nURIs: http://node.test\n\
                       Suites: nodistro\nComponents: main\n";
        assert_eq!(from_stanzas(stanzas, "bookworm"), format!("{WANTED}Signed-By: /k.gpg\n\n"));
    }

    #[test]
    fn policy_gives_candidates_and_no_absent_packages() {
        let text = "a:\n  Installed: (none)\n  Candidate: 1:2-3\n  Version table:\n     1:2-3 500\n\
                    b:\n  Installed: 1\n  Candidate: (none)\n";
        let versions = parse_policy(text);
        assert_eq!(versions.get("a").map(String::as_str), Some("1:2-3"));
        assert!(!versions.contains_key("b"));
    }
}
