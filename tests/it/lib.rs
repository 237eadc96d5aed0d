//! Everything that is tested over the real wire, in one test binary; one module per area.
//!
//! The daemon under test is `POSTROOM_BIN`, or is built. Nothing here is part of the product.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod boot;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod kill9;
#[cfg(test)]
mod large_mailbox;
#[cfg(test)]
mod ldap;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod slapd;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod utilities;
#[cfg(test)]
mod webhooks;
