//! The entry point of `cargo xtask`; everything is in the library, which the tests use too.

fn main() -> anyhow::Result<()> {
    xtask::main()
}
